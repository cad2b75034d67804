// variants: generic avx2 avx512
//
// 1x1 convolution as a float32 matrix product with one level of Strassen's algorithm (conv_strassen.h).
//
// The sums of weights are constants of the network, rounded once from float64. Those of the input are made where a block of pixels is
// packed. Products follow each other in the order of a chain of partial sums, so that a tile of the result leaves the registers only
// where it is used twice. Weights and packed input are read in one sequential stream each.
//
// The halves are near each other: panels of output channels alternate, and so do groups of VECTORS vectors of pixels. Pixels that fill no
// group go through plain products with the same weights. Which ones do, and so every bit of the result, does not depend on the number of
// threads. Rounding is about twice that of the plain product; a sample that is not finite spoils the outputs of its pixel and of the one
// it is paired with.
#include "conv_strassen.h"

namespace {

constexpr int64_t WIDTH = 2 * VECTORS;          // vectors of a group
constexpr int64_t BLOCK_FLOATS = 100 * 1024;    // of packed input, where one group allows it
constexpr int64_t CACHE_FLOATS = 200 * 1024;    // of packed input and of what hints fetch beside it
constexpr int64_t AHEAD = 8;                    // input channels between a prefetch and its use

struct Plan {
    int64_t half, panel, part;  // depth of a product; floats of a panel's part and, with room so that parts do not alias, of a group's
    int64_t pixels, vectors, pairs, threads;
    int64_t groups, blocks, block_slices;  // groups and blocks in an image; each is done in slices of the output channels
    int64_t tail_first, segments, slices;  // vectors in no group, cut into segments, and their slices
    int64_t size;

    int64_t first_group(int64_t block) const { return groups * (block % blocks) / blocks; }
    int64_t groups_of(int64_t block) const { return groups * (block % blocks + 1) / blocks - first_group(block); }
    int64_t first_vector(int64_t block) const { return first_group(block) * WIDTH; }
};

Plan make_plan(const ConvCall& c) {
    Plan p;
    p.half = ceil_div(c.in_channels, 2);
    p.panel = p.half * ROWS;
    p.part = round_up(p.half * HALF_LANES, 16) + 5 * 16;
    p.pixels = c.in_height * c.in_width;
    p.vectors = ceil_div(p.pixels, LANES);
    p.pairs = ceil_div(c.out_channels, 2 * ROWS);
    p.threads = larger(1, c.threads);
    p.groups = p.pixels / LANES / WIDTH;
    const int64_t fitting = larger(1, BLOCK_FLOATS / (PARTS * p.half * HALF_LANES));
    const int64_t even = ceil_div(round_up(ceil_div(p.groups, fitting) * c.batch, p.threads), c.batch);  // a block for every thread
    p.blocks = smaller(p.groups, even);
    p.block_slices = p.blocks == 0 ? 1 : smaller(p.pairs, ceil_div(p.threads, p.blocks * c.batch));
    p.tail_first = p.groups * WIDTH;
    p.segments = ceil_div(p.vectors - p.tail_first, WIDTH);
    p.slices = p.segments == 0 ? 1 : smaller(p.pairs, ceil_div(2 * p.threads, p.segments * c.batch));
    p.size = larger(p.blocks == 0 ? 0 : ceil_div(p.groups, p.blocks) * PARTS * p.part, 2 * p.half * WIDTH * LANES);
    return p;
}

// ---------------------------------------------------------------- input

// A block's packed input: [group][part][half of the depth][VECTORS vectors].
void pack_block(const ConvCall& c, const Plan& p, int64_t block, float* packed) {
    const int64_t first_plane = block / p.blocks * c.in_channels, groups = p.groups_of(block);
    for (int64_t k = 0; k < p.half; ++k) {
        const bool paired = p.half + k < c.in_channels;  // the last channel of an odd number is paired with zeros
        const int64_t upper = first_plane + k, lower = paired ? upper + p.half : upper;
        const float* x1 = c.x + upper * p.pixels + p.first_vector(block) * LANES;
        const float* x2 = x1 + (lower - upper) * p.pixels;
        const Vec s1 = splat(c.in_scale ? c.in_scale[upper] : 1.f), s2 = splat(c.in_scale ? c.in_scale[lower] : 1.f);
        for (int64_t g = 0; g < groups; ++g, x1 += 2 * HALF_LANES, x2 += 2 * HALF_LANES) {
            float* target = packed + g * PARTS * p.part + k * HALF_LANES;
            for (int n = 0; n < WIDTH; ++n) {
                __builtin_prefetch(x1 + AHEAD * p.pixels + n * LANES);
                __builtin_prefetch(x2 + AHEAD * p.pixels + n * LANES);
            }
            Vec lower_left[VECTORS] = {}, lower_right[VECTORS] = {};
            if (paired) {
#pragma GCC unroll 4
                for (int n = 0; n < VECTORS; ++n) {
                    lower_left[n] = s2 * load(x2 + n * LANES);
                    lower_right[n] = s2 * load(x2 + HALF_LANES + n * LANES);
                }
            }
#pragma GCC unroll 4
            for (int n = 0; n < VECTORS; ++n) {
                const Vec upper_left = s1 * load(x1 + n * LANES), upper_right = s1 * load(x1 + HALF_LANES + n * LANES);
                store_parts(p.part, upper_left, upper_right, lower_left[n], lower_right[n], target + n * LANES);
            }
        }
    }
}

// ---------------------------------------------------------------- products

// Two panels of M output channels, one group of pixels.
template <int M>
void multiply_pair(const ConvCall& c, const Plan& p, int64_t image, int64_t pixel, int64_t pair, const float* b, const Upcoming& upcoming,
                   int64_t first_product) {
    const auto target = [&](int row, int column) {
        return panel_target(c, p.pixels, image, channel_of(pair, 2, row, M), M, pixel + column * HALF_LANES);
    };
    const auto reads = [&](Part part, const float* a) { return upcoming.hint(first_product + part, a); };
    const auto writes = [&](int row, int column) { return target(row, column).writes(); };
    const auto sums = [](int) { return Nothing{}; };
    const auto out = [&](int row, int column, const auto& value) { finish_tile<M>(target(row, column), value); };
    const float* const a = (const float*)c.weight + pair * PARTS * p.panel;
    seven_products(factors<M>(a, b, p.panel, p.part, p.half, reads, writes, sums), out);
}

// Two panels of output channels, one segment of pixels, without Strassen.
void multiply_segment(const ConvCall& c, const Plan& p, int64_t image, int64_t vector, int64_t count, int64_t pair, const float* b) {
    const float* const parts = (const float*)c.weight + pair * PARTS * p.panel;
    const float* const w21 = (const float*)c.weight + (p.pairs * PARTS + pair) * p.panel;
    const int64_t height = panel_height(c.out_channels, pair, 2);
    for (int row = 0; row < 2; ++row) {
        const int64_t channel = channel_of(pair, 2, row, height);
        if (channel >= c.out_channels) break;
        const float* const left = row == 0 ? parts + X11 * p.panel : w21;
        const float* const right = parts + (row == 0 ? X21 : X21_LESS_T2) * p.panel;
        for_vector_groups(count, [&](int64_t first, int64_t group) {
            const Target target = panel_target(c, p.pixels, image, channel, height, (vector + first) * LANES);
            with_vectors(group, [&](auto vectors) {
                constexpr int N = decltype(vectors)::value;
                Vec sum[ROWS][N] = {};
                const float* const x = b + first * LANES;
                accumulate<Float32>(sum, p.half, left, x, count * LANES, p.panel);
                accumulate<Float32>(sum, p.half, right, x + p.half * count * LANES, count * LANES, p.panel, Nothing{}, target.writes());
                finish(sum, target);
            });
        });
    }
}

// ---------------------------------------------------------------- units of work

// What hints may fetch while a block is multiplied: nothing where it would push the block itself out of the cache.
Upcoming upcoming_of(const ConvCall& c, const Plan& p, int64_t block, int64_t next) {
    const int64_t lines = p.groups_of(next) * WIDTH;
    const bool fits = p.groups_of(block) * PARTS * p.part + c.in_channels * lines * LANES <= CACHE_FLOATS;
    if (next >= p.blocks * c.batch || p.block_slices > 1 || !fits) return {};
    const float* x = c.x + next / p.blocks * c.in_channels * p.pixels + p.first_vector(next) * LANES;
    return Upcoming::of(c, x, c.in_channels, lines, p.half, p.pairs * p.groups_of(block) * PARTS);
}

void do_block(const ConvCall& c, const Plan& p, int64_t unit, int64_t next, float* packed) {
    const int64_t block = unit / p.block_slices, slice = unit % p.block_slices, groups = p.groups_of(block);
    pack_block(c, p, block, packed);
    const Upcoming upcoming = upcoming_of(c, p, block, next / p.block_slices);
    int64_t product = 0;
    for (int64_t pair = p.pairs * slice / p.block_slices; pair < p.pairs * (slice + 1) / p.block_slices; ++pair) {
        for (int64_t g = 0; g < groups; ++g, product += PARTS) {
            const int64_t pixel = (p.first_vector(block) + g * WIDTH) * LANES;
            with_height(panel_height(c.out_channels, pair, 2), [&](auto height) {
                multiply_pair<decltype(height)::value>(c, p, block / p.blocks, pixel, pair, packed + g * PARTS * p.part, upcoming, product);
            });
        }
    }
}

void do_tail(const ConvCall& c, const Plan& p, int64_t unit, float* packed) {
    const int64_t slice = unit % p.slices, segment = unit / p.slices % p.segments, image = unit / p.slices / p.segments;
    const int64_t vector = p.tail_first + segment * WIDTH, count = smaller(WIDTH, p.vectors - vector);
    pack_plain(c, image, vector, count, 2 * p.half, packed);
    for (int64_t pair = p.pairs * slice / p.slices; pair < p.pairs * (slice + 1) / p.slices; ++pair)
        multiply_segment(c, p, image, vector, count, pair, packed);
}

}  // namespace

extern "C" {

int64_t AF_VARIANT(af_conv_strassen_weight_bytes)(int64_t out_channels, int64_t depth) {
    return round_up(out_channels, 2 * ROWS) * round_up(depth, 2) * 2 * (int64_t)sizeof(float);
}

// weight [out_channels][depth] -> packed [pair of panels][part][half of the depth][ROWS], then w21 as [pair of panels][half][ROWS]
void AF_VARIANT(af_conv_strassen_pack)(int64_t out_channels, int64_t depth, const float* weight, float* packed) {
    const int64_t half = ceil_div(depth, 2), pairs = ceil_div(out_channels, 2 * ROWS);
    const auto at = [&](int64_t k, int64_t d) { return k < out_channels && d < depth ? (double)weight[k * depth + d] : 0.; };
    for (int64_t pair = 0; pair < pairs; ++pair) {
        const int64_t height = panel_height(out_channels, pair, 2);
        for (int64_t m = 0; m < ROWS; ++m) {
            const int64_t k = m < height ? channel_of(pair, 2, 0, height) + m : out_channels, below = k + height;
            for (int64_t d = 0; d < half; ++d) {
                const double w11 = at(k, d), w12 = at(k, d + half), w21 = at(below, d), w22 = at(below, d + half);
                double parts[PARTS];
                parts_of_weight(w11, w12, w21, w22, parts);
                for (int64_t i = 0; i < PARTS; ++i) packed[((pair * PARTS + i) * half + d) * ROWS + m] = (float)parts[i];
                packed[((pairs * PARTS + pair) * half + d) * ROWS + m] = (float)w21;
            }
        }
    }
}

int64_t AF_VARIANT(af_conv_strassen_scratch_bytes)(const ConvCall* call) {
    const Plan p = make_plan(*call);
    return p.threads * p.size * (int64_t)sizeof(float);
}

// Kernel 1x1 without padding only.
void AF_VARIANT(af_conv_strassen)(const ConvCall* call) {
    const ConvCall& c = *call;
    const Plan p = make_plan(c);
    const int64_t blocks = p.blocks * c.batch * p.block_slices, units = blocks + p.segments * p.slices * c.batch;
    hand_out(units, p.threads, [&](int64_t thread, int64_t unit, int64_t next) {
        float* const packed = (float*)c.scratch + thread * p.size;
        if (unit < blocks)
            do_block(c, p, unit, next, packed);
        else
            do_tail(c, p, unit - blocks, packed);
    });
}

}  // extern "C"
