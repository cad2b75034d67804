// What one and two levels of Strassen's algorithm share. In Winograd's form (Winograd 1971): with output channels, input channels and
// pixels in two halves each, out = W x takes seven products of halves instead of eight,
//
//     s1 = w21 + w22   s2 = s1 - w11   s3 = w11 - w21   s4 = w12 - s2        t1 = x12 - x11   t2 = x22 - t1   t3 = x22 - x12
//     u2 = w11 x11 + s2 t2      u3 = u2 + s3 t3
//     out11 = w11 x11 + w12 x21                          out12 = u2 + s1 t1 + s4 x22
//     out21 = u3 + w22 (x21 - t2)                        out22 = u3 + s1 t1
#pragma once

#include "conv_traffic.h"

namespace {

enum Part { X11, X21, T2, T3, X21_LESS_T2, T1, X22, PARTS };  // in the order of the products

constexpr int64_t HALF_LANES = VECTORS * LANES;

// The weights' side of each product.
inline void parts_of_weight(double w11, double w12, double w21, double w22, double parts[PARTS]) {
    const double s1 = w21 + w22, s2 = s1 - w11;
    parts[X11] = w11, parts[X21] = w12, parts[T2] = s2, parts[T3] = w11 - w21;
    parts[X21_LESS_T2] = w22, parts[T1] = s1, parts[X22] = w12 - s2;
}

// The input's side, one vector of each, `part` floats apart.
CONV_INLINE void store_parts(int64_t part, Vec x11, Vec x12, Vec x21, Vec x22, float* target) {
    const Vec t1 = x12 - x11, t2 = x22 - t1;
    store(target + X11 * part, x11);
    store(target + X21 * part, x21);
    store(target + T2 * part, t2);
    store(target + T3 * part, x22 - x12);
    store(target + X21_LESS_T2 * part, x21 - t2);
    store(target + T1 * part, t1);
    store(target + X22 * part, x22);
}

// Output channels are taken in sets of some panels. In the last set, half of a panel's rows serve where they are enough: then its panels have
// HALF_ROWS rows each, though room for ROWS.
constexpr int64_t HALF_ROWS = ROWS / 2;

CONV_INLINE int64_t panel_height(int64_t out_channels, int64_t set, int64_t panels) {
    return out_channels - set * panels * ROWS <= panels * HALF_ROWS ? HALF_ROWS : ROWS;
}

template <class F>
CONV_INLINE void with_height(int64_t height, F&& f) {
    if (height == HALF_ROWS) f(RowCount<HALF_ROWS>{});
    else f(RowCount<ROWS>{});
}

// Where a panel of a set begins, and its target.
CONV_INLINE int64_t channel_of(int64_t set, int64_t panels, int64_t panel, int64_t height) { return set * panels * ROWS + panel * height; }

CONV_INLINE Target panel_target(const ConvCall& c, int64_t pixels, int64_t image, int64_t channel, int64_t height, int64_t pixel) {
    Target target = target_of(c, pixels, image, channel, pixel);
    target.rows = smaller(target.rows, height);
    return target;
}

// One tile of the result: in memory, and in registers.
struct Tile {
    alignas(64) float at[ROWS * HALF_LANES];

    CONV_INLINE float* vector(int m, int n) { return at + m * HALF_LANES + n * LANES; }
    CONV_INLINE const float* vector(int m, int n) const { return at + m * HALF_LANES + n * LANES; }
};

template <int M>
using Sum = Vec[M][VECTORS];

template <int M, class F>
CONV_INLINE void each(F&& f) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < VECTORS; ++n) f(m, n);
}

// What seven products multiply: the parts of two panels of weights and of a group's input; and hints. reads(part, a): what to fetch beside
// a part's product; writes(row, column): where out() puts a result; sums(row): what out() reads for a row of results.
template <int M, class ReadHints, class WriteHints, class SumHints>
struct Factors {
    static constexpr int HEIGHT = M;  // of a panel

    const float *weight, *input;
    int64_t panel, part, steps;  // floats from one part of the weights to the next, of the input; depth
    ReadHints reads;
    WriteHints writes;
    SumHints sums;

    template <class... Hints>
    CONV_INLINE void add_product(Sum<M>& sum, Part i, Hints... hints) const {
        const float* const a = weight + i * panel;
        accumulate<Float32>(sum, steps, a, input + i * part, HALF_LANES, panel, reads(i, a), hints...);
    }
};

template <int M, class ReadHints, class WriteHints, class SumHints>
CONV_INLINE Factors<M, ReadHints, WriteHints, SumHints> factors(const float* weight, const float* input, int64_t panel, int64_t part,
                                                                int64_t steps, ReadHints reads, WriteHints writes, SumHints sums) {
    return {weight, input, panel, part, steps, reads, writes, sums};
}

// The products in chains of partial sums that stay in registers, and go to memory only where they are used twice: out(row, column, value)
// takes one of the four results, value(m, n) being vector n of its row m. The chains are functions of their own, so that the compiler
// keeps all of the tile in registers.
template <class Factors, class Out>
__attribute__((noinline)) void upper_left(const Factors& f, const Out& out, Tile& u1) {
    Sum<Factors::HEIGHT> sum = {};
    f.add_product(sum, X11, f.sums(0));
    each<Factors::HEIGHT>([&](int m, int n) { store(u1.vector(m, n), sum[m][n]); });
    f.add_product(sum, X21, f.writes(0, 0));
    out(0, 0, [&](int m, int n) { return sum[m][n]; });
}

template <class Factors, class Out>
__attribute__((noinline)) void lower_left(const Factors& f, const Out& out, const Tile& u1, Tile& u2, Tile& u3) {
    Sum<Factors::HEIGHT> sum;
    each<Factors::HEIGHT>([&](int m, int n) { sum[m][n] = load(u1.vector(m, n)); });
    f.add_product(sum, T2, f.sums(1));
    each<Factors::HEIGHT>([&](int m, int n) { store(u2.vector(m, n), sum[m][n]); });
    f.add_product(sum, T3);
    each<Factors::HEIGHT>([&](int m, int n) { store(u3.vector(m, n), sum[m][n]); });
    f.add_product(sum, X21_LESS_T2, f.writes(1, 0));
    out(1, 0, [&](int m, int n) { return sum[m][n]; });
}

template <class Factors, class Out>
__attribute__((noinline)) void right(const Factors& f, const Out& out, const Tile& u2, const Tile& u3) {
    Sum<Factors::HEIGHT> sum = {};
    f.add_product(sum, T1, f.writes(1, 1));
    out(1, 1, [&](int m, int n) { return sum[m][n] + load(u3.vector(m, n)); });
    each<Factors::HEIGHT>([&](int m, int n) { sum[m][n] += load(u2.vector(m, n)); });
    f.add_product(sum, X22, f.writes(0, 1));
    out(0, 1, [&](int m, int n) { return sum[m][n]; });
}

template <class Factors, class Out>
CONV_INLINE void seven_products(const Factors& f, const Out& out) {
    Tile u1, u2, u3;
    upper_left(f, out, u1);
    lower_left(f, out, u1, u2, u3);
    right(f, out, u2, u3);
}

// A whole tile of M rows, from value(m, n), scaled on its way out.
template <int M, class Value>
CONV_INLINE void finish_tile(const Target& t, const Value& value) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
        if (m >= t.rows) break;
        const Vec scale = splat(t.scale ? t.scale[m] : 1.f), bias = splat(t.bias ? t.bias[m] : 0.f);
#pragma GCC unroll 4
        for (int n = 0; n < VECTORS; ++n) store(t.out + m * t.pitch + n * LANES, value(m, n) * scale + bias);
    }
}

// `depth` channels of `count` vectors of an image, scaled, zero where there are no more channels or pixels: [depth][count vectors].
inline void pack_plain(const ConvCall& c, int64_t image, int64_t vector, int64_t count, int64_t depth, float* packed) {
    const int64_t pixels = c.in_height * c.in_width;
    for (int64_t k = 0; k < depth; ++k) {
        const int64_t plane = image * c.in_channels + k;
        for (int64_t n = 0; n < count; ++n, packed += LANES) {
            const int64_t pixel = (vector + n) * LANES;
            const bool exists = k < c.in_channels;
            const Vec v = exists ? load_lanes(c.x + plane * pixels + pixel, 0, pixels - pixel) : Vec{};
            store(packed, splat(c.in_scale && exists ? c.in_scale[plane] : 1.f) * v);
        }
    }
}

}  // namespace
