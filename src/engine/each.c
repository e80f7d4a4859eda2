/* each: see each.h. */
#include "each.h"

#include <omp.h>

void cr_each(int count, cr_step *step, void *self)
{
    if (omp_in_parallel() || omp_get_max_threads() == 1) {
        for (int i = 0; i < count; i++)
            step(self, i);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < count; i++)
        step(self, i);
}
