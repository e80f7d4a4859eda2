/* tick: one function a thread, called from inside its long computations. */
#include "colrow/base.h"

#define EVERY 2e-4 /* s between two calls */

static _Thread_local struct {
    void (*call)(void *self);
    void *self;
    double last; /* cr_seconds() of the last call */
} tick;

void cr_tick_set(void (*call)(void *self), void *self)
{
    tick.call = call;
    tick.self = self;
}

void cr_tick(void)
{
    if (tick.call == NULL)
        return;
    double now = cr_seconds();
    if (now - tick.last < EVERY)
        return;
    tick.last = now;
    tick.call(tick.self);
}
