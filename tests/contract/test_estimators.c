/*
 * estimators: what the draws make of a product AB, against figures measured before colrow existed
 * and against closed forms.
 *
 * A product is a sum of outer products X_i = A^(i) (x) B_(i), an estimate is sum e_i X_i, where e_i
 * is the scale of channel i or 0. So with G_ij = <X_i, X_j> = (A^T A)_ij (B B^T)_ij and d = 1 - e
 *
 *     |AB - estimate|_F^2 = d^T G d        |AB|_F^2 = 1^T G 1        |X_i|_F^2 = G_ii
 *
 * which costs n^2 a draw, not n^3.
 */
#include "draws.h"

#include <math.h>

enum { N = 100 };

/* Two matrices by channel: a[i] is column i of A, b[i] is row i of B. */
typedef struct product {
    int n;
    double a[N][N], b[N][N]; /* [channel, other dimension] */
    double gram[N][N];       /* <X_i, X_j> */
    double sum;              /* |AB|_F^2 */
    double size;             /* |A|_F |B|_F */
    double input[N], weight[N];
} product;

static double dot(const double *x, const double *y)
{
    double sum[4] = {0}; /* lets the compiler use vectors */
    for (int i = 0; i < N; i += 4)
        for (int j = 0; j < 4; j++)
            sum[j] += x[i + j] * y[i + j];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Normal entries; channel i is multiplied by 1 + spread * (i mod 5). */
static void make_product(product *p, int n, double spread, uint32_t number)
{
    cr_random random =
        cr_random_start((cr_random_key){.seed = 17, .stream = CR_STREAM_TEST, .sample = number});
    p->n = n;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < N; j++) {
            p->a[i][j] = cr_random_normal(&random) * (1 + spread * (i % 5));
            p->b[i][j] = cr_random_normal(&random);
        }
    double inputs = 0, weights = 0;
    p->sum = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            p->gram[i][j] = p->gram[j][i] = dot(p->a[i], p->a[j]) * dot(p->b[i], p->b[j]);
            p->sum += (i == j ? 1 : 2) * p->gram[i][j];
        }
        inputs += p->input[i] = dot(p->a[i], p->a[i]);
        weights += p->weight[i] = dot(p->b[i], p->b[i]);
    }
    p->size = sqrt(inputs * weights);
}

/* d^T G d */
static double square_of(const product *p, const double *d)
{
    double sum = 0;
    for (int i = 0; i < p->n; i++)
        for (int j = 0; j < p->n && d[i] != 0; j++)
            sum += d[i] * p->gram[i][j] * d[j];
    return sum;
}

/* d = 1 - e: what the estimate by this pick lacks */
static void lack_of(double *d, const cr_pick *pick)
{
    for (int i = 0; i < pick->n; i++)
        d[i] = 1;
    for (int i = 0; i < pick->k; i++)
        d[pick->index[i]] -= pick->scale[i];
}

typedef struct table_row {
    const char *draw, *score;
    bool scale;
    double error[3]; /* at k = 10, 50, 90 */
} table_row;

/* Mean |AB - estimate|_F / (|A|_F |B|_F) over 1000 pairs of 100x100 matrices with N(0,1) entries,
 * from an independent program in PyTorch (Adelman & Silberstein 2018, figure 1a). */
static const table_row table[] = {
    {"top", "norm", false, {.0928, .0649, .0262}},
    {"replacement", "norm", true, {.3114, .1396, .1038}},
    {"no_replacement", "norm", false, {.0947, .0702, .0309}},
    {"replacement", "uniform", true, {.3124, .1405, .1048}},
    {"no_replacement", "uniform", true, {.2996, .1000, .0334}},
    {"no_replacement", "uniform", false, {.0949, .0707, .0316}},
    {"bernoulli", "norm", true, {.2950, .0990, .0314}},
    {"systematic", "norm", true, {.2950, .0990, .0314}}, /* as bernoulli: see below */
    {"winner_take_all", "norm", true, {.3121, .1398, .0937}},
};
enum { ROWS = sizeof(table) / sizeof(table[0]), PAIRS = 60, DRAWS_A_PAIR = 12 };

static double mean_error(draw_trial *t, const product *p, const table_row *row, int k,
                         uint32_t pair)
{
    const cr_score *score = cr_score_find(row->score);
    draw_combination c = {cr_draw_find(row->draw), score, !score->needs_weights, row->scale};
    double scores[N], d[N], mean = 0;
    score->combine(scores, p->input, p->weight, N);
    t->request.scores = scores;
    for (uint32_t i = 0; i < DRAWS_A_PAIR; i++) {
        draw_once(t, &c, k, pair * DRAWS_A_PAIR + i);
        lack_of(d, &t->pick);
        mean += sqrt(square_of(p, d)) / p->size / DRAWS_A_PAIR;
    }
    return mean;
}

/* systematic has no row of its own in those figures. Its expected square differs from bernoulli's
 * only by terms <X_i, X_j>, which are 0 on average here. */

/* A pair's mean over 12 draws differs from pair to pair by 2.2% of it at most (measured), so the
 * mean of 60 pairs has a standard error of 0.3%, as has the table: 1.5% are at least 3.5 of both.
 */
static void errors_are_those_of_the_table(void **state)
{
    (void)state;
    static product p;
    double error[ROWS][3] = {{0}};
    draw_trial t;
    draw_trial_start(&t, N, NULL);
    for (uint32_t pair = 0; pair < PAIRS; pair++) {
        make_product(&p, N, 0, pair);
        for (int r = 0; r < ROWS; r++)
            for (int k = 0; k < 3; k++)
                error[r][k] += mean_error(&t, &p, &table[r], 10 + 40 * k, pair) / PAIRS;
    }
    draw_trial_end(&t);
    for (int r = 0; r < ROWS; r++)
        for (int k = 0; k < 3; k++)
            ASSERT_NEAR(error[r][k] / table[r].error[k], 1.0, 0.015);
}

/* What 10,000 draws of one estimator say about it. */
enum { SMALL = 40, KEPT = 12, DRAWS = 10000 };
typedef struct moments {
    double mean[SMALL], square[SMALL];    /* of e_i, of e_i^2 */
    double projection, projection_square; /* of u^T (AB - estimate) v */
    double error, error_square;           /* of |AB - estimate|_F^2 */
} moments;

static void gather(moments *m, draw_trial *t, const product *p, const draw_combination *c)
{
    double d[SMALL];
    *m = (moments){0};
    for (uint32_t step = 0; step < DRAWS; step++) {
        draw_once(t, c, KEPT, step);
        lack_of(d, &t->pick);
        double lacking = 0;
        for (int i = 0; i < SMALL; i++) {
            m->mean[i] += (1 - d[i]) / DRAWS;
            m->square[i] += (1 - d[i]) * (1 - d[i]) / DRAWS;
            lacking += d[i] * p->a[i][0] * p->b[i][1]; /* u and v are unit vectors */
        }
        double error = square_of(p, d);
        m->projection += lacking / DRAWS;
        m->projection_square += lacking * lacking / DRAWS;
        m->error += error / DRAWS;
        m->error_square += error * error / DRAWS;
    }
}

static double standard_error(double mean, double square)
{
    return sqrt(fmax(square - mean * mean, 0) / DRAWS);
}

/* E|AB - estimate|_F^2 with replacement, p_i = s_i / sum s: (sum |X_i|^2 / p_i - |AB|^2) / k, which
 * for s_i = |X_i| is ((sum s)^2 - |AB|^2) / k (Drineas, Kannan & Mahoney 2006, lemmas 3 and 4). */
static double variance_replacement(const product *p, const double *scores)
{
    double total = 0, sum = 0;
    for (int i = 0; i < p->n; i++)
        total += scores[i];
    for (int i = 0; i < p->n; i++)
        sum += p->gram[i][i] * total / scores[i];
    return (sum - p->sum) / KEPT;
}

/* Independent with probabilities p: (1 - e) sum (1 / p_i - 1) |X_i|^2 - e |AB|^2, e = prod (1 -
 * p_i), as src/sample/draws/bernoulli.c has it. */
static double variance_bernoulli(const product *p, const double *scores)
{
    cr_inclusion inclusion = cr_inclusion_make(scores, p->n, KEPT);
    double sum = 0, empty = 1;
    for (int i = 0; i < p->n; i++) {
        double chance = cr_inclusion_of(&inclusion, scores[i]);
        sum += (1 / chance - 1) * p->gram[i][i];
        empty *= 1 - chance;
    }
    return (1 - empty) * sum - empty * p->sum;
}

/* Certain ones, and m others with replacement, q_j = p_j / m: sum |X_j|^2 / p_j - |sum X_j|^2 / m
 * over those that are not certain. */
static double variance_winner_take_all(const product *p, const double *scores)
{
    cr_inclusion inclusion = cr_inclusion_make(scores, p->n, KEPT);
    double sum = 0, left = KEPT, open[SMALL];
    for (int i = 0; i < p->n; i++) {
        double chance = cr_inclusion_of(&inclusion, scores[i]);
        open[i] = chance < 1;
        left -= 1 - open[i];
        sum += open[i] * p->gram[i][i] / chance;
    }
    return sum - square_of(p, open) / left;
}

/* The same for equal scores without replacement (Cochran 1977, theorem 2.2): n^2 / k (1 - k / n)
 * S^2, S^2 = (sum |X_i|^2 - |AB|^2 / n) / (n - 1). */
static double variance_no_replacement(const product *p, const double *scores)
{
    (void)scores;
    double n = p->n, sum = 0;
    for (int i = 0; i < p->n; i++)
        sum += p->gram[i][i];
    return n * n / KEPT * (1 - KEPT / n) * (sum - p->sum / n) / (n - 1);
}

static const struct {
    const char *draw;
    bool uniform; /* for equal scores only */
    double (*variance)(const product *p, const double *scores);
} closed_forms[] = {
    {"replacement", false, variance_replacement},
    {"no_replacement", true, variance_no_replacement},
    {"systematic", true, variance_no_replacement}, /* every subset is equally likely */
    {"bernoulli", false, variance_bernoulli},
    {"winner_take_all", false, variance_winner_take_all},
};

static void check_variance(const moments *m, const product *p, const draw_combination *c,
                           const double *scores)
{
    double tolerance = 4 * standard_error(m->error, m->error_square);
    for (size_t i = 0; i < sizeof(closed_forms) / sizeof(closed_forms[0]); i++)
        if (strcmp(closed_forms[i].draw, c->draw->name) == 0 &&
            (c->uniform || !closed_forms[i].uniform))
            ASSERT_NEAR(m->error, closed_forms[i].variance(p, scores), tolerance);
}

/* About 40 channels for each of a handful of estimators are compared, so 4.5 standard errors each
 * (1 in 150,000) are 1 in 1000 for the lot; the rest are few, 4 for those. */
static void check_unbiased(const draw_combination *c)
{
    static product p;
    double scores[SMALL], d[SMALL];
    if (!c->scale)
        return;
    make_product(&p, SMALL, 0.5, 0);
    c->score->combine(scores, p.input, p.weight, SMALL);
    draw_trial t;
    draw_trial_start(&t, SMALL, scores);
    moments m;
    gather(&m, &t, &p, c);
    for (int i = 0; i < SMALL; i++) {
        ASSERT_NEAR(m.mean[i], 1.0, 4.5 * standard_error(m.mean[i], m.square[i]));
        d[i] = 1 - m.mean[i];
    }
    ASSERT_NEAR(m.projection, 0.0, 4 * standard_error(m.projection, m.projection_square));
    assert_true(sqrt(square_of(&p, d)) <= 4 * sqrt(m.error / DRAWS)); /* |AB - mean| */
    check_variance(&m, &p, c, scores);
    draw_trial_end(&t);
}

static void scaled_estimators_are_unbiased(void **state)
{
    (void)state;
    for_each_combination(check_unbiased);
}

/* The same where one channel outweighs the others together, so that some are certain; and where so
 * few are asked for that a draw may keep none. */
static void check_extremes(const draw_combination *c)
{
    const double scores[SMALL] = {90, 30, 1, 2, 3, 2, 1, 8, 1, 1, 4, 2};
    const int counts[] = {1, 2, 5, 11};
    enum { CHANNELS = 12 };
    draw_trial t;
    draw_trial_start(&t, CHANNELS, scores);
    for (int k = 0; k < 4 && c->scale && !c->uniform; k++) {
        double mean[CHANNELS] = {0}, square[CHANNELS] = {0};
        for (uint32_t step = 0; step < DRAWS; step++) {
            draw_once(&t, c, counts[k], step);
            for (int j = 0; j < t.pick.k; j++) {
                mean[t.pick.index[j]] += (double)t.pick.scale[j] / DRAWS;
                square[t.pick.index[j]] += (double)t.pick.scale[j] * t.pick.scale[j] / DRAWS;
            }
        }
        for (int i = 0; i < CHANNELS; i++)
            ASSERT_NEAR(mean[i], 1.0, 1e-6 + 4.5 * standard_error(mean[i], square[i]));
    }
    draw_trial_end(&t);
}

static void uneven_scores_leave_no_bias(void **state)
{
    (void)state;
    for_each_combination(check_extremes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_those_of_the_table),
        cmocka_unit_test(scaled_estimators_are_unbiased),
        cmocka_unit_test(uneven_scores_leave_no_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
