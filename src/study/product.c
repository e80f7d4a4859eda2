/*
 * product: a convolution or matrix product by channels, so that the error of any pick costs n^2.
 *
 * The estimate by a pick is sum e_i Y_i, e_i its scale or 0. With d = 1 - e and G_ij = <Y_i, Y_j>
 *
 *     |Y - sum e_i Y_i|_F^2 = d^T G d
 *
 * Y_i = P_i W_i, where P_i [positions, taps] is channel i's part of the unfolded input P, and
 * W_i [taps, OUT] that of the kernel. So G comes from two plain products, whatever the sizes:
 *
 *     G_ij = tr(W_i^T P_i^T P_j W_j) = sum over taps t, u of (P^T P)_ti,uj (W W^T)_ti,uj
 *
 * Of eq. (14) in Adelman & Silberstein 2018, supplement, the sum F_i of those terms with t = u and
 * j = i is |X_i|^2 |W_i|^2 - E_i, and G_ii is |X_i|^2 |W_i|^2 - E_i + R_i.
 */
#include "colrow/study.h"

#include <math.h>
#include <string.h>

enum { ROWS_LEAST = 512, COLUMNS_MOST = 16384 }; /* of the unfolded input at a time */

static int columns_of(const cr_product *p)
{
    return p->taps * p->n;
}

static void lay_out(cr_product *p, cr_arena *arena)
{
    int64_t columns = columns_of(p);
    int64_t rows = (int64_t)p->chunk * p->sizes.oh * p->sizes.ow;
    p->gram = cr_arena_take(arena, (int64_t)p->n * p->n, sizeof *p->gram);
    p->inputs = cr_arena_take(arena, p->n, sizeof *p->inputs);
    p->weights = cr_arena_take(arena, p->n, sizeof *p->weights);
    p->patches = cr_arena_take(arena, rows * columns, sizeof *p->patches);
    p->inner = cr_arena_take(arena, columns * columns, sizeof *p->inner);
    p->outer = cr_arena_take(arena, columns * columns, sizeof *p->outer);
}

cr_status cr_product_create(cr_product **out, const cr_conv_sizes *sizes, const cr_engine *engine)
{
    cr_status status = CR_OK;
    cr_product *p = NULL;
    cr_arena measured = {0};
    int64_t columns = (int64_t)sizes->kernel * sizes->kernel * sizes->in;
    int positions = sizes->oh * sizes->ow;
    int images = (ROWS_LEAST + positions - 1) / positions;
    CR_CHECK(columns <= COLUMNS_MOST, CR_BAD_CONFIG,
             "expected at most %d taps x channels, found %d x %d x %d", COLUMNS_MOST, sizes->kernel,
             sizes->kernel, sizes->in);
    CR_TRY_GOTO(cr_alloc((void **)&p, sizeof *p));
    p->n = sizes->in;
    p->sizes = *sizes;
    p->engine = cr_engine_find(engine->name);
    p->taps = sizes->kernel * sizes->kernel;
    p->chunk = images < sizes->n ? images : sizes->n;
    lay_out(p, &measured);
    CR_TRY_GOTO(cr_arena_create(&p->arena, measured.used));
    lay_out(p, &p->arena);
    *out = p;
    p = NULL;
done:
    cr_product_free(&p);
    return status;
}

void cr_product_free(cr_product **product)
{
    if (*product == NULL)
        return;
    cr_arena_free(&(*product)->arena);
    CR_FREE(*product);
}

/* One row of patches [taps, n]: what the output position (oh, ow) sees of image x [H, W, n]. */
static void unfold_position(float *row, const float *x, const cr_product *p, int oh, int ow)
{
    const cr_conv_sizes *s = &p->sizes;
    size_t bytes = (size_t)p->n * sizeof *row;
    for (int tap = 0; tap < p->taps; tap++) {
        int h = oh * s->stride + tap / s->kernel - s->pad_top;
        int w = ow * s->stride + tap % s->kernel - s->pad_left;
        bool inside = h >= 0 && h < s->h && w >= 0 && w < s->w;
        if (inside)
            memcpy(row + (int64_t)tap * p->n, x + ((int64_t)h * s->w + w) * p->n, bytes);
        else
            memset(row + (int64_t)tap * p->n, 0, bytes);
    }
}

/* patches of `images` images of x */
static void unfold(cr_product *p, const float *x, int images)
{
    const cr_conv_sizes *s = &p->sizes;
    int positions = s->oh * s->ow;
    for (int row = 0; row < images * positions; row++) {
        const float *image = x + (int64_t)(row / positions) * s->h * s->w * p->n;
        unfold_position(p->patches + (int64_t)row * columns_of(p), image, p,
                        row % positions / s->ow, row % s->ow);
    }
}

static void multiply(cr_product *p, const float *x, const float *w)
{
    const cr_conv_sizes *s = &p->sizes;
    int columns = columns_of(p);
    cr_dense_sizes sizes = {.in = columns, .out = columns};
    sizes.ldx = sizes.ldw = sizes.ldy = columns;
    for (int first = 0; first < s->n; first += p->chunk) {
        int images = s->n - first < p->chunk ? s->n - first : p->chunk;
        unfold(p, x + (int64_t)first * s->h * s->w * p->n, images);
        sizes.n = images * s->oh * s->ow;
        p->engine->dense_weight_gradient(p->inner, p->patches, p->patches, &sizes, first > 0, NULL);
    }
    sizes = (cr_dense_sizes){columns, columns, s->out, columns, s->out, s->out};
    p->engine->dense_input_gradient(p->outer, w, w, &sizes, NULL);
}

/* G_ij */
static double gram_of(const cr_product *p, int i, int j)
{
    int64_t columns = columns_of(p);
    double sum = 0;
    for (int t = 0; t < p->taps; t++)
        for (int u = 0; u < p->taps; u++) {
            int64_t at = ((int64_t)t * p->n + i) * columns + (int64_t)u * p->n + j;
            sum += (double)p->inner[at] * p->outer[at];
        }
    return sum;
}

static void sum_inputs(cr_product *p, const float *x)
{
    int64_t rows = (int64_t)p->sizes.n * p->sizes.h * p->sizes.w;
    memset(p->inputs, 0, (size_t)p->n * sizeof *p->inputs);
    for (int64_t r = 0; r < rows; r++)
        for (int i = 0; i < p->n; i++)
            p->inputs[i] += (double)x[r * p->n + i] * x[r * p->n + i];
}

/* |W_i|^2, the sizes, and what eq. (8) leaves out of eq. (7). */
static void summarize(cr_product *p)
{
    int64_t columns = columns_of(p);
    double inputs = 0, weights = 0, norms = 0, met = 0, all = 0; /* met: sum F_i */
    for (int i = 0; i < p->n; i++) {
        p->weights[i] = 0;
        for (int t = 0; t < p->taps; t++) {
            int64_t at = ((int64_t)t * p->n + i) * (columns + 1);
            p->weights[i] += p->outer[at];
            met += (double)p->inner[at] * p->outer[at];
        }
        inputs += p->inputs[i];
        weights += p->weights[i];
        norms += p->inputs[i] * p->weights[i];
        all += p->gram[(int64_t)i * (p->n + 1)];
    }
    p->size = sqrt(inputs * weights);
    p->edge = norms > 0 ? (norms - met) / norms : 0;
    p->cross = norms > 0 ? (all - met) / norms : 0;
}

void cr_product_fill(cr_product *p, const float *x, const float *w)
{
    multiply(p, x, w);
    for (int i = 0; i < p->n; i++)
        for (int j = 0; j <= i; j++)
            p->gram[(int64_t)i * p->n + j] = p->gram[(int64_t)j * p->n + i] = gram_of(p, i, j);
    sum_inputs(p, x);
    summarize(p);
}

double cr_product_error(const cr_product *p, const cr_pick *pick, double *lack)
{
    double square = 0;
    for (int i = 0; i < p->n; i++)
        lack[i] = 1; /* d */
    for (int j = 0; j < pick->k; j++)
        lack[pick->index[j]] -= pick->scale[j];
    for (int i = 0; i < p->n; i++) {
        const double *row = p->gram + (int64_t)i * p->n;
        double sum = 0;
        if (lack[i] == 0)
            continue;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < p->n; j++)
            sum += row[j] * lack[j];
        square += lack[i] * sum;
    }
    return sqrt(fmax(square, 0)) / p->size;
}

cr_status cr_product_scores(double *scores, const cr_product *p, const char *name)
{
    const cr_score *score = cr_score_find(name);
    bool optimal = strcmp(name, "optimal") == 0;
    CR_CHECK(optimal || score != NULL, CR_BAD_CONFIG, "no scores are called %s", name);
    if (!optimal)
        score->combine(scores, p->inputs, p->weights, p->n);
    for (int i = 0; optimal && i < p->n; i++)
        scores[i] = sqrt(fmax(p->gram[(int64_t)i * (p->n + 1)], 0)); /* eq. (15), exactly */
    return CR_OK;
}
