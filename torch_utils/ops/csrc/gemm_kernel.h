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

// sum += A B. `ahead` is how far beyond `a` the next panel lies, in floats: weights stream from memory, and without a
// prefetch spread over the loop the FMA ports idle a quarter of the time (a burst of prefetches does not help).
template <int M, int N>
CONV_INLINE void accumulate(Vec (&sum)[M][N], int64_t depth, const float* a, const float* b, int64_t ldb, int64_t ahead) {
    for (int64_t k = 0; k < depth; ++k, a += ROWS, b += ldb) {
        Vec column[N];
        __builtin_prefetch(a + ahead, 0, 2);
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) column[n] = load(b + n * LANES);
#pragma GCC unroll 16
        for (int m = 0; m < M; ++m) {
            const Vec row = splat(a[m]);
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) sum[m][n] += row * column[n];
        }
    }
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
