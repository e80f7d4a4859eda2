/* chain.h: what the files of net share. */
#ifndef NET_CHAIN_H
#define NET_CHAIN_H

#include "colrow/net.h"

/* ---- tensors and rows ------------------------------------------------------------------------ */

/* Rows of segment `s` for the micro-batch under way: samples x positions. */
int cr_segment_rows(const cr_net *net, int s);

/* Positions of a sample in the input of segment s: 1 where a contraction flattens. */
int cr_segment_positions(const cr_net *net, int s);

/* Work out what of each tensor needs gradient, and give values and gradients their memory. */
void cr_tensors_link(cr_net *net);
void cr_tensors_place(cr_net *net, cr_arena *arena);

/* Does tensor t (-1: none) hold, in this pass, nothing but the channels that its reader keeps? */
bool cr_tensor_is_compact(const cr_net *net, int t);

/* Output channels of segment s, all of them: those of its kernel where it is apart. */
int cr_segment_channels(const cr_net *net, int s);

/* Channels of its source that segment s goes on with: those picked or, of a compact source, all
 * that there are. */
const cr_pick *cr_segment_inputs(const cr_net *net, int s);

/* The mapping at the end of segment s; of a compact source, as if it had no other channels. */
cr_layer cr_segment_mapping(const cr_net *net, int s);

/* Channels that the contraction of segment s works out in this pass. */
int cr_segment_outputs(const cr_net *net, int s);

/* Where the gradient [rows, k] of the input of segment s is to be written: its source tensor's own,
 * or an array from which it is then added to that, some rows dx [rows, k] at a time. */
float *cr_tensor_gradient_of(const cr_net *net, int s);
void cr_tensor_add_rows(const cr_net *net, int s, const float *dx, const cr_tile *rows);

/* Take sampling's options in, for every step of their schedules; the net is then as in the first.
 * CR_BAD_CONFIG for a pattern that matches no layer. */
cr_status cr_net_plan_sampling(cr_net *net);

/* Name the parts of the state that its layers carry. */
cr_status cr_net_name_state(cr_net *net);

/* Lay the arrays of a net out in `arena`; called twice, to measure and to place. */
void cr_net_lay_out(cr_net *net, cr_arena *arena);

/* ---- chains ---------------------------------------------------------------------------------- */

/* Statistics of the chain's layers over the micro-batch, or all that share them, and their factors.
 */
cr_status cr_chain_prepare(cr_net *net, int s);

/* In training: two sums [n] over `rows` rows become those over the rows of all that share
 * statistics. The sums may lie behind one another in net->partial, which is overwritten. */
cr_status cr_chain_share(cr_net *net, double *first, double *second, int n, int64_t *rows);

/* kept [rows, k] = chain applied to the picked channels of x; sets segment->input. */
void cr_chain_write(cr_net *net, int s);

/* Is the end of the chain not kept for the backward pass, but worked out again from what its first
 * layer keeps? */
bool cr_segment_recomputes(const cr_net *net, int s);

/* In that case: what cr_chain_write wrote, to the bit. */
void cr_chain_write_again(cr_net *net, int s);

/* norms [n] = sum of squares of each channel at the end of the chain. Writes no tensor. */
void cr_chain_norms(cr_net *net, int s, double *norms);

/* dy [rows, k] in place, last layer to first, and on to the source tensor's gradient; parameter
 * gradients into the blocks from *block on. */
cr_status cr_chain_backward(cr_net *net, int s, float *dy, bool first, int *block);

/* The chain on all channels of y [rows, n] in place, nothing kept, running statistics. */
void cr_chain_evaluate(cr_net *net, int s, float *y);

/* ---- kernels [taps, IN, OUT] ------------------------------------------------------------------
 */

const cr_contraction *cr_segment_contraction(const cr_net *net, int s); /* NULL: none */
const float *cr_segment_kernel(const cr_net *net, int s);               /* in the flat array */

/* The channels that a kernel sums over and those that it gives. */
int cr_kernel_in(const cr_layer *layer);
int cr_kernel_out(const cr_layer *layer);

/* NULL: its consumer is none. */
const cr_operation *cr_segment_operation(const cr_net *net, int s);

/* Does the consumer of segment s contract over its own last output? */
bool cr_segment_recurs(const cr_net *net, int s);

/* Are the outputs of its kernel other channels than those of its target, all of them live? */
bool cr_segment_apart(const cr_net *net, int s);

/* The operation of segment s at work on the pass under way, but for what only one direction has. */
cr_turn cr_segment_turn(const cr_net *net, int s);

/* norms [n] = squares of each channel of the state that segment s begins with, over the samples;
 * ones where all are zero. */
void cr_state_norms(const cr_net *net, int s, double *norms);

/* A segment's products, with `k` kept inputs and `live` outputs. */
cr_contract cr_segment_contract(const cr_net *net, int s, int k, int live);

int cr_kernel_taps(const cr_layer *layer);

/* kept [taps, k, OUT] = scale_i w[:, I, :] */
void cr_kernel_gather(float *kept, const float *w, const cr_layer *layer, const cr_pick *pick);

/* live [rows, kO] = kept [rows, O] */
void cr_kernel_gather_live(float *live, const float *kept, int64_t rows, int out,
                           const cr_pick *pick);

/* to [rows, OUT]: rows [first, first + rows) of the gradient whose (I, O) is scale_i block
 * [taps, k, kO], zero elsewhere */
void cr_kernel_spread(float *to, const float *block, const cr_layer *layer, const cr_pick *in,
                      const cr_pick *out, int64_t first, int64_t rows);

/* Are the weights of segment s prepared for each micro-batch, in a place that others share? */
bool cr_segment_prepares_each(const cr_net *net, int s);

/* Floats of these weights at most, as the engine wants them for the forward product or the input
 * gradient; 0: as they are, or not at all. */
int64_t cr_segment_prepared_floats(const cr_net *net, int s, bool backward);

/* w_live from w_outputs. */
void cr_segment_prepare_live(cr_net *net, int s);

/* Of rows [first, first + *rows) of W, the first whose input channel is kept; *rows gets how many
 * neighbours from it on are, of the same tap; 0: none of all is */
int64_t cr_kernel_kept(const cr_pick *in, int64_t first, int64_t *rows);

/* norms [rows] = squared norm of each row of w [rows, OUT] */
void cr_kernel_row_norms(double *norms, const float *w, int64_t rows, int out);

/* norms [n] of the weights of each input channel of segment s. */
void cr_segment_weight_norms(cr_net *net, int s, double *norms);

/* ---- the second sampling -----------------------------------------------------------------------
 */

/* Lay out its picks, norms and copies, where some step has one. */
void cr_resample_lay_out(cr_net *net, cr_arena *arena);

/* Largest of what it draws from: samples or outputs. */
int cr_resample_channels(const cr_net *net);

/* Samples of so many, outputs of all those of segment s, that its backward products keep. */
int cr_resample_examples(const cr_net *net, int s, int samples);
int cr_resample_outputs(const cr_net *net, int s);

/* Does the input gradient of segment s sum over a pick of the live outputs, this step? */
bool cr_resample_thins_inputs(const cr_net *net, int s);

/* Norms of the live weights, once a step. */
void cr_resample_weigh(cr_net *net, int s);

/* Pick samples and outputs for the products of segment s, for the micro-batch under way. */
cr_status cr_resample_choose(cr_net *net, int s, const float *dy);

/* The products where the segment's are thin: dw [taps, k, live] (+)=, and then dx. */
void cr_resample_weight_gradient(cr_net *net, int s, float *dw, const float *dy, bool accumulate);
void cr_resample_input_gradient(cr_net *net, int s, float *dx, const float *dy);

/* ---- gradients and counters -------------------------------------------------------------------
 */

/* Work out blocks and gradient_count from the picks. */
void cr_gradient_plan(cr_net *net);

/* Running statistic number i of a layer (means, then unbiased variances) as the micro-batch of
 * `samples` has it; 0 for an empty one. */
double cr_layer_statistic(const cr_layer *layer, int64_t i, int samples);

/* Put the micro-batch's statistics behind the gradients, or add them. */
void cr_gradient_add_statistics(cr_net *net, bool first);

/* ---- norms of the last step --------------------------------------------------------------------
 */

/* Lay them out, where the net remembers. */
void cr_remember_lay_out(cr_net *net, cr_arena *arena);

/* Before the first step: as if every input had the norm 1, so that scores are those of weights. */
void cr_remember_nothing(cr_net *net);

/* norms [n] of the last step. */
void cr_remember_recall(const cr_net *net, int s, double *norms);

/* Take the norms of segment s over the micro-batch under way, when its chain is prepared. */
void cr_remember_take(cr_net *net, int s);

/* Put the micro-batch's norms behind the gradients, or add them. */
void cr_remember_add(cr_net *net, bool first);

/* Count one product (0 forward, 1 input gradient, 2 weight gradient) of segment s. */
void cr_segment_count(cr_net *net, int s, int product);

#endif
