/* check: what every test includes. cmocka wants these four before it, in this order. */
#ifndef TEST_CHECK_H
#define TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "colrow/base.h"

#include <stdio.h>
#include <string.h>

/* The call succeeds, or the test fails with its message and trail. */
#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        cr_status ok_status_ = (call);                                                             \
        if (ok_status_ != CR_OK)                                                                   \
            fail_msg("status %d: %s (%s)", (int)ok_status_, cr_error_message(), cr_error_trail()); \
    } while (0)

/* The call fails with `code` and a one-line message that contains `part`. */
#define ASSERT_FAILS(call, code, part)                                                             \
    do {                                                                                           \
        cr_status bad_status_ = (call);                                                            \
        if (bad_status_ != (code))                                                                 \
            fail_msg("expected status %d, found %d: %s", (int)(code), (int)bad_status_,            \
                     cr_error_message());                                                          \
        if (strstr(cr_error_message(), part) == NULL || strchr(cr_error_message(), '\n') != NULL)  \
            fail_msg("expected one line with '%s', found: %s", part, cr_error_message());          \
    } while (0)

/* |a - b| <= tolerance */
#define ASSERT_NEAR(a, b, tolerance)                                                               \
    do {                                                                                           \
        double near_a_ = (a);                                                                      \
        double near_b_ = (b);                                                                      \
        double near_gap_ = near_a_ > near_b_ ? near_a_ - near_b_ : near_b_ - near_a_;              \
        if (!(near_gap_ <= (tolerance)))                                                           \
            fail_msg("%s = %.9g, %s = %.9g: apart by %.3g", #a, near_a_, #b, near_b_, near_gap_);  \
    } while (0)

#endif
