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

// One tile of the result, in memory.
struct Tile {
    alignas(64) float at[ROWS * HALF_LANES];

    CONV_INLINE float* vector(int m, int n) { return at + m * HALF_LANES + n * LANES; }
    CONV_INLINE const float* vector(int m, int n) const { return at + m * HALF_LANES + n * LANES; }
};

typedef Vec Sum[ROWS][VECTORS];

template <class F>
CONV_INLINE void each(F&& f) {
#pragma GCC unroll 16
    for (int m = 0; m < ROWS; ++m)
#pragma GCC unroll 4
        for (int n = 0; n < VECTORS; ++n) f(m, n);
}

// result = start + A B. A function of its own, so that the compiler keeps all of the tile in registers.
__attribute__((noinline)) void add_product(const Tile& start, const float* a, const float* b, int64_t steps, Hint hint, Tile& result) {
    Sum sum;
    each([&](int m, int n) { sum[m][n] = load(start.vector(m, n)); });
    accumulate<Float32>(sum, steps, a, b, HALF_LANES, steps * ROWS, hint);
    each([&](int m, int n) { store(result.vector(m, n), sum[m][n]); });
}

// The products in a chain of partial sums, so that a tile of the result leaves the registers only where it is used twice: add(start, part,
// result) is result = start + product, out(tile, row, column) takes one of the four results.
template <class Add, class Out>
CONV_INLINE void seven_products(Add&& add, Out&& out) {
    static const Tile zero = {};
    Tile u1, u2, u3, sum;
    add(zero, X11, u1);
    add(u1, X21, sum);
    out(sum, 0, 0);
    add(u1, T2, u2);
    add(u2, T3, u3);
    add(u3, X21_LESS_T2, sum);
    out(sum, 1, 0);
    add(zero, T1, sum);
    each([&](int m, int n) {
        const Vec v = load(sum.vector(m, n));
        store(u3.vector(m, n), v + load(u3.vector(m, n)));
        store(sum.vector(m, n), v + load(u2.vector(m, n)));
    });
    out(u3, 1, 1);
    add(sum, X22, sum);
    out(sum, 0, 1);
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
