// What crosses between a product's registers and memory: the scaled result on its way out, and hints for the input that comes next, which a
// thread knows because units of work are handed out one ahead.
#pragma once

#include "conv_call.h"
#include "gemm_kernel.h"

namespace {

struct Target {
    float* out;  // first output row of the panel
    int64_t pitch, rows, lanes;
    const float* scale;
    const float* bias;

    CONV_INLINE Writes writes() const { return {out, pitch, smaller(ROWS, rows)}; }
};

// Output channels k .. of an image from a pixel on, of `pixels`.
CONV_INLINE Target target_of(const ConvCall& c, int64_t pixels, int64_t image, int64_t k, int64_t pixel) {
    const int64_t plane = image * c.out_channels + k;
    return {c.out + plane * pixels + pixel,
            pixels,
            c.out_channels - k,
            pixels - pixel,
            c.out_scale ? c.out_scale + plane : nullptr,
            c.bias ? c.bias + k : nullptr};
}

template <int M, int N>
CONV_INLINE void finish(Vec (&sum)[M][N], const Target& t) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
        if (m >= t.rows) break;
        const Vec scale = splat(t.scale ? t.scale[m] : 1.f), bias = splat(t.bias ? t.bias[m] : 0.f);
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) store_lanes(t.out + m * t.pitch + n * LANES, sum[m][n] * scale + bias, t.lanes - n * LANES);
    }
}

// The input that this thread will pack next, taken apart into hints for the products of the present block: a hint runs through the same
// VECTORS vectors of pixels of as many channels as a product has room for, and hints are spread over all products.
struct Upcoming {
    const float* x;  // null: nothing to fetch
    int64_t pixels;
    uint32_t room, parts, pieces, products;

    // `vectors` vectors of `channels` channels from x on, fetched by `products` products of `steps` steps each.
    static Upcoming of(const ConvCall& c, const float* x, int64_t channels, int64_t vectors, int64_t steps, int64_t products) {
        const int64_t parts = ceil_div(channels, larger(1, steps / 2));
        return {x, c.in_height * c.in_width, (uint32_t)ceil_div(channels, parts), (uint32_t)parts,
                (uint32_t)(parts * ceil_div(vectors, VECTORS)), (uint32_t)products};
    }

    // No branch on what a division gives: it would be known too late.
    CONV_INLINE Reads hint(uint32_t product, const float* otherwise) const {
        if (x == nullptr) return {otherwise, 0};
        const uint32_t piece = product * pieces / products, after = (product + 1) * pieces / products;
        return {x + piece % parts * room * pixels + piece / parts * VECTORS * LANES, piece == after ? 0 : pixels};
    }
};

// Threads take units in turns: work(thread, unit, next), where `next` is the unit (or beyond the last) that this thread takes after it.
template <class Work>
void hand_out(int64_t units, int64_t threads, Work&& work) {
    int64_t arrivals = 0, taken = 0;
#pragma omp parallel num_threads((int)threads)
    {
        int64_t thread;  // not omp_get_thread_num(): no OpenMP, no header, still right
#pragma omp atomic capture
        thread = arrivals++;
        const auto take = [&] {
            int64_t unit;
#pragma omp atomic capture
            unit = taken++;
            return unit;
        };
        for (int64_t unit = take(), next; unit < units; unit = next) {
            next = take();
            work(thread, unit, next);
        }
    }
}

}  // namespace
