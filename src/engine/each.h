/*
 * each: the steps of a loop, shared out among threads; inside a parallel region, by the calling
 * thread as they come: a team of one, which OpenMP would make for that, costs an allocation and
 * system calls. Private to the engine.
 */
#ifndef COLROW_ENGINE_EACH_H
#define COLROW_ENGINE_EACH_H

typedef void cr_step(void *self, int i);

/* step(self, i) for 0 <= i < count, each once, in any order and by any thread */
void cr_each(int count, cr_step *step, void *self);

#endif
