/* train.h: what the files of train share. */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include "colrow/train.h"

/* Refuse a batch_schedule that cannot be read; settled: one that does not fit micro_batch and the
 * ranks (CR_BAD_CONFIG). Not collective. */
cr_status cr_course_check(const cr_run_options *options);
cr_status cr_course_settle(const cr_run_options *options, int ranks);

/* The plan of the network that options ask for, on data of this shape. Not collective. */
cr_net_plan cr_options_plan(const cr_run_options *options, cr_shape input, int classes);

/* Do both have the same batches in the same epochs? Not collective. */
bool cr_course_same(const cr_run_options *a, const cr_run_options *b);

/* One update; run->stopping and *save tell what all ranks agreed to do after it. */
cr_status cr_step_run(cr_run *run, bool *save);

/* Evaluate on validation (and test where that is best so far), and take note in run->progress. */
cr_status cr_epoch_evaluate(cr_run *run);

/* config.yaml, and no metrics of steps after the one that the run begins at: written when nothing
 * stands between it and the first step, so that a run that is refused leaves these files alone. */
cr_status cr_folder_begin(cr_run *run);

/* The net's parameters, in their order, for the optimizer; the caller frees *spans. CR_BAD_CONFIG
 * for a pattern that matches none. Not collective. */
cr_status cr_spans_make(cr_optim_span **spans, int *count, const cr_net *net,
                        const cr_optim_options *options);

/* Write a checkpoint of run->progress.step and prune older ones. */
cr_status cr_state_save(cr_run *run);

/* What the streams of a text carry, nothing for other data: memory for it; all of it zero, when an
 * epoch begins; and for the micro-batch that begins with stream `first`, to the net. */
cr_status cr_carry_create(cr_run *run);
void cr_carry_clear(cr_run *run);
void cr_carry_on(cr_run *run, int64_t first);

/* Every rank's streams to all ranks; and all of rank 0's to the others. */
cr_status cr_carry_gather(cr_run *run);
cr_status cr_carry_broadcast(cr_run *run);

/* To and from `parts`, where part i of the net's state is [batch, count] and begins batch * offset
 * floats in. Not collective. */
void cr_carry_take_apart(float *parts, const cr_run *run);
void cr_carry_put_together(cr_run *run, float *parts);

/* Take this session's counters into run->progress. */
cr_status cr_meter_collect(cr_run *run);
void cr_meter_begin(cr_run *run);
void cr_meter_step(cr_run *run, const cr_result *result, double seconds);

/* Quantile q of the step times so far, ms. Sorts them. */
double cr_meter_quantile(cr_run *run, double q);

/* Milliseconds a step of the session in a phase, without the first step where there are more. */
double cr_meter_phase_ms(const cr_run *run, cr_phase phase);

/* The same of gradients: in flight, and waited for. */
cr_comm_seconds cr_meter_comm_ms(const cr_run *run);

/* Notes of this rank's seconds of work in a step; to rank 0, with the metrics line (collective),
 * which warns, once, where a rank is slow. */
cr_status cr_work_create(cr_work *work, const cr_comm *comm, int64_t every_steps);
void cr_work_free(cr_work *work);
void cr_work_note(cr_work *work, double seconds);
cr_status cr_work_gather(cr_work *work, cr_comm *comm);

/* A progress line, and a metrics line when the interval is over. */
cr_status cr_report_step(cr_run *run);

/* A metrics line with the evaluation just made. */
cr_status cr_report_evaluation(cr_run *run, const cr_result *valid, const cr_result *test);

/* summary.json, and the last words. */
cr_status cr_summary_write(cr_run *run);

/* Drop the metrics lines after `step`, left by a run that was killed. Rank 0, not collective. */
cr_status cr_report_trim(const cr_run *run, int64_t step);

/* How the ranks of `comm` share data sets. */
cr_data_share cr_share_over(cr_comm *comm);

#endif
