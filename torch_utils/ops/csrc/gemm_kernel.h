// The register-blocked inner product shared by the Winograd and the matrix-product convolutions.
//
// A is packed in panels of ROWS rows, depth-major: a[k * ROWS + m]. B holds `ldb` floats per depth step. One tile of the
// result, M <= ROWS rows by N vectors, lives in registers: 8x48 floats on AVX-512 (24 of 32 registers, 11 loads per 24
// FMAs), 6x16 on AVX2 (12 of 16), 6x8 elsewhere.
#pragma once

#include "conv_vector.h"

namespace {

#if defined(__AVX512F__)
constexpr int ROWS = 8, VECTORS = 3;
#else
constexpr int ROWS = 6, VECTORS = 2;
#endif

// Hints: memory that the kernel asks for on its way, VECTORS vectors of it for every two steps: what will be read when this block is done,
// or written when this tile is. The kernel itself keeps the load ports half idle, so the lines arrive for nothing.
constexpr int64_t LINE = 16;  // floats

struct Reads {
    const float* next;
    int64_t stride;  // floats

    CONV_INLINE void fetch() {
#pragma GCC unroll 4
        for (int64_t i = 0; i < VECTORS * LANES; i += LINE) __builtin_prefetch(next + i, 0, 2);
        next += stride;
    }
};

// A store to a line that is not in a cache waits until it has been read from memory, and then all stores wait.
struct Writes {
    const float* next;
    int64_t stride, count;

    CONV_INLINE void fetch() {
#pragma GCC unroll 4
        for (int64_t i = 0; i < VECTORS * LANES; i += LINE) __builtin_prefetch(next + i, 1);
        next += stride;
        stride = --count > 1 ? stride : 0;
    }
};

struct Nothing {
    CONV_INLINE void fetch() {}
};

struct Float32 {
    static constexpr int64_t JOINED = 1;  // depths to a step

    static CONV_INLINE Vec join(const Vec (&depths)[1]) { return depths[0]; }
    static CONV_INLINE Vec multiply_add(Vec sum, Vec a, Vec b) { return sum + a * b; }
};

template <class Format, int M, int N>
CONV_INLINE void step(Vec (&sum)[M][N], const float* a, const float* b) {
    Vec column[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) column[n] = load(b + n * LANES);
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
        const Vec row = splat(a[m]);
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sum[m][n] = Format::multiply_add(sum[m][n], row, column[n]);
    }
}

// Steps of sum += A B until `kept` or one more are left. `ahead` is how far beyond `a` the next panel lies, in floats: weights stream from
// memory, and without a prefetch spread over the loop the FMA ports idle a quarter of the time (a burst of prefetches does not help).
template <class Format, int M, int N, class... Hints>
CONV_INLINE void accumulate_until(int64_t kept, Vec (&sum)[M][N], int64_t& steps, const float*& a, const float*& b, int64_t ldb,
                                  int64_t ahead, Hints&... hints) {
    for (; steps > kept; steps -= 2, a += 2 * ROWS, b += 2 * ldb) {
        __builtin_prefetch(a + ahead, 0, 2);
        step<Format>(sum, a, b);
        (hints.fetch(), ...);
        step<Format>(sum, a + ROWS, b + ldb);
    }
}

// sum += A B. What will be written is asked for shortly before the end: B would push it out of the first cache again.
template <class Format, int M, int N, class ReadHint = Nothing, class... WriteHint>
CONV_INLINE void accumulate(Vec (&sum)[M][N], int64_t steps, const float* a, const float* b, int64_t ldb, int64_t ahead,
                            ReadHint read = {}, WriteHint... written) {
    constexpr int64_t LATE = 8 * ROWS;
    if (sizeof...(written) > 0) accumulate_until<Format>(LATE, sum, steps, a, b, ldb, ahead, read);
    accumulate_until<Format>(1, sum, steps, a, b, ldb, ahead, read, written...);
    if (steps > 0) step<Format>(sum, a, b);
}

// Calls f with integral constants (M, N) equal to the run-time (rows, vectors): one compiled kernel for each shape.
template <int M>
struct RowCount {
    static constexpr int value = M;
};

template <int M = ROWS, class F>
CONV_INLINE void with_rows(int64_t rows, F&& f) {
    if constexpr (M > 1) {
        if (rows < M) return with_rows<M - 1>(rows, f);
    }
    f(RowCount<M>{});
}

template <int N = VECTORS, class F>
CONV_INLINE void with_vectors(int64_t vectors, F&& f) {
    if constexpr (N > 1) {
        if (vectors < N) return with_vectors<N - 1>(vectors, f);
    }
    f(RowCount<N>{});
}

// Splits `vectors` into groups of at most VECTORS of nearly equal size (a lone narrow group would starve the FMA ports)
// and calls f(first, count).
template <class F>
CONV_INLINE void for_vector_groups(int64_t vectors, F&& f) {
    for (int64_t groups = ceil_div(vectors, VECTORS), first = 0; groups > 0; --groups) {
        const int64_t count = ceil_div(vectors - first, groups);
        f(first, count);
        first += count;
    }
}

}  // namespace
