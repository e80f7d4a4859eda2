/*
 * winograd_3x3: the maps of F(4x4, 3x3) (Lavin & Gray 2016, section 4.3), points 0, 1, -1, 2, -2
 * and infinity:
 *
 *     B^T = 4  0 -5  0  1  0     G =  1/4    0    0     A^T = 1  1  1  1  1  0
 *           0 -4 -4  1  1  0         -1/6 -1/6 -1/6           0  1 -1  2 -2  0
 *           0  4 -4 -1  1  0         -1/6  1/6 -1/6           0  1  1  4  4  0
 *           0 -2 -1  2  1  0         1/24 1/12  1/6           0  1 -1  8 -8  1
 *           0  2 -1 -2  1  0         1/24 -1/12 1/6
 *           0  4  0 -5  0  1            0    0    1
 */
#include "winograd_map.h"
#include "winograd_transform.h"

/* B^T: 6 from 6 */
static inline void input_matrix(lane *out, const float *const *in)
{
    for (int l = 0; l < LANES; l++) {
        float even = in[4][l] - 4 * in[2][l];
        float odd = in[3][l] - 4 * in[1][l];
        float even2 = in[4][l] - in[2][l];
        float odd2 = 2 * (in[3][l] - in[1][l]);
        out[0][l] = 4 * in[0][l] - 5 * in[2][l] + in[4][l];
        out[1][l] = even + odd;
        out[2][l] = even - odd;
        out[3][l] = even2 + odd2;
        out[4][l] = even2 - odd2;
        out[5][l] = 4 * in[1][l] - 5 * in[3][l] + in[5][l];
    }
}

/* A^T: 4 from 6 */
static inline void output_matrix(lane *out, const float *const *in)
{
    for (int l = 0; l < LANES; l++) {
        float sum = in[1][l] + in[2][l];
        float difference = in[1][l] - in[2][l];
        float sum2 = in[3][l] + in[4][l];
        float difference2 = in[3][l] - in[4][l];
        out[0][l] = in[0][l] + sum + sum2;
        out[1][l] = difference + 2 * difference2;
        out[2][l] = sum + 4 * sum2;
        out[3][l] = difference + 8 * difference2 + in[5][l];
    }
}

/* A: 6 from 4 */
static inline void output_gradient_matrix(lane *out, const float *const *in)
{
    for (int l = 0; l < LANES; l++) {
        float even = in[0][l] + in[2][l];
        float odd = in[1][l] + in[3][l];
        float even2 = in[0][l] + 4 * in[2][l];
        float odd2 = 2 * in[1][l] + 8 * in[3][l];
        out[0][l] = in[0][l];
        out[1][l] = even + odd;
        out[2][l] = even - odd;
        out[3][l] = even2 + odd2;
        out[4][l] = even2 - odd2;
        out[5][l] = in[3][l];
    }
}

/* G: 6 from 3 */
static inline void weights_matrix(lane *out, const float *const *in)
{
    for (int l = 0; l < LANES; l++) {
        float even = (in[0][l] + in[2][l]) * (-1.0F / 6);
        float odd = in[1][l] * (-1.0F / 6);
        float even2 = in[0][l] * (1.0F / 24) + in[2][l] * (1.0F / 6);
        float odd2 = in[1][l] * (1.0F / 12);
        out[0][l] = in[0][l] * (1.0F / 4);
        out[1][l] = even + odd;
        out[2][l] = even - odd;
        out[3][l] = even2 + odd2;
        out[4][l] = even2 - odd2;
        out[5][l] = in[2][l];
    }
}

/* G^T: 3 from 6 */
static inline void weights_gradient_matrix(lane *out, const float *const *in)
{
    for (int l = 0; l < LANES; l++) {
        float sum = (in[1][l] + in[2][l]) * (1.0F / 6);
        float difference = (in[2][l] - in[1][l]) * (1.0F / 6);
        float sum2 = in[3][l] + in[4][l];
        float difference2 = in[3][l] - in[4][l];
        out[0][l] = in[0][l] * (1.0F / 4) - sum + sum2 * (1.0F / 24);
        out[1][l] = difference + difference2 * (1.0F / 12);
        out[2][l] = sum2 * (1.0F / 6) - sum + in[5][l];
    }
}

static void input(float *const *out, const float *const *in, int channels, int64_t step)
{
    map(out, in, channels, step, input_matrix, 6, 6);
}

static void output(float *const *out, const float *const *in, int channels, int64_t step)
{
    map(out, in, channels, step, output_matrix, 4, 6);
}

static void output_gradient(float *const *out, const float *const *in, int channels, int64_t step)
{
    map(out, in, channels, step, output_gradient_matrix, 6, 4);
}

static void weights(float *const *out, const float *const *in, int channels, int64_t step)
{
    map(out, in, channels, step, weights_matrix, 6, 3);
}

static void weights_gradient(float *const *out, const float *const *in, int channels, int64_t step)
{
    map(out, in, channels, step, weights_gradient_matrix, 3, 6);
}

const cr_winograd cr_winograd_3x3 = {
    .inputs = 6,
    .apart = 4,
    .outputs = 4,
    .frequencies = 6,
    .planes = 6,
    .channels_least = 8,
    .input = input,
    .output = output,
    .output_gradient = output_gradient,
    .weights = weights,
    .weights_gradient = weights_gradient,
};
