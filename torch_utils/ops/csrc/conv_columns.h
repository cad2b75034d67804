// Convolution as a matrix product, for any kernel size: out[k][pixel] = sum_d weight[k][d] columns[d][pixel], where d runs over
// (input channel, tap) and columns[d] is the input channel seen through that tap. Only a block of pixels of `columns` exists at a
// time, packed and scaled in a thread's own scratch. 1x1 kernels are one long row of pixels.
//
// `Format` is the arithmetic (gemm_kernel.h): JOINED depths make one step of `accumulate`, joined in 32 bits by `join`.
#pragma once

#include "conv_blocks.h"
#include "conv_traffic.h"

namespace {

constexpr int64_t BLOCK_FLOATS = 96 * 1024;  // of packed input: fits an L2 cache with room for the weights passing through
constexpr int64_t BLOCK_VECTORS = 4 * VECTORS;
constexpr int64_t AHEAD = 8;           // input channels between a prefetch and its use
constexpr int64_t GROUP = 8 * ROWS;    // output channels of one unit when threads share a block

struct Plan {
    bool flat;  // 1x1: an image is one row of pixels
    int64_t in_height, in_width, out_width, padding, taps;
    int64_t depth, steps, pixels, groups;
    Blocks blocks;
    int64_t width, size;  // pixels of the widest block, in whole vectors; floats of its packed input
};

template <class Format>
Plan make_plan(const ConvCall& c) {
    Plan p;
    p.flat = c.kernel == 1 && c.padding == 0;
    p.in_height = p.flat ? 1 : c.in_height;
    p.in_width = p.flat ? c.in_height * c.in_width : c.in_width;
    p.out_width = p.flat ? p.in_width : out_width(c);
    p.padding = c.padding;
    p.taps = c.kernel * c.kernel;
    p.depth = c.in_channels * p.taps;
    p.steps = ceil_div(p.depth, Format::JOINED);
    p.pixels = out_height(c) * out_width(c);
    p.groups = ceil_div(c.out_channels, GROUP);
    const int64_t fitting = BLOCK_FLOATS / (p.steps * LANES) / VECTORS * VECTORS;
    p.blocks = cut_blocks(p.pixels, smaller(BLOCK_VECTORS, larger(VECTORS, fitting)), c.batch, c.threads);
    p.width = p.blocks.width();
    p.size = round_up(p.steps * p.width, 16);
    return p;
}

// `count` samples of an input row from column x on, scaled, zero outside the image; at most `room` floats are written.
CONV_INLINE void copy_row(const float* row, int64_t x, int64_t width, int64_t count, int64_t room, Vec scale, float* target) {
    for (int64_t i = 0; i < count; i += LANES, x += LANES) {
        Vec v = {};
        if (row != nullptr) v = x >= 0 && x + LANES <= width ? load(row + x) : load_lanes(row + x, -x, width - x);
        store_lanes(target + i, scale * v, room - i);
    }
}

// One depth of a block: an input channel seen through one tap. Rows go in ascending order, so that lanes past a row's end are
// overwritten by the next.
CONV_INLINE void pack_depth(const ConvCall& c, const Plan& p, int64_t block, int64_t depth, float* target) {
    const int64_t plane_floats = c.in_height * c.in_width, start = p.blocks.first_vector(block) * LANES;
    const int64_t end = smaller(start + p.blocks.vector_count(block) * LANES, p.pixels);
    const int64_t plane = p.blocks.image(block) * c.in_channels + depth / p.taps, tap = depth % p.taps;
    const float* x = c.x + plane * plane_floats;
    const Vec scale = splat(c.in_scale ? c.in_scale[plane] : 1.f);
    for (int64_t pixel = start; pixel < end;) {
        const int64_t y = pixel / p.out_width, column = pixel % p.out_width, offset = pixel - start;
        const int64_t count = smaller(p.out_width - column, end - pixel);
        const int64_t in_y = y + tap / c.kernel - p.padding, in_x = column + tap % c.kernel - p.padding;
        const float* row = in_y >= 0 && in_y < p.in_height ? x + in_y * p.in_width : nullptr;
        if (row != nullptr)
            for (int64_t i = 0; i < count; i += 16) __builtin_prefetch(row + AHEAD * plane_floats + in_x + i);
        copy_row(row, in_x, p.in_width, count, p.width - offset, scale, target + offset);
        pixel += count;
    }
}

// One step of a block of a flat image.
template <class Format>
CONV_INLINE void pack_flat(const ConvCall& c, const Plan& p, int64_t block, int64_t step, float* target) {
    constexpr int64_t JOINED = Format::JOINED;
    const int64_t start = p.blocks.first_vector(block) * LANES, count = p.blocks.vector_count(block) * LANES;
    const float* x[JOINED];
    Vec scale[JOINED];
    for (int64_t i = 0; i < JOINED; ++i) {
        const int64_t plane = p.blocks.image(block) * c.in_channels + step * JOINED + i;
        x[i] = step * JOINED + i < c.in_channels ? c.x + plane * p.pixels + start : nullptr;
        scale[i] = splat(c.in_scale && x[i] ? c.in_scale[plane] : 1.f);
    }
    for (int64_t n = 0; n < count; n += LANES) {
        Vec v[JOINED];
        for (int64_t i = 0; i < JOINED; ++i) {
            v[i] = !x[i] ? Vec{} : start + n + LANES <= p.pixels ? load(x[i] + n) : load_lanes(x[i] + n, 0, p.pixels - start - n);
            v[i] = scale[i] * v[i];
            if (x[i]) __builtin_prefetch(x[i] + AHEAD * p.pixels + n);
        }
        store(target + n, Format::join(v));
    }
}

// Steps first .. last-1 of a block's packed input.
template <class Format>
void pack_block(const ConvCall& c, const Plan& p, int64_t block, int64_t first, int64_t last, float* packed) {
    for (int64_t step = first; step < last; ++step) {
        float* target = packed + step * p.width;
        if (p.flat) {
            pack_flat<Format>(c, p, block, step, target);
            continue;
        }
        alignas(64) float rows[Format::JOINED][2 * BLOCK_VECTORS * LANES] = {};
        for (int64_t i = 0; i < Format::JOINED && step * Format::JOINED + i < p.depth; ++i)
            pack_depth(c, p, block, step * Format::JOINED + i, rows[i]);
        for (int64_t n = 0; n < p.width; n += LANES) {
            Vec v[Format::JOINED];
            for (int64_t i = 0; i < Format::JOINED; ++i) v[i] = load(rows[i] + n);
            store(target + n, Format::join(v));
        }
    }
}

// Hints for the tiles of a block about the one that this thread takes next.
template <class Format>
Upcoming upcoming_of(const ConvCall& c, const Plan& p, int64_t block, int64_t next) {
    if (!p.flat || next >= p.blocks.count) return {};
    const float* x = c.x + p.blocks.image(next) * c.in_channels * p.pixels + p.blocks.first_vector(next) * LANES;
    const int64_t tiles = ceil_div(c.out_channels, ROWS) * ceil_div(p.blocks.vector_count(block), VECTORS);
    return Upcoming::of(c, x, c.in_channels, p.blocks.vector_count(next), p.steps, tiles);
}

template <class Format>
void multiply(const ConvCall& c, const Plan& p, int64_t block, int64_t group_first, int64_t group_last, const float* packed,
              const Upcoming& upcoming) {
    int64_t tile = 0;
    const int64_t image = p.blocks.image(block), start = p.blocks.first_vector(block) * LANES, panel_floats = p.steps * ROWS;
    for (int64_t k = group_first; k < group_last; k += ROWS) {
        const float* a = (const float*)c.weight + k / ROWS * panel_floats;
        for_vector_groups(p.blocks.vector_count(block), [&](int64_t first, int64_t count) {
            const int64_t pixel = start + first * LANES;
            const Target target = target_of(c, p.pixels, image, k, pixel);
            const Reads reads = upcoming.hint(tile++, a);
            with_rows(c.out_channels - k, [&](auto rows) {
                with_vectors(count, [&](auto vectors) {
                    constexpr int M = decltype(rows)::value, N = decltype(vectors)::value;
                    Vec sum[M][N] = {};
                    accumulate<Format>(sum, p.steps, a, packed + first * LANES, p.width, panel_floats, reads, target.writes());
                    finish<M, N>(sum, target);
                });
            });
        });
    }
}

template <class Format>
int64_t scratch_bytes(const ConvCall& c) {
    const Plan p = make_plan<Format>(c);
    return (p.blocks.shared ? p.blocks.count : p.blocks.threads) * p.size * (int64_t)sizeof(float);
}

// Few blocks: all threads pack each of them, and then multiply it for different output channels.
template <class Format>
void convolve_shared(const ConvCall& c, const Plan& p) {
    float* const scratch = (float*)c.scratch;
    constexpr int64_t STEPS = 32;  // of one unit of the packing
    const int64_t slices = ceil_div(p.steps, STEPS);
#pragma omp parallel num_threads((int)p.blocks.threads)
    {
#pragma omp for schedule(dynamic, 1)
        for (int64_t unit = 0; unit < p.blocks.count * slices; ++unit) {
            const int64_t block = unit / slices, first = unit % slices * STEPS;
            pack_block<Format>(c, p, block, first, smaller(first + STEPS, p.steps), scratch + block * p.size);
        }
#pragma omp for schedule(dynamic, 1) nowait
        for (int64_t unit = 0; unit < p.blocks.count * p.groups; ++unit) {
            const int64_t first = unit / p.blocks.count * GROUP, block = unit % p.blocks.count;
            multiply<Format>(c, p, block, first, smaller(first + GROUP, c.out_channels), scratch + block * p.size, {});
        }
    }
}

template <class Format>
void convolve(const ConvCall& c) {
    const Plan p = make_plan<Format>(c);
    if (p.blocks.shared) return convolve_shared<Format>(c, p);
    hand_out(p.blocks.count, p.blocks.threads, [&](int64_t thread, int64_t block, int64_t next) {
        float* const packed = (float*)c.scratch + thread * p.size;
        pack_block<Format>(c, p, block, 0, p.steps, packed);
        multiply<Format>(c, p, block, 0, c.out_channels, packed, upcoming_of<Format>(c, p, block, next));
    });
}

}  // namespace
