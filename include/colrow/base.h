/*
 * base: what every module stands on. Status codes with a trail, logging, arenas, counter-based
 * random numbers, hashing, phase timers, files that are whole or absent, and option tables.
 *
 * Nothing here is collective, and nothing knows of ranks except the log's prefix.
 */
#ifndef COLROW_BASE_H
#define COLROW_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#if defined(__GNUC__)
#define CR_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define CR_WEAK __attribute__((weak)) /* may be absent: its address is then NULL */
#define CR_INLINE static inline __attribute__((always_inline))
/* So many values that one operator works on together. Of more than fill a register (CR_REGISTER
 * floats), compilers make poor code. */
#define CR_VECTOR(type, count) __attribute__((vector_size((count) * sizeof(type)))) type
#if defined(__clang__)
#define CR_UNROLL _Pragma("unroll")
#else
#define CR_UNROLL _Pragma("GCC unroll 16") /* the loop that follows, whole */
#endif
#else
#define CR_PRINTF(text, first)
#define CR_WEAK
#endif

/* Floats of a vector register. */
#if defined(__AVX512F__)
enum { CR_REGISTER = 16 };
#elif defined(__AVX__)
enum { CR_REGISTER = 8 };
#else
enum { CR_REGISTER = 4 };
#endif

/* ---- status ---------------------------------------------------------------------------------
 * The value of a status is the exit code of the program that ends with it. */
typedef enum cr_status {
    CR_OK = 0,
    CR_INTERNAL = 1,     /* our own bug, or memory ran out */
    CR_BAD_CONFIG = 2,   /* usage or configuration */
    CR_BAD_DATA = 3,     /* data or checkpoint cannot be read */
    CR_DIVERGED = 4,     /* numerical failure */
    CR_RANKS = 5,        /* ranks disagree or one was lost */
    CR_CANNOT_WRITE = 6, /* output cannot be written */
    CR_STOPPED = 7       /* stopped by a signal or time limit after saving: resume it */
} cr_status;

/* Record a failure with its message and place; returns `code`. The last failure of a thread is
 * kept. */
cr_status cr_fail(cr_status code, const char *file, int line, const char *format, ...)
    CR_PRINTF(4, 5);

/* Add a place to the trail of the failure on its way up. */
void cr_trail_add(const char *file, int line);

/* The message of the last failure, one line without a newline; "" when there was none. */
const char *cr_error_message(void);

/* The places the last failure passed, "file:line < file:line ...". */
const char *cr_error_trail(void);

/* Put "where: " before the message of the failure on its way up; returns `code`. */
cr_status cr_fail_prefix(cr_status code, const char *format, ...) CR_PRINTF(2, 3);

/* Wrong input, always checked: the message says what was expected and what was found. */
#define CR_CHECK(condition, code, ...)                                                             \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return cr_fail(code, __FILE__, __LINE__, __VA_ARGS__);                                 \
    } while (0)

/* The same in a function that owns something: sets `status` and jumps to `done`. */
#define CR_CHECK_GOTO(condition, code, ...)                                                        \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            status = cr_fail(code, __FILE__, __LINE__, __VA_ARGS__);                               \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* Return the error of `call` after adding this place to its trail. */
#define CR_TRY(call)                                                                               \
    do {                                                                                           \
        cr_status try_status_ = (call);                                                            \
        if (try_status_ != CR_OK) {                                                                \
            cr_trail_add(__FILE__, __LINE__);                                                      \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)

/* The same in a function that owns something: sets `status` and jumps to `done`. */
#define CR_TRY_GOTO(call)                                                                          \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CR_OK) {                                                                     \
            cr_trail_add(__FILE__, __LINE__);                                                      \
            goto done;                                                                             \
        }                                                                                          \
    } while (0)

/* A bug of ours; compiled in with COLROW_ASSERTIONS only, prints the rank and aborts. */
#if defined(COLROW_ASSERTIONS)
#define CR_ASSERT(condition)                                                                       \
    ((condition) ? (void)0 : cr_assert_failed(#condition, __FILE__, __LINE__))
#else
#define CR_ASSERT(condition) ((void)0)
#endif
void cr_assert_failed(const char *condition, const char *file, int line);

/* ---- log ------------------------------------------------------------------------------------
 * The only place that prints. info and progress speak on rank 0 alone; warn and error on every
 * rank, with "rank R: " before the text when there is more than one rank. All go to stderr; where
 * nobody reads that for a while lines are left out rather than waited with, and counted. */
typedef enum cr_log_level { CR_LOG_ERROR, CR_LOG_WARN, CR_LOG_INFO, CR_LOG_DEBUG } cr_log_level;

/* Set what is printed and who speaks; before it is called: info, rank 0 of 1. */
void cr_log_setup(cr_log_level level, int rank, int size);
void cr_log_error(const char *format, ...) CR_PRINTF(1, 2);
void cr_log_warn(const char *format, ...) CR_PRINTF(1, 2);
void cr_log_info(const char *format, ...) CR_PRINTF(1, 2);
void cr_log_debug(const char *format, ...) CR_PRINTF(1, 2);

/* A line that the next one overwrites on a terminal; a plain line elsewhere. Rank 0 only. */
void cr_log_progress(const char *format, ...) CR_PRINTF(1, 2);

/* Is stderr a terminal? */
bool cr_log_is_terminal(void);

/* A program's result, to stdout; rank 0 only. */
void cr_print(const char *format, ...) CR_PRINTF(1, 2);

/* ---- memory --------------------------------------------------------------------------------- */
#define CR_ALIGNMENT 64 /* B: a cache line, an AVX-512 register */

/* Zeroed memory on a 64-byte boundary; the caller frees it with cr_free. Fails when memory runs
 * out. */
cr_status cr_alloc(void **out, size_t bytes);

/* Free and set to NULL; accepts a pointer to NULL. Call as cr_free((void **)&p) or CR_FREE(p). */
void cr_free(void **pointer);
#define CR_FREE(p)                                                                                 \
    do {                                                                                           \
        void *free_ = (void *)(p);                                                                 \
        cr_free(&free_);                                                                           \
        (p) = NULL;                                                                                \
    } while (0)

/* Room for one more element of `bytes` in an array of `count` that begins as NULL and grows by this
 * alone; what is there moves. The caller frees with CR_FREE. */
cr_status cr_reserve(void **array, int count, size_t bytes);

/* One block of memory that is given out piece by piece and freed as a whole. An arena without a
 * base only measures: lay a structure out once with it, create one of that size, lay out again. */
typedef struct cr_arena {
    unsigned char *base; /* owned; NULL while measuring */
    size_t size;         /* B */
    size_t used;         /* B */
} cr_arena;

/* Allocate a zeroed arena of `bytes`. */
cr_status cr_arena_create(cr_arena *arena, size_t bytes);
void cr_arena_free(cr_arena *arena);

/* The next `count` elements of `bytes` each on a 64-byte boundary; NULL while measuring. Running
 * over the measured size is a bug (CR_ASSERT) and gives NULL. */
void *cr_arena_take(cr_arena *arena, int64_t count, size_t bytes);

/* value as int, or CR_INTERNAL naming `what` when it does not fit. */
cr_status cr_to_int(int *out, int64_t value, const char *what);

/* a * b, or CR_INTERNAL naming `what` on overflow. */
cr_status cr_size_multiply(size_t *out, size_t a, size_t b, const char *what);

/* Largest resident size of this process so far, in bytes. */
int64_t cr_memory_peak(void);

/* ---- random numbers -------------------------------------------------------------------------
 * Philox4x32-10 (Salmon et al. 2011, Random123): the numbers are a function of the key, so nothing
 * depends on ranks, threads or the order of calls. */
typedef enum cr_stream {
    CR_STREAM_INITIALIZE = 1,
    CR_STREAM_SHUFFLE,
    CR_STREAM_DROPOUT,
    CR_STREAM_SAMPLE,
    CR_STREAM_SYNTHETIC,
    CR_STREAM_TEST,
    CR_STREAM_AUGMENT,
    CR_STREAM_STUDY,
    CR_STREAM_EXAMPLES, /* draws of samples and of outputs ... */
    CR_STREAM_OUTPUTS   /* ... for the backward products */
} cr_stream;

typedef struct cr_random_key {
    uint64_t seed;
    cr_stream stream; /* what the numbers are for */
    uint32_t layer;   /* below 2^24 */
    uint32_t step;    /* step or epoch */
    uint32_t sample;  /* position in the batch or set */
} cr_random_key;

/* Block number `index` (below 2^32) of a key's numbers: 4 x 32 random bits. */
void cr_random_block(uint32_t out[4], const cr_random_key *key, uint32_t index);

/* out [4 count]: `count` blocks from number `first` on. */
void cr_random_blocks(uint32_t *out, const cr_random_key *key, uint32_t first, int count);

/* 32 bits to [0, 1): the upper 24 bits. */
float cr_random_unit(uint32_t bits);

/* A key's numbers one after another. */
typedef struct cr_random {
    cr_random_key key;
    uint32_t index; /* of the next block */
    uint32_t block[4];
    int left; /* numbers of `block` not yet given */
} cr_random;

cr_random cr_random_start(cr_random_key key);
uint32_t cr_random_bits(cr_random *random);

/* Uniform in the open interval (0, 1), 52 bits. */
double cr_random_uniform(cr_random *random);

/* Standard normal, by Box and Muller. */
double cr_random_normal(cr_random *random);

/* Uniform integer in [0, n), n >= 1, without bias (Lemire 2019). */
uint32_t cr_random_below(cr_random *random, uint32_t n);

/* ---- hash -----------------------------------------------------------------------------------
 * xxh64 of `bytes` bytes; chain several pieces by passing the last hash as the seed. */
uint64_t cr_hash(const void *data, size_t bytes, uint64_t seed);

/* Have the cache fetch what lies at an address, which may be any; changes no result. */
#define CR_PREFETCH(address) __builtin_prefetch(address)

/* ---- time -----------------------------------------------------------------------------------
 * Seconds by phase. Phases nest: time is charged to the innermost, so the phases of a step add up
 * to the step. */
typedef enum cr_phase {
    CR_PHASE_OTHER,
    CR_PHASE_LOAD,
    CR_PHASE_FORWARD,          /* channelwise layers, mappings, residual sums */
    CR_PHASE_CONTRACT_FORWARD, /* products of contractions */
    CR_PHASE_SAMPLE,           /* norms, scores, draw, gather of weights */
    CR_PHASE_PREPARE,          /* weights into the form that the engine multiplies */
    CR_PHASE_AGREE,            /* waiting for the pick of another rank */
    CR_PHASE_LOSS,
    CR_PHASE_BACKWARD, /* as CR_PHASE_FORWARD ... */
    CR_PHASE_CONTRACT_BACKWARD,
    CR_PHASE_WAIT, /* for gradients in flight */
    CR_PHASE_UPDATE,
    CR_PHASE_EVALUATE,
    CR_PHASE_CHECKPOINT,
    CR_PHASES
} cr_phase;

/* Seconds since some fixed instant, monotonic. */
double cr_seconds(void);

/* Charge time to `phase` from now on; returns the phase to give back to cr_phase_leave. */
cr_phase cr_phase_enter(cr_phase phase);
void cr_phase_leave(cr_phase previous);
cr_phase cr_phase_now(void);

/* Seconds charged to a phase since the start of the program. */
double cr_phase_seconds(cr_phase phase);
const char *cr_phase_name(cr_phase phase);

/* ---- tick -----------------------------------------------------------------------------------
 * What has to be looked after while a long computation goes on, as messages in flight, without the
 * computation knowing of it. */

/* Have `call` called from inside the computations of this thread, and not more often than every 0.2
 * ms; NULL: nothing from now on. */
void cr_tick_set(void (*call)(void *self), void *self);

/* For computations, between pieces of a fraction of a millisecond, so many multiply-accumulates or
 * floats each; any thread may call it. The clock is looked at once a million. */
void cr_tick(int64_t work);

/* ---- files ----------------------------------------------------------------------------------
 * A file is whole or absent: write a temporary beside it, sync, rename, sync the folder. */
#define CR_PATH_MAX 4096

/* Name of the temporary for `path`, in the same folder: ".NAME.tmp-HOST-PID". */
cr_status cr_file_temporary(char out[CR_PATH_MAX], const char *path);

/* Sync `temporary`, rename it to `path`, sync the folder. On failure the temporary is removed. */
cr_status cr_file_commit(const char *temporary, const char *path);

/* Write `bytes` bytes as `path`, whole or not at all. CR_CANNOT_WRITE. */
cr_status cr_file_write(const char *path, const void *data, size_t bytes);

/* Write what `print` writes about `what` as `path`, whole or not at all; `print` need not look at
 * what the stream's functions return. CR_CANNOT_WRITE. */
cr_status cr_file_print(const char *path, void (*print)(FILE *file, const void *what),
                        const void *what);

/* Read a whole file into *out (bytes + a final 0), which the caller frees. CR_BAD_DATA. */
cr_status cr_file_read(char **out, size_t *bytes, const char *path);

/* Remove the temporaries that killed processes left in `folder`, of any host; returns how many. For
 * whoever holds the folder for itself: nobody else may be writing there. */
int cr_file_sweep(const char *folder);

/* Make `folder` and those above it. CR_CANNOT_WRITE when that fails. */
cr_status cr_folder_make(const char *folder);

/* "folder/name" into out; CR_BAD_CONFIG when too long. */
cr_status cr_path_join(char out[CR_PATH_MAX], const char *folder, const char *name);

/* Let gnuplot make folder/NAME.svg of folder/NAME.gp, whole or not at all; the script writes to the
 * file named by its variable `out`. Where there is no gnuplot a hint is logged, once, and that is
 * no failure. */
cr_status cr_gnuplot(const char *folder, const char *name);

/* ---- options --------------------------------------------------------------------------------
 * A module describes its options struct by a table of rows; config fills the struct from YAML, so
 * the module knows nothing of files. A table ends with a row without a name. */
#define CR_WORD_MAX 64
#define CR_LIST_MAX 64
typedef char cr_word[CR_WORD_MAX];

typedef struct cr_ints {
    int count;
    int value[CR_LIST_MAX];
} cr_ints;

typedef struct cr_words {
    int count;
    cr_word value[CR_LIST_MAX];
} cr_words;

/* name (a glob pattern) -> ratio */
typedef struct cr_ratios {
    int count;
    cr_word name[CR_LIST_MAX];
    double value[CR_LIST_MAX];
} cr_ratios;

/* An element of a list of things of several kinds, each kind with options of its own. */
#define CR_ITEMS_MAX 256
#define CR_ITEM_BYTES 96
typedef struct cr_item {
    const char *kind; /* as its cr_item_kind says */
    const char *list; /* name of the option whose list it stands in */
    cr_word name;     /* "": none was given */
    int depth;        /* 0; of the elements of an element's own list: one more than it has */
    int line;         /* of the text it comes from; 0: unknown */
    _Alignas(16) unsigned char values[CR_ITEM_BYTES]; /* the struct of its kind's options */
} cr_item;

/* One after another; those of an element's own lists follow it. */
typedef struct cr_items {
    char from[CR_PATH_MAX]; /* the file of their lines, or the override "-s KEY=VALUE" */
    int count;
    cr_item at[CR_ITEMS_MAX];
} cr_items;

typedef enum cr_option_kind {
    CR_OPTION_INT,    /* int */
    CR_OPTION_COUNT,  /* int64_t */
    CR_OPTION_REAL,   /* double */
    CR_OPTION_BOOL,   /* bool; words() may give false and true other names */
    CR_OPTION_WORD,   /* cr_word; one of words() where that is given */
    CR_OPTION_PATH,   /* char[CR_PATH_MAX] */
    CR_OPTION_INTS,   /* cr_ints */
    CR_OPTION_WORDS,  /* cr_words */
    CR_OPTION_RATIOS, /* cr_ratios */
    CR_OPTION_NAMED, /* cr_words, then a struct of `fields` for each; a key that is not given leaves
                        zeros. The first field may stand alone, without its key */
    CR_OPTION_ITEMS  /* cr_items of kinds(); without a field in the options of such a kind, for the
                        list is kept with the elements around it */
} cr_option_kind;

typedef struct cr_item_kind {
    const char *name;                /* the word in YAML */
    const struct cr_option *options; /* of its elements; NULL: none */
} cr_item_kind;

typedef struct cr_option {
    const char *name;     /* key in YAML; NULL ends a table */
    cr_option_kind kind;  /* type of the field */
    size_t offset;        /* of the field in the struct */
    const char *fallback; /* default, as YAML text; NULL: the key is required */
    double low, high;     /* range of numbers (and list elements), both inclusive ... */
    bool above;           /* ... but low itself is refused */
    const char *const *(*words)(void); /* allowed words, ended by NULL; NULL: any */
    cr_item_kind (*kinds)(int i);      /* of items: kind number i; no name: beyond the last */
    const struct cr_option *fields;    /* of what is named; their defaults do not count ... */
    size_t bytes, first; /* ... in structs so large, the first so far behind the words */
    const char *help;    /* one line, with the unit */
} cr_option;

#endif
