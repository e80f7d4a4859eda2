/*
 * options: how ranks work together, and which ways go with which: with those of sampling, with so
 * many micro-batches on so many ranks.
 */
#include "options.h"

#include "bucket.h"
#include "modes.h"

const cr_option cr_dist_option_table[] = {
    {.name = "agreement",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_dist_options, agreement),
     .fallback = "root",
     .words = cr_dist_mode_names,
     .help = "who decides on the channels kept"},
    {.name = "deterministic",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_dist_options, deterministic),
     .fallback = "false",
     .help = "the same bits for every number of ranks (needs micro_batch)"},
    {.name = "bucket_bytes",
     .kind = CR_OPTION_COUNT,
     .offset = offsetof(cr_dist_options, bucket_bytes),
     .fallback = "1048576",
     .low = 1024,
     .high = 1 << 30,
     .help = "gradients go into flight in pieces of so many bytes at least, the last ones smaller"},
    {.name = "overlap",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_dist_options, overlap),
     .fallback = "true",
     .help = "gradients go into flight while the backward pass goes on; false: after it"},
    {.name = "wire",
     .kind = CR_OPTION_WORD,
     .offset = offsetof(cr_dist_options, wire),
     .fallback = "f32",
     .words = cr_wire_names,
     .help = "gradients on their way: f32, or bf16 with half the bytes, sums in f32"},
    {.name = NULL},
};

const cr_option cr_batch_norm_option_table[] = {
    {.name = "sync",
     .kind = CR_OPTION_BOOL,
     .offset = offsetof(cr_batch_norm_options, sync),
     .fallback = "false",
     .help =
         "statistics are those of the whole batch, over all ranks (needs one micro-batch a rank); "
         "false: of each micro-batch"},
    {.name = NULL},
};

cr_status cr_dist_check(const cr_dist_options *options, const cr_sample_options *sampling)
{
    const cr_dist_mode *mode = cr_dist_mode_find(options->agreement);
    const cr_score *from_inputs = cr_sample_from_inputs(sampling);
    CR_CHECK(
        mode == NULL || !mode->blind || from_inputs == NULL, CR_BAD_CONFIG,
        "agreement: %s: expected sampling.scores weight_norm or uniform, which every rank knows "
        "without a message; found %s",
        options->agreement, from_inputs->name);
    CR_CHECK(!options->batch_norm.sync || mode == NULL || mode->equal, CR_BAD_CONFIG,
             "network.batch_norm.sync: expected an agreement in which all ranks keep the same "
             "channels, found %s",
             options->agreement);
    CR_CHECK(mode == NULL || mode->remembers || !sampling->lookahead, CR_BAD_CONFIG,
             "sampling.lookahead: expected agreement: stale, which knows all picks before a step "
             "begins; found %s",
             options->agreement);
    CR_CHECK(!options->deterministic || !cr_wire_find(options->wire)->rounds, CR_BAD_CONFIG,
             "wire: %s rounds the sums of ranks; deterministic runs expect f32", options->wire);
    return CR_OK;
}

cr_status cr_dist_check_share(const cr_dist_options *options, const cr_dist_mode *mode,
                              int micro_batches, int ranks)
{
    CR_CHECK(ranks <= micro_batches, CR_BAD_CONFIG,
             "micro_batch: expected at least as many micro-batches a step as there are ranks (%d), "
             "found %d",
             ranks, micro_batches);
    CR_CHECK(!options->deterministic || mode->equal, CR_BAD_CONFIG,
             "deterministic: agreement %s lets each rank keep other channels; expected one that "
             "does not depend on the ranks",
             mode->name);
    CR_CHECK(!options->deterministic || !mode->shared || micro_batches == ranks, CR_BAD_CONFIG,
             "deterministic: agreement %s scores the first micro-batch of each rank; expected one "
             "a rank (%d), found %d: set micro_batch to batch / ranks",
             mode->name, ranks, micro_batches);
    return CR_OK;
}
