/*
 * convolution: ways to convolve that engines share; onednn has others of its own. Private to the
 * engine.
 */
#ifndef COLROW_ENGINE_CONVOLUTION_H
#define COLROW_ENGINE_CONVOLUTION_H

#include "colrow/engine.h"

extern const cr_convolution cr_convolution_winograd4;         /* winograd.c: of stride 1 ... */
extern const cr_convolution cr_convolution_winograd4_stride2; /* ... and 2 */
extern const cr_convolution cr_convolution_direct;            /* direct.c */
extern const cr_convolution cr_convolution_im2col;            /* im2col.c */

#endif
