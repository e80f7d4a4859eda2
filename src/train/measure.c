/* measure: what an evaluation is judged by, whatever the network. */
#include "colrow/train.h"

#include <math.h>

static double accuracy_of(double loss, double accuracy)
{
    (void)loss;
    return accuracy;
}

/* exp of the mean cross-entropy: as many equally likely words would be as hard to guess */
static double perplexity_of(double loss, double accuracy)
{
    (void)accuracy;
    return exp(loss);
}

static const cr_measure accuracy = {
    .name = "accuracy", .labels = "samples", .digits = 4, .of = accuracy_of};

static const cr_measure perplexity = {.name = "perplexity",
                                      .labels = "words",
                                      .digits = 2,
                                      .less = true,
                                      .of_loss = true,
                                      .of = perplexity_of};

const cr_measure *cr_measure_for(const char *kind)
{
    const cr_data_set *set = cr_data_set_find(kind);
    return set != NULL && set->text ? &perplexity : &accuracy;
}

double cr_measure_of(const cr_measure *measure, const cr_result *result)
{
    if (result->samples == 0)
        return NAN;
    double samples = (double)result->samples;
    return measure->of(result->loss / samples, (double)result->correct / samples);
}
