/* round: from float to bf16. Private to the onednn engine. */
#ifndef COLROW_ENGINE_ONEDNN_ROUND_H
#define COLROW_ENGINE_ONEDNN_ROUND_H

#include <stdint.h>

/* To the nearest bf16, ties to even; what is not a number stays so. */
void cr_onednn_round(uint16_t *restrict to, const float *restrict from, int64_t count);

#endif
