// What the convolutions need beyond isa.h: partial loads and stores, and splitting samples by their position modulo 4.
#pragma once

#include <string.h>

#include "isa.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define CONV_INLINE inline __attribute__((always_inline))

namespace {

constexpr int LANES = AF_LANES;

CONV_INLINE Vec splat(float x) { return x - Vec{}; }  // x - 0 is x even for -0, so this costs no addition

// Lanes first .. last-1 from p, the others zero; memory outside those lanes is not touched.
CONV_INLINE Vec load_lanes(const float* p, int64_t first, int64_t last) {
    if (first < 0) first = 0;
    if (last > LANES) last = LANES;
    if (first >= last) return Vec{};
#if defined(__AVX512F__)
    const __mmask16 mask = (__mmask16)(((1u << last) - 1u) & ~((1u << first) - 1u));
    return (Vec)(_mm512_maskz_loadu_ps(mask, p));
#else
    alignas(64) float lanes[LANES] = {};
    memcpy(lanes + first, p + first, (size_t)(last - first) * sizeof(float));
    return load(lanes);
#endif
}

// The first `count` lanes to p (all if count >= LANES, none if count <= 0).
CONV_INLINE void store_lanes(float* p, Vec v, int64_t count) {
    if (count >= LANES) {
        store(p, v);
    } else if (count > 0) {
#if defined(__AVX512F__)
        _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1u), (__m512)v);
#else
        alignas(64) float lanes[LANES];
        store(lanes, v);
        memcpy(p, lanes, (size_t)count * sizeof(float));
#endif
    }
}

// Lanes first .. last-1 of v to p; memory at other lanes is not touched.
CONV_INLINE void store_between(float* p, Vec v, int64_t first, int64_t last) {
    if (first < 0) first = 0;
    if (last > LANES) last = LANES;
    if (first >= last) return;
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)(((1u << last) - 1u) & ~((1u << first) - 1u)), (__m512)v);
#else
    alignas(64) float lanes[LANES];
    store(lanes, v);
    memcpy(p + first, lanes + first, (size_t)(last - first) * sizeof(float));
#endif
}

// Lanes first .. last-1 of `other`, the rest of v; 0 <= first < last <= LANES.
CONV_INLINE Vec with_lanes(Vec v, Vec other, int64_t first, int64_t last) {
#if defined(__AVX512F__)
    return (Vec)_mm512_mask_mov_ps((__m512)v, (__mmask16)(((1u << last) - 1u) & ~((1u << first) - 1u)), (__m512)other);
#else
    alignas(64) float lanes[LANES], others[LANES];
    store(lanes, v), store(others, other);
    memcpy(lanes + first, others + first, (size_t)(last - first) * sizeof(float));
    return load(lanes);
#endif
}

// Lanes 1, 2, ... of v, then x.
CONV_INLINE Vec shift_in(Vec v, float x) {
#if AF_LANES == 16
    return __builtin_shufflevector(v, splat(x), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
#elif AF_LANES == 8
    return __builtin_shufflevector(v, splat(x), 1, 2, 3, 4, 5, 6, 7, 8);
#else
    return __builtin_shufflevector(v, splat(x), 1, 2, 3, 4);
#endif
}

#if AF_LANES == 16
CONV_INLINE Vec even_lanes(Vec a, Vec b) {
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
CONV_INLINE Vec odd_lanes(Vec a, Vec b) {
    return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}
CONV_INLINE Vec zip_low(Vec a, Vec b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
CONV_INLINE Vec zip_high(Vec a, Vec b) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
#elif AF_LANES == 8
CONV_INLINE Vec even_lanes(Vec a, Vec b) { return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14); }
CONV_INLINE Vec odd_lanes(Vec a, Vec b) { return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15); }
CONV_INLINE Vec zip_low(Vec a, Vec b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
CONV_INLINE Vec zip_high(Vec a, Vec b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
#else
CONV_INLINE Vec even_lanes(Vec a, Vec b) { return __builtin_shufflevector(a, b, 0, 2, 4, 6); }
CONV_INLINE Vec odd_lanes(Vec a, Vec b) { return __builtin_shufflevector(a, b, 1, 3, 5, 7); }
CONV_INLINE Vec zip_low(Vec a, Vec b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
CONV_INLINE Vec zip_high(Vec a, Vec b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
#endif

// v holds 4*LANES consecutive samples; afterwards v[j] holds samples j, j+4, j+8, ...
CONV_INLINE void deinterleave4(Vec v[4]) {
    const Vec e0 = even_lanes(v[0], v[1]), o0 = odd_lanes(v[0], v[1]);
    const Vec e1 = even_lanes(v[2], v[3]), o1 = odd_lanes(v[2], v[3]);
    v[0] = even_lanes(e0, e1), v[2] = odd_lanes(e0, e1);
    v[1] = even_lanes(o0, o1), v[3] = odd_lanes(o0, o1);
}

// The inverse of deinterleave4.
CONV_INLINE void interleave4(Vec v[4]) {
    const Vec e0 = zip_low(v[0], v[2]), e1 = zip_high(v[0], v[2]);
    const Vec o0 = zip_low(v[1], v[3]), o1 = zip_high(v[1], v[3]);
    v[0] = zip_low(e0, o0), v[1] = zip_high(e0, o0);
    v[2] = zip_low(e1, o1), v[3] = zip_high(e1, o1);
}

constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

}  // namespace
