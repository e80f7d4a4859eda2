/* chain.h: what the files of net share. */
#ifndef NET_CHAIN_H
#define NET_CHAIN_H

#include "colrow/net.h"

/* Rows of segment `s` for the micro-batch under way: samples x positions. */
int cr_segment_rows(const cr_net *net, int s);

/* kept [rows, k] = chain applied to the picked channels of x; sets segment->input. */
void cr_chain_write(cr_net *net, int s);

/* norms [n] = sum of squares of each channel at the end of the chain. Writes no tensor. */
void cr_chain_norms(cr_net *net, int s, double *norms);

/* dy [rows, k] in place, last layer to first; parameter gradients into the blocks from *block on.
 */
void cr_chain_backward(cr_net *net, int s, float *dy, bool first, int *block);

/* The chain on all channels of y [rows, n] in place, nothing kept. */
void cr_chain_evaluate(cr_net *net, int s, float *y, int rows);

/* Rows of a tile for tensors of so many rows. */
int cr_chain_tile_rows(int64_t rows);

/* Work out blocks and gradient_count from the picks. */
void cr_gradient_plan(cr_net *net);

/* norms [n] of the weights of each input channel. */
void cr_segment_weight_norms(cr_net *net, int s, double *norms);

/* Count one product (0 forward, 1 input gradient, 2 weight gradient) of segment s. */
void cr_segment_count(cr_net *net, int s, int product);

/* The kernel's place in the flat array, for the consumer of segment s. */
const float *cr_segment_kernel(const cr_net *net, int s);

/* The type table of segment s's consumer; NULL for the loss. */
const cr_contraction *cr_segment_contraction(const cr_net *net, int s);

#endif
