/*
 * share: batch norm over more than a micro-batch. Micro-batches that are under way together, one a
 * rank, add up what their statistics are made from, forward (x, x^2) and backward (dy, dy x), so
 * that each of them normalises by those of all.
 */
#include "chain.h"

#include <string.h>

void cr_net_share(cr_net *net, const cr_sharing *sharing)
{
    net->sharing = sharing;
}

cr_status cr_chain_share(cr_net *net, double *first, double *second, int n, int64_t *rows)
{
    size_t bytes = (size_t)n * sizeof *first;
    double *message = net->partial; /* [2 n + 1]: its tiles have been added up */
    double *count = message + 2 * (int64_t)n;
    if (net->sharing == NULL || !net->pass.training)
        return CR_OK;
    memmove(message, first, bytes); /* it may be there already */
    memmove(message + n, second, bytes);
    *count = (double)*rows;
    CR_TRY(net->sharing->sum(net->sharing->self, message, 2 * n + 1));
    memmove(first, message, bytes);
    memmove(second, message + n, bytes);
    *rows = (int64_t)*count; /* exact below 2^53 */
    return CR_OK;
}
