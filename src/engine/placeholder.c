/* placeholder */
typedef int cr_placeholder;
