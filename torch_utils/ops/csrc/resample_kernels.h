// The four passes of a filtered activation, each over one row or one column of vectors. "rise" upsamples, "fall" downsamples.
//
// Rows are kept in planes: with period p, plane q holds the samples p i + q, so that neighbouring lanes always have the same filter phase and
// nothing is interleaved between the passes. Taps are stored one vector each (all lanes equal), as operands of fused multiply-adds.
#pragma once

#include "isa.h"

#if defined(AF_X86)
#include <immintrin.h>
#endif

#ifndef __has_builtin
#define __has_builtin(x) 0
#endif

// Called once for a row or a column: kept apart, so that each has the registers to itself (and its own line in a profile).
#define AF_PASS __attribute__((noinline))

namespace {

typedef Vec *__restrict OutVecs;

// Like the instructions: the second operand where one is not a number, so that these stay visible.
inline Vec larger(Vec a, Vec b) {
#if AF_LANES == 16
    return _mm512_max_ps(a, b);
#elif AF_LANES == 8
    return _mm256_max_ps(a, b);
#elif defined(AF_X86)
    return _mm_max_ps(a, b);
#else
    return a > b ? a : b;
#endif
}

inline Vec smaller(Vec a, Vec b) {
#if AF_LANES == 16
    return _mm512_min_ps(a, b);
#elif AF_LANES == 8
    return _mm256_min_ps(a, b);
#elif defined(AF_X86)
    return _mm_min_ps(a, b);
#else
    return a < b ? a : b;
#endif
}

struct Activation {
    Vec slope, low, high;
    Vec operator()(Vec u) const { return larger(low, smaller(high, larger(u * slope, u))); }
};

// For samples that are known to stay below the clamp.
struct Unclamped {
    Vec slope;
    Vec operator()(Vec u) const { return larger(u * slope, u); }
};

struct Identity {
    Vec operator()(Vec u) const { return u; }
};

// Keeps the compiler from loading v again where it is used: it fears that a store in between has changed it in memory. Or, where v is 1, from
// leaving out its products: the units for adding and those for multiplying and adding take turns then.
inline void hold(Vec &v) {
#if AF_LANES == 16
    asm("" : "+v"(v));
#endif
}

inline void interleave(Vec a, Vec b, Vec *low, Vec *high) {
#if AF_LANES == 16
    const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    *low = _mm512_permutex2var_ps(a, first, b);
    *high = _mm512_permutex2var_ps(a, second, b);
#elif AF_LANES == 8
    Vec l = _mm256_unpacklo_ps(a, b), h = _mm256_unpackhi_ps(a, b);
    *low = _mm256_permute2f128_ps(l, h, 0x20);
    *high = _mm256_permute2f128_ps(l, h, 0x31);
#elif __has_builtin(__builtin_shufflevector)
    *low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    *high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
    *low = __builtin_shuffle(a, b, IntVec{0, 4, 1, 5});
    *high = __builtin_shuffle(a, b, IntVec{2, 6, 3, 7});
#endif
}

// Samples 0, 2, 4, ... of a and then b.
inline Vec even_lanes(Vec a, Vec b) {
#if AF_LANES == 16
    return _mm512_permutex2var_ps(a, _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), b);
#elif AF_LANES == 8
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(_mm256_shuffle_ps(a, b, 0x88)), 0xd8));
#elif __has_builtin(__builtin_shufflevector)
    return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#else
    return __builtin_shuffle(a, b, IntVec{0, 2, 4, 6});
#endif
}

inline void store_part(float *p, Vec v, int count) {
#if AF_LANES == 16
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), v);
#else
    for (int lane = 0; lane < count; lane++) p[lane] = v[lane];
#endif
}

// ---- columns: rows are consecutive vectors ----

// G groups of rows: group g of M output rows comes from the N input rows g .. g + N - 1.
template <int N, int M, int G, class Act>
inline __attribute__((always_inline)) void rise_groups(const Vec *h, Vec *a, const Vec *taps, const Act &act) {
    Vec x[N + G - 1], sum[G][M];
#pragma GCC unroll 16
    for (int j = 0; j < N + G - 1; j++) x[j] = h[j];
#pragma GCC unroll 16
    for (int j = 0; j < N; j++)
#pragma GCC unroll 8
        for (int r = 0; r < M; r++)
#pragma GCC unroll 8
            for (int g = 0; g < G; g++) sum[g][r] = j == 0 ? taps[r * N] * x[g] : sum[g][r] + taps[r * N + j] * x[g + j];
#pragma GCC unroll 8
    for (int g = 0; g < G; g++)
#pragma GCC unroll 8
        for (int r = 0; r < M; r++) a[g * M + r] = act(sum[g][r]);
}

template <int N, int M, class Act>
AF_PASS void rise_column(const Vec *h, OutVecs a, int groups, const Vec *taps, int, int, const Act &act) {
    constexpr int G = M >= 4 ? 2 : 4 / M;
    int g = 0;
    for (; g + G <= groups; g += G) rise_groups<N, M, G>(h + g, a + g * M, taps, act);
    for (; g < groups; g++) rise_groups<N, M, 1>(h + g, a + g * M, taps, act);
}

// M rows for each input row where the taps mirror each other: rows r and M - 1 - r have each other's taps in turn, so their sum and difference
// are products of half as many sums and differences of inputs.
constexpr float MIRRORED_MOST = 1e30f;  // differences of larger samples would be inf - inf

template <int N, int M, int G, class Act>
inline __attribute__((always_inline)) void rise_groups_mirrored(const Vec *h, Vec *a, const Vec *taps, const Act &act) {
    Vec x[N + G - 1], even[G][M / 2], odd[G][M / 2], one = broadcast(1.0f);
    hold(one);
#pragma GCC unroll 16
    for (int j = 0; j < N + G - 1; j++) x[j] = h[j];
#pragma GCC unroll 8
    for (int j = 0; j < N / 2; j++)
#pragma GCC unroll 4
        for (int g = 0; g < G; g++) {
            const Vec plus = x[g + j] + x[g + N - 1 - j], minus = x[g + j] - x[g + N - 1 - j];
#pragma GCC unroll 2
            for (int r = 0; r < M / 2; r++) {
                const Vec *tap = taps + (r * N / 2 + j) * 2;
                even[g][r] = j == 0 ? tap[0] * plus : even[g][r] + tap[0] * plus;
                odd[g][r] = j == 0 ? tap[1] * minus : odd[g][r] + tap[1] * minus;
            }
        }
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
#pragma GCC unroll 2
        for (int r = 0; r < M / 2; r++) {
            a[g * M + r] = act(M == 2 ? even[g][r] * one + odd[g][r] : even[g][r] + odd[g][r]);
            a[g * M + M - 1 - r] = act(even[g][r] - odd[g][r]);
        }
}

template <int N, int M, class Act>
AF_PASS void rise_column_mirrored(const Vec *h, OutVecs a, int groups, const Vec *taps, const Act &act) {
    constexpr int G = 8 / M;
    int g = 0;
    for (; g + G <= groups; g += G) rise_groups_mirrored<N, M, G>(h + g, a + g * M, taps, act);
    for (; g < groups; g++) rise_groups_mirrored<N, M, 1>(h + g, a + g * M, taps, act);
}

inline bool all_below(const Vec *rows, int count, float most) {
    int above = 0;
    for (int i = 0; i < count; i++)
        for (int lane = 0; lane < AF_LANES; lane++) above |= !(rows[i][lane] <= most && rows[i][lane] >= -most);
    return above == 0;
}

// The same where some samples are too large: what each group takes depends on its own samples only.
template <int N, int M, class Act>
AF_PASS void rise_column_wary(const Vec *h, OutVecs a, int groups, const Vec *taps, const Vec *mirrored_taps, const Act &act) {
    for (int g = 0; g < groups; g++) {
        if (all_below(h + g, N, MIRRORED_MOST)) rise_groups_mirrored<N, M, 1>(h + g, a + g * M, mirrored_taps, act);
        else rise_groups<N, M, 1>(h + g, a + g * M, taps, act);
    }
}

template <class Act>
AF_PASS void rise_column_any(const Vec *h, OutVecs a, int groups, const Vec *taps, int n, int m, const Act &act) {
    for (int g = 0; g < groups; g++)
        for (int r = 0; r < m; r++) {
            Vec sum = taps[r * n] * h[g];
            for (int j = 1; j < n; j++) sum += taps[r * n + j] * h[g + j];
            a[g * m + r] = act(sum);
        }
}

// G output rows, each of K sums over T input rows. Symmetric taps: T / 2 of them for pairs of rows.
template <int T, int D, int K, int G>
inline __attribute__((always_inline)) void fall_rows(const Vec *a, float *t, size_t pitch, size_t part, const Vec *taps) {
    Vec sum[G][K], row[T + D * (G - 1)];
#pragma GCC unroll 64
    for (int j = 0; j < T + D * (G - 1); j++) row[j] = a[j];
#pragma GCC unroll 16
    for (int j = 0; j < T / 2; j++)
#pragma GCC unroll 4
        for (int g = 0; g < G; g++) {
            Vec pair = row[D * g + j] + row[D * g + T - 1 - j];
#pragma GCC unroll 4
            for (int k = 0; k < K; k++) sum[g][k] = j == 0 ? taps[k * T] * pair : sum[g][k] + taps[k * T + j] * pair;
        }
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
#pragma GCC unroll 4
        for (int k = 0; k < K; k++) *(Vec *)(t + k * part + g * pitch) = sum[g][k];
}

template <int T, int D, int K>
AF_PASS void fall_column_symmetric(const Vec *a, float *t, int rows, size_t pitch, size_t part, const Vec *taps, int, int, int) {
    constexpr int G = T + D > 16 ? 1 : K >= 3 ? 4 : 2;
    int o = 0;
    for (; o + G <= rows; o += G) fall_rows<T, D, K, G>(a + o * D, t + o * pitch, pitch, part, taps);
    for (; o < rows; o++) fall_rows<T, D, K, 1>(a + o * D, t + o * pitch, pitch, part, taps);
}

// The same where the terms are `pivoted`: of its K pivots, term k has tap 1 at its own and 0 at the others', so that a term begins with its
// pivot's pair and K (T / 2 - K) products remain of K T / 2.
constexpr int PIVOTED_TAPS = 12;

constexpr int pivot_of(int terms, int k) { return terms == 4 && k == 0 ? 0 : PIVOTED_TAPS / 2 - 1 - 2 * (terms - 1 - k); }

constexpr bool is_pivot(int terms, int tap) {
    for (int k = 0; k < terms; k++)
        if (pivot_of(terms, k) == tap) return true;
    return false;
}

template <int K, int G>
inline __attribute__((always_inline)) void fall_rows_pivoted(const Vec *a, float *t, size_t pitch, size_t part, const Vec *taps) {
    constexpr int T = PIVOTED_TAPS;
    Vec sum[G][K], row[T + 2 * (G - 1)];
#pragma GCC unroll 64
    for (int j = 0; j < T + 2 * (G - 1); j++) row[j] = a[j];
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
#pragma GCC unroll 4
        for (int k = 0; k < K; k++) sum[g][k] = row[2 * g + pivot_of(K, k)] + row[2 * g + T - 1 - pivot_of(K, k)];
#pragma GCC unroll 16
    for (int j = 0; j < T / 2; j++) {
        if (is_pivot(K, j)) continue;
#pragma GCC unroll 4
        for (int g = 0; g < G; g++) {
            Vec pair = row[2 * g + j] + row[2 * g + T - 1 - j];
#pragma GCC unroll 4
            for (int k = 0; k < K; k++) sum[g][k] += taps[k * T + j] * pair;
        }
    }
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
#pragma GCC unroll 4
        for (int k = 0; k < K; k++) *(Vec *)(t + k * part + g * pitch) = sum[g][k];
}

// The taps in registers; three terms of four rows would not fit beside them.
template <int K>
AF_PASS void fall_column_pivoted(const Vec *a, float *t, int rows, size_t pitch, size_t part, const Vec *taps) {
    constexpr int T = PIVOTED_TAPS, G = K >= 3 ? 2 : 4;
    Vec tap[K * T];
#pragma GCC unroll 4
    for (int k = 0; k < K; k++)
#pragma GCC unroll 6
        for (int j = 0; j < T / 2; j++) {
            if (is_pivot(K, j)) continue;
            tap[k * T + j] = taps[k * T + j];
            hold(tap[k * T + j]);
        }
    int o = 0;
    for (; o + G <= rows; o += G) fall_rows_pivoted<K, G>(a + o * 2, t + o * pitch, pitch, part, tap);
    for (; o < rows; o++) fall_rows_pivoted<K, 1>(a + o * 2, t + o * pitch, pitch, part, tap);
}

AF_PASS void fall_column_any(const Vec *a, float *t, int rows, size_t pitch, size_t part, const Vec *taps, int count, int d, int rank) {
    for (int k = 0; k < rank; k++)
        for (int o = 0; o < rows; o++) {
            const Vec *row = a + (size_t)o * d;
            Vec sum = taps[k * count] * row[0], other = {};
            int j = 1;
            for (; j + 1 < count; j += 2) {
                other += taps[k * count + j] * row[j];
                sum += taps[k * count + j + 1] * row[j + 1];
            }
            if (j < count) other += taps[k * count + j] * row[j];
            *(Vec *)(t + k * part + o * pitch) = sum + other;
        }
}

}  // namespace
