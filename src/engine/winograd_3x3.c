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
CR_INLINE void input_matrix(lane *out, const lane *in)
{
    lane even = in[4] - 4 * in[2];
    lane odd = in[3] - 4 * in[1];
    lane even2 = in[4] - in[2];
    lane odd2 = in[3] - in[1];
    out[0] = in[4] - 5 * in[2] + 4 * in[0];
    out[1] = even + odd;
    out[2] = even - odd;
    out[3] = even2 + 2 * odd2;
    out[4] = even2 - 2 * odd2;
    out[5] = in[5] - 5 * in[3] + 4 * in[1];
}

/* A^T: 4 from 6 */
CR_INLINE void output_matrix(lane *out, const lane *in)
{
    lane sum = in[1] + in[2];
    lane difference = in[1] - in[2];
    lane sum2 = in[3] + in[4];
    lane difference2 = in[3] - in[4];
    out[0] = in[0] + sum + sum2;
    out[1] = difference + 2 * difference2;
    out[2] = sum + 4 * sum2;
    out[3] = difference + 8 * difference2 + in[5];
}

/* A: 6 from 4 */
CR_INLINE void output_gradient_matrix(lane *out, const lane *in)
{
    lane even = in[0] + in[2];
    lane odd = in[1] + in[3];
    lane even2 = in[0] + 4 * in[2];
    lane odd2 = 2 * in[1] + 8 * in[3];
    out[0] = in[0];
    out[1] = even + odd;
    out[2] = even - odd;
    out[3] = even2 + odd2;
    out[4] = even2 - odd2;
    out[5] = in[3];
}

/* G: 6 from 3 */
CR_INLINE void weights_matrix(lane *out, const lane *in)
{
    lane even = (in[0] + in[2]) * (-1.0F / 6);
    lane odd = in[1] * (-1.0F / 6);
    lane even2 = in[0] * (1.0F / 24) + in[2] * (1.0F / 6);
    lane odd2 = in[1] * (1.0F / 12);
    out[0] = in[0] * (1.0F / 4);
    out[1] = even + odd;
    out[2] = even - odd;
    out[3] = even2 + odd2;
    out[4] = even2 - odd2;
    out[5] = in[2];
}

/* G^T: 3 from 6 */
CR_INLINE void weights_gradient_matrix(lane *out, const lane *in)
{
    lane sum = (in[1] + in[2]) * (1.0F / 6);
    lane difference = (in[2] - in[1]) * (1.0F / 6);
    lane sum2 = in[3] + in[4];
    lane difference2 = in[3] - in[4];
    out[0] = in[0] * (1.0F / 4) - sum + sum2 * (1.0F / 24);
    out[1] = difference + difference2 * (1.0F / 12);
    out[2] = sum2 * (1.0F / 6) - sum + in[5];
}

CR_WINOGRAD_MAP(input, input_matrix, 6, 6, false)
CR_WINOGRAD_MAP(output, output_matrix, 4, 6, true)
CR_WINOGRAD_MAP(output_gradient, output_gradient_matrix, 6, 4, false)
CR_WINOGRAD_MAP(weights, weights_matrix, 6, 3, false)
CR_WINOGRAD_MAP(weights_gradient, weights_gradient_matrix, 3, 6, false)

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
