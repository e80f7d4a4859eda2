/* memory: aligned blocks, arenas, checked sizes. */
#include "colrow/base.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { HUGE_PAGE = 2 << 20, HUGE_BLOCK = 2 * HUGE_PAGE }; /* B */

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

cr_status cr_alloc(void **out, size_t bytes)
{
    CR_CHECK(bytes <= SIZE_MAX - HUGE_PAGE, CR_INTERNAL, "%zu bytes of memory: too many", bytes);
    bool is_large = bytes >= HUGE_BLOCK;
    size_t alignment = is_large ? HUGE_PAGE : CR_ALIGNMENT;
    size_t size = round_up(bytes > 0 ? bytes : 1, alignment);
    void *memory = aligned_alloc(alignment, size);
    CR_CHECK(memory != NULL, CR_INTERNAL, "out of memory: %zu bytes more were not to be had", size);
    if (is_large) /* passes over tensors run better on huge pages; refused, all works the same */
        (void)madvise(memory, size, MADV_HUGEPAGE);
    memset(memory, 0, size); /* also touches the pages, so that no step has to */
    *out = memory;
    return CR_OK;
}

void cr_free(void **pointer)
{
    free(*pointer);
    *pointer = NULL;
}

cr_status cr_arena_create(cr_arena *arena, size_t bytes)
{
    void *base = NULL;
    CR_TRY(cr_alloc(&base, bytes));
    *arena = (cr_arena){.base = base, .size = bytes, .used = 0};
    return CR_OK;
}

void cr_arena_free(cr_arena *arena)
{
    CR_FREE(arena->base);
    *arena = (cr_arena){0};
}

void *cr_arena_take(cr_arena *arena, int64_t count, size_t bytes)
{
    size_t start = arena->used;
    arena->used += round_up((size_t)count * bytes, CR_ALIGNMENT);
    if (arena->base == NULL)
        return NULL;
    CR_ASSERT(arena->used <= arena->size);
    return arena->used <= arena->size ? arena->base + start : NULL;
}

cr_status cr_to_int(int *out, int64_t value, const char *what)
{
    CR_CHECK(value >= INT_MIN && value <= INT_MAX, CR_INTERNAL, "%s: %lld does not fit 32 bits",
             what, (long long)value);
    *out = (int)value;
    return CR_OK;
}

cr_status cr_size_multiply(size_t *out, size_t a, size_t b, const char *what)
{
    CR_CHECK(a == 0 || b <= SIZE_MAX / a, CR_INTERNAL, "%s: %zu times %zu bytes is too large", what,
             a, b);
    *out = a * b;
    return CR_OK;
}

int64_t cr_memory_peak(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (int64_t)usage.ru_maxrss * 1024; /* kB on Linux */
}
