// What a convolution is told: sizes, pointers, and scratch memory that the caller owns (nothing here allocates).
#pragma once

#include <cstdint>

// out[n,k] = out_scale[n,k] * sum_c weight[k,c] (*) (in_scale[n,c] * x[n,c]) + bias[k], stride 1, zero padding;
// x, out: contiguous NCHW float32. Scales and bias may be null. The field order is mirrored by native_conv.py.
struct ConvCall {
    int64_t batch, in_channels, out_channels, in_height, in_width;
    int64_t kernel, padding, threads;
    const float* x;
    const void* weight;  // packed
    const float* in_scale;
    const float* out_scale;
    const float* bias;
    float* out;
    char* scratch;  // 64-byte aligned, *_scratch_bytes(call) long
};

// Not members: the linker would keep one copy of those for all variants where the compiler does not inline them.
static inline int64_t out_height(const ConvCall& c) { return c.in_height + 2 * c.padding - c.kernel + 1; }
static inline int64_t out_width(const ConvCall& c) { return c.in_width + 2 * c.padding - c.kernel + 1; }
