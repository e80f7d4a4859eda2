/*
 * softmax_projection: a dense layer with bias at every position, and softmax cross-entropy on what
 * it gives, some rows at a time, so that the logits of all rows never lie in memory together:
 *
 *     z = x W + b       loss = sum over rows of log sum_c exp(z_c) - z_label
 *     dz = scale (softmax(z) - onehot(label))    dx = dz W^T    dW = x^T dz    db = sum of dz
 *
 * Labels are smoothed as in softmax_cross_entropy.
 *
 * While training, a block's logits become its loss and its gradients at once, in the backward pass.
 */
#include "colrow/net.h"

#include <math.h>
#include <string.h>

#include "squash.h"

enum { BLOCK_ROWS = 256, COLUMNS = 64, PARALLEL = 1 << 14 /* logits worth waking threads for */ };

static const cr_option options[] = {
    {.name = "classes",
     .kind = CR_OPTION_INT,
     .offset = offsetof(cr_layer_plan, width),
     .low = 1,
     .high = 1 << 24,
     .help = "classes to tell apart"},
    {.name = NULL},
};

static cr_status shape(cr_layer *layer)
{
    int in = layer->in.c;
    int out = layer->plan.width;
    CR_CHECK(out >= 1, CR_BAD_CONFIG, "layer %s: expected at least 1 class, found %d", layer->name,
             out);
    layer->out = (cr_shape){layer->in.h, layer->in.w, 1};
    layer->parameter_count = 2;
    layer->parameters[0] = cr_parameter_kernel(in, out);
    layer->parameters[1] = cr_parameter_bias(out);
    return CR_OK;
}

/* The arrays of a pass. */
typedef struct work {
    int rows, k, classes;
    double *db;    /* [V] */
    double *loss;  /* [BLOCK_ROWS] of each row of a block */
    float *logits; /* [BLOCK_ROWS, V], and what becomes of them */
    bool *hit;     /* [BLOCK_ROWS] */
    void *engine;  /* its scratch */
} work;

static int64_t rows_of(const cr_contract *c)
{
    return (int64_t)c->samples * c->layer->in.h * c->layer->in.w;
}

static int block_rows(int64_t rows)
{
    return rows < BLOCK_ROWS ? (int)rows : BLOCK_ROWS;
}

/* Of a block's products. */
static cr_dense_sizes block_sizes(const cr_contract *c, int rows)
{
    int classes = c->layer->plan.width;
    return (cr_dense_sizes){rows, c->k, classes, c->k, classes, classes};
}

static work lay_out(const cr_contract *c, cr_arena *arena)
{
    work a = {.rows = (int)rows_of(c), .k = c->k, .classes = c->layer->plan.width};
    cr_dense_sizes sizes = block_sizes(c, block_rows(a.rows));
    a.db = cr_arena_take(arena, a.classes, sizeof *a.db);
    a.loss = cr_arena_take(arena, BLOCK_ROWS, sizeof *a.loss);
    a.hit = cr_arena_take(arena, BLOCK_ROWS, sizeof *a.hit);
    a.logits = cr_arena_take(arena, (int64_t)sizes.n * a.classes, sizeof *a.logits);
    a.engine = cr_arena_take(arena, 1, c->engine->dense_work(&sizes, cr_engine_threads()));
    return a;
}

static work work_of(const cr_contract *c)
{
    cr_arena arena = {.base = c->work, .size = SIZE_MAX};
    return lay_out(c, &arena);
}

static size_t work_bytes(const cr_contract *c)
{
    cr_arena measured = {0};
    (void)lay_out(c, &measured); /* nowhere */
    return measured.used;
}

/* ---- a row ----------------------------------------------------------------------------------- */

/* z [V] += b; the largest */
static float add_bias(float *restrict z, const float *restrict b, int classes)
{
    float most = -INFINITY;
#pragma omp simd reduction(max : most)
    for (int c = 0; c < classes; c++) {
        z[c] += b[c];
        most = z[c] > most ? z[c] : most;
    }
    return most;
}

static double mean_of(const float *z, int classes)
{
    double sum = 0;
    for (int c = 0; c < classes; c++)
        sum += z[c];
    return sum / classes;
}

/* z [V] becomes exp(z - most); their sum */
static double exponentials(float *restrict z, float most, int classes)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < classes; c++) {
        z[c] = cr_exp(z[c] - most);
        sum += z[c];
    }
    return sum;
}

/* Is the label's logit the largest? Of equal ones the first is. */
static bool is_hit(const float *z, int label, float most)
{
    bool hit = z[label] == most;
    for (int c = 0; hit && c < label; c++)
        hit = z[c] < most;
    return hit;
}

/* z [V] from exp(z - most) to its gradient */
static void differentiate(float *restrict z, int label, double sum, int classes, double e,
                          double scale)
{
    float share = (float)(scale / sum);
    float of_all = (float)(scale * e / classes);
#pragma omp simd
    for (int c = 0; c < classes; c++)
        z[c] = share * z[c] - of_all;
    z[label] -= (float)(scale * (1 - e));
}

/* The gradient is wanted by training alone, which alone smooths labels. */
static void run_row(const work *a, int row, const cr_turn *turn, int label)
{
    const cr_layer *layer = turn->contract.layer;
    const cr_pass *pass = turn->pass;
    float *z = a->logits + (int64_t)row * a->classes;
    double e = pass->training ? layer->plan.smoothing : 0;
    float most = add_bias(z, pass->parameters + layer->parameters[1].offset, a->classes);
    double below = (double)z[label] - most;
    double smooth = e > 0 ? e * (mean_of(z, a->classes) - most - below) : 0;
    a->hit[row] = is_hit(z, label, most);
    double sum = exponentials(z, most, a->classes);
    a->loss[row] = log(sum) - below - smooth;
    if (pass->training)
        differentiate(z, label, sum, a->classes, e, pass->scale);
}

/* ---- a block of rows ------------------------------------------------------------------------- */

static void run_block(const cr_turn *turn, const work *a, int first, int rows)
{
    const cr_pass *pass = turn->pass;
    cr_dense_sizes sizes = block_sizes(&turn->contract, rows);
    turn->contract.engine->dense_forward(a->logits, turn->x + (int64_t)first * a->k, turn->w,
                                         &sizes, a->engine);
#pragma omp parallel for schedule(static) if ((int64_t)rows * a->classes >= PARALLEL)
    for (int row = 0; row < rows; row++)
        run_row(a, row, turn, pass->labels[first + row]);
    for (int row = 0; row < rows; row++) {
        pass->result->loss += a->loss[row];
        pass->result->correct += a->hit[row];
    }
    pass->result->samples += rows;
}

/* db [V] += the columns of dz [rows, V] */
static void sum_columns(const work *a, int rows)
{
#pragma omp parallel for schedule(static) if ((int64_t)rows * a->classes >= PARALLEL)
    for (int first = 0; first < a->classes; first += COLUMNS) {
        double sums[COLUMNS] = {0};
        int count = a->classes - first < COLUMNS ? a->classes - first : COLUMNS;
        for (int64_t row = 0; row < rows; row++)
            for (int c = 0; c < count; c++)
                sums[c] += a->logits[row * a->classes + first + c];
        for (int c = 0; c < count; c++)
            a->db[first + c] += sums[c];
    }
}

static void run_gradients(const cr_turn *turn, const work *a, int first, int rows)
{
    const cr_engine *engine = turn->contract.engine;
    const float *x = turn->x + (int64_t)first * a->k;
    cr_dense_sizes sizes = block_sizes(&turn->contract, rows);
    engine->dense_input_gradient(turn->dx + (int64_t)first * a->k, a->logits, turn->w_live, &sizes,
                                 a->engine);
    engine->dense_weight_gradient(turn->dp[0], x, a->logits, &sizes, turn->accumulate || first > 0,
                                  a->engine);
    sum_columns(a, rows);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static void forward(const cr_turn *turn)
{
    work a = work_of(&turn->contract);
    if (turn->pass->training || turn->pass->result == NULL)
        return;
    for (int first = 0; first < a.rows; first += BLOCK_ROWS)
        run_block(turn, &a, first, block_rows(a.rows - first));
}

static void backward(const cr_turn *turn)
{
    work a = work_of(&turn->contract);
    memset(a.db, 0, (size_t)a.classes * sizeof *a.db);
    if (a.rows == 0 && !turn->accumulate)
        memset(turn->dp[0], 0, (size_t)a.k * (size_t)a.classes * sizeof(float));
    for (int first = 0; first < a.rows; first += BLOCK_ROWS) {
        int rows = block_rows(a.rows - first);
        run_block(turn, &a, first, rows);
        run_gradients(turn, &a, first, rows);
    }
    for (int c = 0; c < a.classes; c++)
        turn->dp[1][c] = (float)(turn->accumulate ? turn->dp[1][c] + a.db[c] : a.db[c]);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static void channel_norms(const cr_layer *layer, double *norms, const double *rows)
{
    memcpy(norms, rows, (size_t)layer->in.c * sizeof *norms); /* a channel is one row */
}

static int64_t prepared(const cr_contract *c, bool backward)
{
    cr_dense_sizes sizes = block_sizes(c, block_rows(rows_of(c)));
    return c->engine->dense_prepared(&sizes, backward);
}

static void prepare(const cr_contract *c, float *to, const float *w, bool backward)
{
    cr_dense_sizes sizes = block_sizes(c, block_rows(rows_of(c)));
    c->engine->dense_prepare(to, w, &sizes, backward);
}

static const cr_contraction contraction = {
    .channel_norms = channel_norms, .prepared = prepared, .prepare = prepare, .work = work_bytes};

static const cr_operation operation = {.ends = true, .forward = forward, .backward = backward};

const cr_layer_type cr_layer_type_softmax_projection = {
    .name = "softmax_projection",
    .options = options,
    .shape = shape,
    .contraction = &contraction,
    .operation = &operation,
};
