/*
 * data: sets of samples with labels, the order in which an epoch visits them, and micro-batches as
 * floats. Samples are images with a label each, or windows of a text, in which every word is the
 * label of the one before it. Knows no ranks; the ranks of a node share one copy through a
 * cr_data_share.
 */
#ifndef COLROW_DATA_H
#define COLROW_DATA_H

#include "colrow/base.h"

/* A text, cut into streams of equal length that are read side by side, window after window of h
 * words (src/data/stream.c): sample i is window i / streams of stream i % streams. */
typedef struct cr_data_text {
    const uint32_t *tokens; /* [count] numbers of its words, each below `classes`; NULL: no text */
    int64_t count;
    int streams;
    int64_t length; /* of a stream, in words that have one after them */
    uint64_t hash;  /* of all its words, as they are spelled */
} cr_data_text;

/* How the samples of one set (train or test) look. */
typedef struct cr_data_part {
    int64_t count; /* samples */
    int h, w, c;   /* shape of a sample, NHWC; of a text: words, 1, 1 */
    int classes;   /* of a text: words of its vocabulary, at least */
    /* Images: bytes, of which a net sees value / 255; else NULL. Owned by the cr_data. */
    const uint8_t *values; /* [count, h, w, c] */
    const uint8_t *labels; /* [count], each below `classes` */
    cr_data_text text;     /* its tokens likewise owned by the cr_data */
} cr_data_part;

/* How the ranks of a node hold one copy. With `share` NULL the process keeps its own. */
typedef struct cr_data_share {
    void *self;
    bool leader; /* this process reads, the others look on; one a node */
    /* memory that every process of the node sees, for all of them or for none, until it is
     * released (a pointer to NULL is nothing to release); both collective over the node */
    cr_status (*allocate)(void *self, void **out, size_t bytes);
    void (*release)(void *self, void **block);
    /* CR_OK on all, or a failure on all when one has failed; on return every process sees what the
     * leader of its node wrote to shared memory. Collective over all ranks */
    cr_status (*agree)(void *self, cr_status local);
    /* hand the leader's bytes of private memory to the others; collective over the node */
    cr_status (*broadcast)(void *self, void *data, size_t bytes);
} cr_data_share;

/* How images are changed on their way to the net (src/data/augment.c). */
typedef struct cr_augment_options {
    int pad;     /* pixels of zeros around the image, which is then cut out at random; training */
    bool flip;   /* left to right, with probability 1/2; training */
    bool whiten; /* each image to mean 0 and deviation 1; training and evaluation */
} cr_augment_options;

extern const cr_option cr_augment_option_table[];

#define CR_DATA_PARAMETERS 64 /* B, for the options of one kind */

typedef struct cr_data_options {
    cr_word kind;           /* file name in sets/ */
    char path[CR_PATH_MAX]; /* folder with the files under their original names; "" where none is
                               needed */
    int validation;         /* samples held out of the training set: its first ones */
    bool shuffle;           /* a new order every epoch; texts have none */
    cr_augment_options augment;
    _Alignas(16) unsigned char parameters[CR_DATA_PARAMETERS]; /* the kind's own options */
} cr_data_options;

extern const cr_option cr_data_option_table[];

#define CR_DATA_BLOCKS 6

typedef struct cr_data {
    cr_data_part train; /* without the samples held out */
    cr_data_part valid; /* what is held out, count 0 for nothing; or a part of its own */
    cr_data_part test;
    void *blocks[CR_DATA_BLOCKS]; /* memory of the parts' values, labels and tokens; owned ... */
    void (*release)(void *self, void **block); /* ... and given back by this function ... */
    void *self;                                /* ... of the share, with its self */
} cr_data;

/* One kind of data. */
typedef struct cr_data_set {
    const char *name;         /* = file name = config word */
    const cr_option *options; /* beyond those of cr_data_options; NULL: none */
    bool needs_path;
    bool text; /* its parts are texts, and one of them is for validation */
    /* Fill `train` and `test`, and `valid` of a text. On entry they hold the shape and classes the
     * network wants, or 0, and the streams of a text; a kind with files overwrites shapes with its
     * own, a synthetic one takes them. Collective over the ranks of `share`. */
    cr_status (*open)(cr_data *data, const cr_data_options *options, const cr_data_share *share);
} cr_data_set;

/* All kinds, ended by NULL; made by CMake from the files of sets/. */
extern const cr_data_set *const cr_data_sets[];
const cr_data_set *cr_data_set_find(const char *name);
const char *const *cr_data_set_names(void);

/* A kind's own options; NULL when it has none or there is no such kind. */
const cr_option *cr_data_set_options(const char *name);

/* What a kind needs to know of the network, for those that take their shapes from it. */
typedef struct cr_data_wanted {
    int h, w, c, classes; /* 0: whatever the data has */
    int streams;          /* that a training text is cut into: the samples of a step ... */
    int evaluation;       /* ... and those of a text for validation or test */
} cr_data_wanted;

/* Read a data set and split off the validation samples. The caller frees. Collective over the ranks
 * of `share`: either all get the data or all fail, the failing one with the reason. CR_BAD_DATA
 * with the file for what cannot be read, is truncated, or has labels out of range; CR_BAD_CONFIG
 * for a validation that leaves no training sample, a padding as large as an image, or a text that
 * is shorter than its streams or has more words than the network's classes. wanted NULL: whatever
 * the data has. Shapes of images with files are not compared with `wanted`. */
cr_status cr_data_open(cr_data *data, const cr_data_options *options, const cr_data_wanted *wanted,
                       const cr_data_share *share);

/* Give the memory back. Collective over the node of a share. */
void cr_data_free(cr_data *data);

/* order [count]: the samples of `count` in the order of an epoch: a permutation keyed by (seed,
 * epoch), or 0, 1, 2 ... without shuffle. The same on every rank. */
void cr_data_order(uint32_t *order, int64_t count, bool shuffle, uint64_t seed, uint32_t epoch);

/* What is fetched, and how it is to look. Borrows all it points to. */
typedef struct cr_data_view {
    const cr_data_part *part;
    const uint32_t *order;             /* [part->count]; NULL: as they lie */
    const cr_augment_options *augment; /* NULL: values as they are, in [0, 1] */
    bool training; /* cut and flip, keyed by (seed, epoch, sample of the part) */
    uint64_t seed;
    uint32_t epoch;
} cr_data_view;

/* x [rows, h*w*c] and labels [rows] of the samples order[first] ... order[first+rows-1] of a view,
 * or first ... first+rows-1 of one without order. All of them must exist: a caller's partial batch
 * asks for fewer rows. Of a text: x and labels [rows, steps], numbers of words and of those after
 * them, with the steps that all these samples have (cr_data_steps). */
void cr_data_fetch(float *x, int *labels, const cr_data_view *view, int64_t first, int rows);

/* Words of a sample of a text: h, or fewer in the last windows. 1 where samples are images. */
int cr_data_steps(const cr_data_part *part, int64_t sample);

/* Samples of a part that lie side by side: the streams of a text, and all images. The samples of a
 * stream follow one another, `cr_data_side` apart. */
int64_t cr_data_side(const cr_data_part *part);

/* ---- IDX files (Y. LeCun's format), plain or gzip ------------------------------------------- */
typedef struct cr_idx_header {
    int dimensions;  /* 1 to 3 */
    int64_t size[3]; /* 1 beyond `dimensions` */
} cr_idx_header;

/* Read the header of `path` (or of `path`.gz where only that exists). Bytes only (type 0x08). The
 * header is checked against the size of the file, exactly for a plain one; CR_BAD_DATA. */
cr_status cr_idx_header_read(cr_idx_header *header, const char *path);

/* Read exactly the values that `header` says into out [size[0] * size[1] * size[2]]; more or fewer
 * in the file, or a wrong gzip checksum, is CR_BAD_DATA. */
cr_status cr_idx_values_read(uint8_t *out, const cr_idx_header *header, const char *path);

/* Fill train and test of `data` from the four IDX files in `folder` (MNIST's names); labels must be
 * below `classes`. The common work of idx-like kinds. Collective over the ranks of `share`. */
cr_status cr_idx_open(cr_data *data, const char *folder, int classes, const cr_data_share *share);

#endif
