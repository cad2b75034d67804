// Filtering of images by phases: the call that native.py makes. All filters are in correlation order, with their gains folded in.
#pragma once

#include <stdint.h>

// y = out_scale * D act(U (in_scale * x + bias)), channel by channel; U upsamples by a separable filter, D downsamples by a sum of `rank`
// separable filters, act is clamp(max(u, slope u)). Outside the image (in_scale * x + bias) counts as zero.
struct AfResample {
    const float *x;
    float *y;                                // n x c x out_h x out_w, contiguous
    int64_t x_batch, x_channel, x_row;       // strides in floats; that of a column is 1
    int32_t n, c, h, w, out_h, out_w;
    const float *bias;                       // c, or null
    const float *in_scale, *out_scale;       // n x c each, or null
    int32_t up_x, up_y, down_x, down_y;      // factors
    int32_t pad_x, pad_y;                    // samples before the first, at the upsampled rate; negative crops
    int32_t up_taps_x, up_taps_y, down_taps_x, down_taps_y, rank;
    int32_t activate;                        // 0: no act
    const float *up_filter_x, *up_filter_y;  // up_taps_x, up_taps_y
    const float *down_filter_x, *down_filter_y;  // rank x down_taps_x, rank x down_taps_y
    float slope, clamp;                      // 0 <= slope <= 1; clamp may be infinite
    int32_t threads;
    int32_t rows;                            // output rows of one chunk, 0: chosen here
};

// y = U D x with one 2-D filter that is not a short sum of separable ones: every tap of the phase is visited.
struct AfDirect {
    const float *x;
    float *y;
    int64_t x_batch, x_channel, x_row;
    int32_t n, c, h, w, out_h, out_w;
    int32_t up_x, up_y, down_x, down_y, pad_x, pad_y;
    int32_t taps_x, taps_y;
    const float *filter;                     // taps_y x taps_x
    int32_t threads;
};

// This thread's working memory, at least `bytes`, 64-byte aligned, kept between calls; null if there is none to be had.
extern "C" __attribute__((visibility("hidden"))) void *af_scratch(uint64_t bytes);
