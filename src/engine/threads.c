/*
 * threads: how many OpenMP threads the parallel loops of this process use. BLAS itself stays at one
 * thread: a BLAS that threads by itself inside our regions would oversubscribe, and would cut its
 * products in ways that depend on the count.
 */
#include "colrow/engine.h"

#include <omp.h>

/* OpenBLAS's own switch; absent in other BLAS libraries, which are told by their environment. */
CR_WEAK void openblas_set_num_threads(int threads);

void cr_engine_set_threads(int threads)
{
    omp_set_dynamic(0);
    if (openblas_set_num_threads != NULL)
        openblas_set_num_threads(1); /* first: an OpenBLAS on OpenMP sets OpenMP's count as well */
    omp_set_num_threads(threads);
}

int cr_engine_threads(void)
{
    return omp_get_max_threads();
}
