// Passes along a row, whose operands are windows of neighbouring samples.
//
// A window that begins inside a vector is a load across a cache line, of which there is one in a cycle. With AVX-512 the windows are cut out of
// two whole vectors in registers instead (`slide`), and an input row needs no copy with zeros around it: its loads are masked.
#pragma once

#include "resample_kernels.h"

namespace {

// One input row: out[s] = row[s] * scale + bias for first <= s < last, else 0. `row` may point outside the row's memory.
struct RowSource {
    const float *row;
    int first, last;
    float scale, bias;
};

#if AF_LANES == 16

template <int J>
inline Vec slide(Vec low, Vec high) {
    if constexpr (J == 0) return low;
    return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(high), _mm512_castps_si512(low), J));
}

inline uint32_t lanes_below(int count) { return count <= 0 ? 0 : count >= 16 ? 0xffff : (1u << count) - 1; }

inline Vec load_source(const RowSource &source, int at, Vec scale, Vec bias) {
    __mmask16 mask = (__mmask16)(lanes_below(source.last - at) & ~lanes_below(source.first - at));
    Vec x = _mm512_maskz_loadu_ps(mask, (const void *)((uintptr_t)source.row + (intptr_t)at * 4));
    return _mm512_maskz_fmadd_ps(mask, x, scale, bias);
}

template <int N, int M, int J>
inline __attribute__((always_inline)) void add_windows(Vec low, Vec high, const Vec *taps, Vec *sum) {
    if constexpr (J < N) {
        Vec window = slide<J>(low, high);
#pragma GCC unroll 4
        for (int r = 0; r < M; r++) sum[r] = J == 0 ? taps[r * N] * window : sum[r] + taps[r * N + J] * window;
        add_windows<N, M, J + 1>(low, high, taps, sum);
    }
}

// One step of a row's rise: from its samples in two vectors to one vector of each of M planes.
template <int N, int M>
struct Rise {
    static constexpr int PHASES = M, TAPS = N * M;

    static inline __attribute__((always_inline)) void step(Vec low, Vec high, const Vec *taps, Vec *sum) {
        add_windows<N, M, 0>(low, high, taps, sum);
    }
};

// The same by sums and differences, where the taps mirror each other (resample_kernels.h).
template <int N, int M>
struct MirroredRise {
    static constexpr int PHASES = M, TAPS = N / 2 * M;

    template <int J>
    static inline __attribute__((always_inline)) void add_pairs(Vec low, Vec high, const Vec *taps, Vec *even, Vec *odd) {
        if constexpr (J < N / 2) {
            const Vec a = slide<J>(low, high), b = slide<N - 1 - J>(low, high), plus = a + b, minus = a - b;
#pragma GCC unroll 2
            for (int r = 0; r < M / 2; r++) {
                const Vec *tap = taps + (r * N / 2 + J) * 2;
                even[r] = J == 0 ? tap[0] * plus : even[r] + tap[0] * plus;
                odd[r] = J == 0 ? tap[1] * minus : odd[r] + tap[1] * minus;
            }
            add_pairs<J + 1>(low, high, taps, even, odd);
        }
    }

    static inline __attribute__((always_inline)) void step(Vec low, Vec high, const Vec *taps, Vec *sum) {
        Vec even[M / 2], odd[M / 2];
        add_pairs<0>(low, high, taps, even, odd);
#pragma GCC unroll 2
        for (int r = 0; r < M / 2; r++) {
            sum[r] = even[r] + odd[r];
            sum[M - 1 - r] = even[r] - odd[r];
        }
    }
};

// One row to as many planes of `vectors` vectors as there are phases; vector v of the result goes to h + v * column. Returns the largest magnitude in the row, as the
// bits of a float: these are in the order of the magnitudes, with what is not a number above all.
template <class Rise>
AF_PASS uint32_t rise_row(const RowSource &source, float *h, int vectors, size_t column, const Vec *given) {
    constexpr int M = Rise::PHASES;
    constexpr bool FEW = Rise::TAPS <= 12;
    const Vec scale = broadcast(source.scale), bias = broadcast(source.bias);
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    Vec held[FEW ? Rise::TAPS : 1];  // in registers
#pragma GCC unroll 16
    for (int i = 0; FEW && i < Rise::TAPS; i++) held[i] = given[i];
    const Vec *const taps = FEW ? held : given;
    Vec low = load_source(source, 0, scale, bias);
    __m512i peak = _mm512_and_epi32(_mm512_castps_si512(low), magnitude);
    for (int i = 0; i < vectors; i++) {
        const int at = (i + 1) * 16;
        const bool inside = at >= source.first && at + 16 <= source.last;
        Vec high = inside ? load(source.row + at) * scale + bias : load_source(source, at, scale, bias), sum[M];
        peak = _mm512_max_epu32(peak, _mm512_and_epi32(_mm512_castps_si512(high), magnitude));
        Rise::step(low, high, taps, sum);
#pragma GCC unroll 4
        for (int r = 0; r < M; r++) *(Vec *)(h + (size_t)(r * vectors + i) * column) = sum[r];
        low = high;
    }
    return _mm512_reduce_max_epu32(peak);
}

template <int P, int W, int COUNT>
inline __attribute__((always_inline)) void cut_windows(const float *const *base, int at, Vec *low, Vec *high, Vec *window) {
    if constexpr (W < COUNT) {
        if constexpr (W < P) low[W] = load(base[W] + at);
        if constexpr (W >= P && W < 2 * P) high[W - P] = load(base[W - P] + at + 16);
        if constexpr (W < P) window[W] = low[W];
        else window[W] = slide<W / P>(low[W % P], high[W % P]);
        cut_windows<P, W + 1, COUNT>(base, at, low, high, window);
    }
}

template <int P, int COUNT>
inline __attribute__((always_inline)) void windows_at(const float *const *base, int at, Vec *window) {
    Vec low[P], high[P];
    cut_windows<P, 0, COUNT>(base, at, low, high, window);
}

#else

template <int P, int COUNT>
inline __attribute__((always_inline)) void windows_at(const float *const *base, int at, Vec *window) {
#pragma GCC unroll 32
    for (int w = 0; w < COUNT; w++) window[w] = load(base[w % P] + at + w / P);
}

#endif

// The same from a row that was copied with zeros around it.
template <int N, int M>
AF_PASS void rise_row(const float *x, float *h, int vectors, size_t column, const Vec *taps) {
    for (int i = 0; i < vectors; i++) {
        Vec sum[M];
#pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            Vec window = load(x + i * AF_LANES + j);
#pragma GCC unroll 4
            for (int r = 0; r < M; r++) sum[r] = j == 0 ? taps[r * N] * window : sum[r] + taps[r * N + j] * window;
        }
#pragma GCC unroll 4
        for (int r = 0; r < M; r++) *(Vec *)(h + (size_t)(r * vectors + i) * column) = sum[r];
    }
}

// What fall_row needs of a row: base[c] + w / P is window w's beginning, c = w % P; the terms' rows are `part` floats apart.
struct FallSource {
    const float *base[4];
    size_t part;
    int rank;
};

inline void store_first(float *y, Vec v, int count) {
    if (count >= AF_LANES) store(y, v);
    else if (count > 0) store_part(y, v, count);
}

// One output row from P planes by `rank` x T taps; its samples are in S planes in turn.
template <int P, int T, int S, bool SYMMETRIC, int G>
inline __attribute__((always_inline)) void fall_vectors(const FallSource &source, int at, const Vec *taps, Vec (*total)[S]) {
    constexpr int D = P / S, COUNT = T + D * (S - 1);
    Vec sum[G][S] = {}, other[G][S] = {};
    for (int k = 0; k < source.rank; k++) {
        Vec window[G][COUNT];
        const float *base[P];
        for (int c = 0; c < P; c++) base[c] = source.base[c] + k * source.part;
#pragma GCC unroll 2
        for (int g = 0; g < G; g++) windows_at<P, COUNT>(base, at + g * AF_LANES, window[g]);
        const Vec *tap = taps + k * T;
#pragma GCC unroll 32
        for (int j = 0; j < (SYMMETRIC ? T / 2 : T); j++)
#pragma GCC unroll 2
            for (int g = 0; g < G; g++)
#pragma GCC unroll 2
                for (int s = 0; s < S; s++) {
                    const Vec *w = window[g] + D * s;
                    Vec value = SYMMETRIC ? w[j] + w[T - 1 - j] : w[j];
                    if (j & 1) other[g][s] += tap[j] * value;
                    else sum[g][s] += tap[j] * value;
                }
    }
    for (int g = 0; g < G; g++)
        for (int s = 0; s < S; s++) total[g][s] = sum[g][s] + other[g][s];
}

inline void store_pair(float *y, const Vec *samples, int left) {
    Vec low, high;
    interleave(samples[0], samples[1], &low, &high);
    store_first(y, low, left);
    store_first(y + AF_LANES, high, left - AF_LANES);
}

template <int S>
inline void store_samples(float *y, const Vec *sum, Vec scale, int left) {
    if constexpr (S == 1) {
        store_first(y, sum[0] * scale, left);
    } else {
        const Vec scaled[2] = {sum[0] * scale, sum[1] * scale};
        store_pair(y, scaled, left);
    }
}

// One output row from P planes by `rank` x T taps; its samples are in S planes in turn.
template <int P, int T, int S, bool SYMMETRIC>
AF_PASS void fall_row(const FallSource &source, float *y, int width, const Vec *taps, Vec scale) {
    constexpr int STEP = AF_LANES * S;
    Vec sum[2][S];
    int done = 0, at = 0;
    for (; done + STEP < width; done += 2 * STEP, at += 2 * AF_LANES) {
        fall_vectors<P, T, S, SYMMETRIC, 2>(source, at, taps, sum);
        store_samples<S>(y + done, sum[0], scale, STEP);
        store_samples<S>(y + done + STEP, sum[1], scale, width - done - STEP);
    }
    if (done < width) {
        fall_vectors<P, T, S, SYMMETRIC, 1>(source, at, taps, sum);
        store_samples<S>(y + done, sum[0], scale, width - done);
    }
}

// A row from `count` planes, `step` floats apart, that hold its samples in turn.
AF_PASS void join_planes(const float *planes, int count, int step, float *y, int width, float by) {
    const Vec scale = broadcast(by);
    const auto at = [&](int plane, int i) { return load(planes + plane * step + i) * scale; };
    for (int i = 0; count == 1 && i < width; i += AF_LANES) store_first(y + i, at(0, i), width - i);
    for (int i = 0; count == 2 && 2 * i < width; i += AF_LANES) {
        const Vec samples[2] = {at(0, i), at(1, i)};
        store_pair(y + 2 * i, samples, width - 2 * i);
    }
    for (int i = 0; count == 4 && 4 * i < width; i += AF_LANES) {
        Vec even[2], odd[2];
        interleave(at(0, i), at(2, i), &even[0], &even[1]);
        interleave(at(1, i), at(3, i), &odd[0], &odd[1]);
        for (int half = 0; half < 2; half++) {
            const Vec samples[2] = {even[half], odd[half]};
            store_pair(y + 4 * i + 2 * half * AF_LANES, samples, width - 4 * i - 2 * half * AF_LANES);
        }
    }
    if (count == 3 || count > 4)
        for (int s = 0; s < count; s++)
            for (int i = s, from = s * step; i < width; i += count, from++) y[i] = planes[from] * by;
}

// Any taps and periods: `at` says where each tap's window begins.
AF_PASS void sum_windows(const float *x, const int32_t *at, const Vec *taps, int count, float *y, size_t step, int vectors, int add) {
    int i = 0;
    for (; i + 4 <= vectors; i += 4) {
        Vec sum[4] = {};
        if (add)
            for (int v = 0; v < 4; v++) sum[v] = *(const Vec *)(y + (i + v) * step);
        for (int k = 0; k < count; k++) {
            const float *window = x + at[k] + i * AF_LANES;
            Vec tap = taps[k];
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++) sum[v] += tap * load(window + v * AF_LANES);
        }
        for (int v = 0; v < 4; v++) *(Vec *)(y + (i + v) * step) = sum[v];
    }
    for (; i < vectors; i++) {
        Vec sum = add ? *(const Vec *)(y + i * step) : Vec{};
        for (int k = 0; k < count; k++) sum += taps[k] * load(x + at[k] + i * AF_LANES);
        *(Vec *)(y + i * step) = sum;
    }
}

}  // namespace
