/* tick: one function a thread, called from inside its long computations. */
#include "colrow/base.h"

#define EVERY 2e-4 /* s between two calls */

enum { ENOUGH = 1 << 20 }; /* work worth a look at the clock */

static _Thread_local struct {
    void (*call)(void *self);
    void *self;
    double last;  /* cr_seconds() of the last call */
    int64_t work; /* since the last look at the clock */
} tick;

void cr_tick_set(void (*call)(void *self), void *self)
{
    tick.call = call;
    tick.self = self;
}

void cr_tick(int64_t work)
{
    tick.work += work;
    if (tick.call == NULL || tick.work < ENOUGH)
        return;
    tick.work = 0;
    double now = cr_seconds();
    if (now - tick.last < EVERY)
        return;
    tick.last = now;
    tick.call(tick.self);
}
