/* columns: what is done to a matrix column by column: sums over rows, factors of each column. */
#ifndef NET_COLUMNS_H
#define NET_COLUMNS_H

/* sums [k] += the columns of a [rows, k], products [k] += those of a b, element by element; b may
 * be a. Sums of a few rows are in single precision, their sum in double. */
void cr_columns_add(double *sums, double *products, const float *a, const float *b, int rows,
                    int k);

/* y [rows, columns] = scale [columns] y + shift [columns]; k floats from one row to the next */
void cr_columns_scale(float *y, const float *scale, const float *shift, int rows, int columns,
                      int k);

/* y [rows, k] = a [k] y + b [k] x [rows, k] + c [k] */
void cr_columns_combine(float *y, const float *x, const float *a, const float *b, const float *c,
                        int rows, int k);

#endif
