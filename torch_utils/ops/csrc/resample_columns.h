// All four passes in one, column by column, for filters of 12 x 12 taps that are no product of two and mirror themselves both ways, up two
// or four and down two, AVX-512.
//
// One vector of a chunk's rows is read, upsampled, activated and downsampled without leaving the first-level cache; what its samples give to
// the outputs that begin in the vector before is added to those, which are then complete. A filter that is a sum of separable ones takes
// fewer products, and no sums that go through memory, as six filters along rows, one for each pair of a column's rows.
//
// A step is one sample of each plane of upsampled samples. Output i is the sum over j of z[j][i + j], where z[j][i] is what step i gives to
// the output j steps before it. As the taps are their own mirror image, two z of a pair have each other's taps in turn (resample_fold.h).
#pragma once

#include "resample_fold.h"

namespace {

constexpr int COLUMN_PAIRS = FOLD_TAPS / 2;  // of rows
constexpr int column_taps(int planes) { return COLUMN_PAIRS * folded_taps(planes); }
constexpr int column_sums(int planes) { return planes == 2 ? 6 : 7; }  // z of a vector of steps
constexpr int column_skip(int planes) { return planes == 2 ? 0 : 1; }  // Axis::skip that is served: that of the layers' paddings
constexpr int COLUMN_ROWS = 42;              // of a chunk: what lies between the passes of a column stays in the first-level cache

// Filters along rows for each pair of a column's rows, from `rank` separable terms.
[[maybe_unused]] inline void spread_pairs(const float *x, const float *y, int rank, int planes, Vec *out) {
    for (int i = 0; i < COLUMN_PAIRS; i++) {
        float c[FOLD_TAPS];
        for (int j = 0; j < FOLD_TAPS; j++) {
            double sum = 0;
            for (int k = 0; k < rank; k++) sum += (double)y[k * FOLD_TAPS + i] * x[k * FOLD_TAPS + j];
            c[j] = (float)sum;
        }
        spread_folded(c, planes, out + i * folded_taps(planes));
    }
}

#if AF_LANES == 16

// Rows of an image, some of which may not exist: those are zero.
struct ColumnSource {
    RowSource row;  // the first
    int64_t pitch;  // floats from one row to the next
    int from, to;   // the rows that exist, of those asked for
};

// Sample j and those before it of a window, `LATER` steps later, by one phase's taps.
template <int J, int LATER>
inline __attribute__((always_inline)) Vec add_phase(Vec low, Vec high, const Vec *taps) {
    if constexpr (J == 0) return taps[0] * slide<LATER>(low, high);
    else return add_phase<J - 1, LATER>(low, high, taps) + taps[J] * slide<J + LATER>(low, high);
}

// One step of a row's rise, its phases in the order in which they are folded: from the first that an output needs, column_skip(P).
template <int P>
inline __attribute__((always_inline)) void rise_in_order(Vec low, Vec high, const Vec *mirrored, const Vec *plain, Vec *sum) {
    if constexpr (P == 2) return MirroredRise<6, 2>::step(low, high, mirrored, sum);
    MirroredRise<6, 2>::step(low, high, mirrored + MirroredRise<6, 2>::TAPS, sum);  // phases 1 and 2
    sum[2] = add_phase<5, 0>(low, high, plain + 3 * 6);
    sum[3] = add_phase<5, 1>(low, high, plain);
}

template <int P>
inline __attribute__((always_inline)) void rise_in_order_plainly(Vec low, Vec high, const Vec *plain, Vec *sum) {
    if constexpr (P == 2) return Rise<6, 2>::step(low, high, plain, sum);
    for (int r = 1; r < P; r++) sum[r - 1] = add_phase<5, 0>(low, high, plain + r * 6);
    sum[P - 1] = add_phase<5, 1>(low, high, plain);
}

enum ColumnEdge { INSIDE, EDGE, WARY };  // all samples exist; some may not; and some may be too large for sums and differences

// Two vectors of each row, from step `at` on, upsampled along it into one vector of each of P planes. Returns the largest magnitude, as the
// bits of a float.
template <int P, ColumnEdge EDGES>
AF_PASS uint32_t rise_column_of_rows(const ColumnSource &given, int at, Vec *h, size_t plane, const Vec *mirrored, const Vec *plain,
                                     uint32_t most) {
    const ColumnSource source = given;
    const Vec scale = broadcast(source.row.scale), bias = broadcast(source.row.bias);
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i peak = _mm512_setzero_si512();
    Vec taps[3 * P];  // in registers
#pragma GCC unroll 12
    for (int i = 0; i < 3 * P; i++) taps[i] = mirrored[i];
    RowSource row = source.row;
    row.row = (const float *)((uintptr_t)row.row + source.from * source.pitch * 4);
    for (int i = source.from; i < source.to; i++, row.row = (const float *)((uintptr_t)row.row + source.pitch * 4)) {
        Vec low, high, sum[P];
        if constexpr (EDGES == INSIDE) {
            low = load(row.row + at) * scale + bias;
            high = load(row.row + at + 16) * scale + bias;
        } else {
            low = load_source(row, at, scale, bias);
            high = load_source(row, at + 16, scale, bias);
        }
        const __m512i low_bits = _mm512_and_epi32(_mm512_castps_si512(low), magnitude);
        const __m512i here = _mm512_max_epu32(low_bits, _mm512_and_epi32(_mm512_castps_si512(high), magnitude));
        peak = _mm512_max_epu32(peak, here);
        if (EDGES == WARY && _mm512_reduce_max_epu32(here) > most) rise_in_order_plainly<P>(low, high, plain, sum);
        else rise_in_order<P>(low, high, taps, plain, sum);
#pragma GCC unroll 4
        for (int q = 0; q < P; q++) h[i + q * plane] = sum[q];
    }
    return _mm512_reduce_max_epu32(peak);
}

// What G output rows get from a vector of steps; rows of `a` are those of the first. The empty instruction keeps the compiler from loading
// taps again for each product.
template <int G>
inline __attribute__((always_inline)) void fold_pairs(const Vec *a, size_t plane, const Vec *taps, Vec (*z)[6]) {
    Vec even[3][G] = {}, odd[3][G] = {};
    const Vec *const b = a + plane;
#pragma GCC unroll 6
    for (int i = 0; i < COLUMN_PAIRS; i++, taps += folded_taps(2)) {
        Vec plus[G], minus[G];
#pragma GCC unroll 3
        for (int g = 0; g < G; g++) {
            const int low = 2 * g + i, high = 2 * g + FOLD_TAPS - 1 - i;
            const Vec p = a[low] + a[high], q = b[low] + b[high];
            plus[g] = p + q, minus[g] = p - q;
        }
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
            Vec sum = taps[2 * j], difference = taps[2 * j + 1];
            hold(sum), hold(difference);
#pragma GCC unroll 3
            for (int g = 0; g < G; g++) {
                even[j][g] += sum * plus[g];
                odd[j][g] += difference * minus[g];
            }
        }
    }
#pragma GCC unroll 3
    for (int g = 0; g < G; g++)
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) {
            z[g][j] = even[j][g] + odd[j][g];
            z[g][5 - j] = even[j][g] - odd[j][g];
        }
}

// The same from four planes: z[0 .. 2] belong to even outputs, z[3 .. 6] to odd ones.
template <int G>
inline __attribute__((always_inline)) void fold_pairs(const Vec *a, size_t plane, const Vec *taps, Vec (*z)[7]) {
    Vec even_0[G] = {}, even_1[G] = {}, odd_0[G] = {}, odd_1[G] = {}, middle[G] = {}, first[G] = {}, last[G] = {};
#pragma GCC unroll 6
    for (int i = 0; i < COLUMN_PAIRS; i++, taps += folded_taps(4)) {
        Vec p[G], q[G], r[G], s[G];
#pragma GCC unroll 2
        for (int g = 0; g < G; g++) {
            const Vec *low = a + 2 * g + i, *high = a + 2 * g + FOLD_TAPS - 1 - i;
            p[g] = low[0] + high[0], q[g] = low[plane] + high[plane];
            r[g] = low[2 * plane] + high[2 * plane], s[g] = low[3 * plane] + high[3 * plane];
        }
        add_product<G>(taps[10], r, first, q, last);
        add_product<G>(taps[11], s, first, p, last);
#pragma GCC unroll 2
        for (int g = 0; g < G; g++) {
            const Vec outer = p[g] - s[g], inner = q[g] - r[g];
            p[g] += s[g], q[g] += r[g], r[g] = inner, s[g] = outer;
        }
        add_product<G>(taps[0], p, even_0);
        add_product<G>(taps[1], s, odd_0);
        add_product<G>(taps[4], p, even_1);
        add_product<G>(taps[5], s, odd_1);
        add_product<G>(taps[8], p, middle);
        add_product<G>(taps[2], q, even_0);
        add_product<G>(taps[3], r, odd_0);
        add_product<G>(taps[6], q, even_1);
        add_product<G>(taps[7], r, odd_1);
        add_product<G>(taps[9], q, middle);
    }
#pragma GCC unroll 2
    for (int g = 0; g < G; g++) {
        z[g][0] = even_0[g] + odd_0[g], z[g][1] = middle[g], z[g][2] = even_0[g] - odd_0[g];
        z[g][3] = first[g], z[g][4] = even_1[g] + odd_1[g], z[g][5] = even_1[g] - odd_1[g], z[g][6] = last[g];
    }
}

// Where a column's outputs go: those that begin in the vector of steps before it.
struct ColumnTarget {
    Vec *before;   // [row][column_sums(P)]: z of that vector; replaced by this one's
    float *y;      // its outputs in the first row
    size_t pitch;  // floats from one row to the next
    Vec scale;
};

template <int P, int G>
inline __attribute__((always_inline)) void fall_rows_of_column(const Vec *a, size_t plane, Vec *before, float *y, size_t pitch,
                                                               const Vec *taps, Vec scale) {
    constexpr int SUMS = column_sums(P);
    Vec z[G][SUMS];
    fold_pairs<G>(a, plane, taps, z);
#pragma GCC unroll 3
    for (int g = 0; g < G; g++, before += SUMS, y += pitch) {
        Vec sum[P / 2];
        add_steps<P>(before, z[g], sum);
        store_samples<P / 2>(y, sum, scale, P / 2 * AF_LANES);
#pragma GCC unroll 7
        for (int j = 0; j < SUMS; j++) before[j] = z[g][j];
    }
}

// `a` and, `plane` vectors on, the other planes: upsampled rows from the first that the first output row needs.
template <int P>
AF_PASS void fall_column_of_rows(const ColumnTarget &target, const Vec *a, size_t plane, int rows, const Vec *taps) {
    constexpr int G = P == 2 ? 3 : 2, SUMS = column_sums(P);
    Vec *before = target.before;
    float *y = target.y;
    const size_t pitch = target.pitch;
    const Vec scale = target.scale;
    for (; rows >= G; rows -= G, a += 2 * G, before += G * SUMS, y += G * pitch)
        fall_rows_of_column<P, G>(a, plane, before, y, pitch, taps, scale);
    for (; rows > 0; rows--, a += 2, before += SUMS, y += pitch) fall_rows_of_column<P, 1>(a, plane, before, y, pitch, taps, scale);
}

// The outputs that begin in the last vector of steps: its own samples do.
template <int P>
AF_PASS void end_column_of_rows(const ColumnTarget &target, int rows) {
    for (int o = 0; o < rows; o++) {
        const Vec *before = target.before + o * column_sums(P);
        Vec sum[P / 2];
        add_steps<P>(before, before, sum);
        store_samples<P / 2>(target.y + o * target.pitch, sum, target.scale, P / 2 * AF_LANES);
    }
}

#endif

}  // namespace
