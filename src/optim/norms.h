/* norms.h: what the passes over the chunks share, and those that take norms. */
#ifndef OPTIM_NORMS_H
#define OPTIM_NORMS_H

#include "colrow/optim.h"

/* Is it worth several threads? */
bool cr_chunks_share(const cr_optim *optim);

/* The gradient [count] of a chunk, by the hook. */
const float *cr_chunk_gradient(const cr_optim *optim, const cr_optim_hooks *hooks,
                               const cr_optim_chunk *chunk);

/* What a rule sees of a chunk but for its gradient and norms; `whole` has what is the same for all,
 * its w all parameters. */
cr_optim_slice cr_chunk_slice(const cr_optim *optim, const cr_optim_slice *whole,
                              const cr_optim_chunk *chunk);

/* Of all gradients together, before clipping. */
double cr_norm_of_gradient(const cr_optim *optim, const cr_optim_hooks *hooks);

/* optim->norms of every span as the rule measures them; CR_DIVERGED when one is not finite. */
cr_status cr_norms_measure(cr_optim *optim, const cr_optim_slice *whole,
                           const cr_optim_hooks *hooks);

#endif
