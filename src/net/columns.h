/* columns: sums over the rows of a matrix, column by column. */
#ifndef NET_COLUMNS_H
#define NET_COLUMNS_H

/* sums [k] += the columns of a [rows, k], products [k] += those of a b, element by element; b may
 * be a. Sums of a few rows are in single precision, their sum in double. */
void cr_columns_add(double *sums, double *products, const float *a, const float *b, int rows,
                    int k);

#endif
