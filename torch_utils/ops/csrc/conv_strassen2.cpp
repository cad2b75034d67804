// variants: generic avx2 avx512
//
// 1x1 convolution as a float32 matrix product with two levels of Strassen's algorithm (conv_strassen.h): 49 products of a quarter of the
// depth instead of 64, for layers of many channels.
//
// A unit of work is a group of four times VECTORS vectors of pixels, for all output channels. The outer level's seven parts follow each
// other: the input of one is packed for the inner level, in the second-level cache, and multiplied for all quads of panels of output
// channels; the chain's partial sums of each quad wait in memory for the next part. Weights are read in one sequential stream. Pixels that
// fill no group go through plain products. Which ones do, and so every bit of the result, does not depend on the number of threads.
//
// Rounding is about twice that of one level; a sample that is not finite spoils the outputs of its pixel and of the three it is grouped
// with.
#include "conv_strassen.h"

namespace {

constexpr int64_t WIDTH = 4 * VECTORS;  // vectors of a group
constexpr int64_t QUAD = 4;             // panels of output channels
constexpr int64_t AHEAD = 4;            // input channels between a prefetch and its use

struct Waiting {  // partial sums of a quad between outer parts: u1, u2, then u2 + s1 t1; and u3
    Tile u[2][2], u3[2][2];
};

struct Plan {
    int64_t quarter, panel, part;  // depth of a product; floats of a panel and, with room so that parts do not alias, of a packed part
    int64_t pixels, vectors, quads, threads;
    int64_t groups, slices;                     // of an image; of the quads, where groups are few
    int64_t tail_first, segments, tail_slices;  // vectors in no group, cut into segments, and slices of their panels
    int64_t waiting, size;                      // floats: partial sums, all of a thread's scratch

    int64_t first_quad(int64_t slice) const { return quads * slice / slices; }
};

Plan make_plan(const ConvCall& c) {
    Plan p;
    p.quarter = ceil_div(c.in_channels, 4);
    p.panel = p.quarter * ROWS;
    p.part = round_up(p.quarter * HALF_LANES, 16) + 5 * 16;
    p.pixels = c.in_height * c.in_width;
    p.vectors = ceil_div(p.pixels, LANES);
    p.quads = ceil_div(c.out_channels, QUAD * ROWS);
    p.threads = larger(1, c.threads);
    p.groups = p.pixels / LANES / WIDTH;
    p.slices = p.groups == 0 ? 1 : smaller(p.quads, ceil_div(p.threads, p.groups * c.batch));
    p.tail_first = p.groups * WIDTH;
    p.segments = ceil_div(p.vectors - p.tail_first, WIDTH);
    p.tail_slices = p.segments == 0 ? 1 : smaller(p.quads, ceil_div(2 * p.threads, p.segments * c.batch));
    p.waiting = ceil_div(p.quads, p.slices) * (int64_t)(sizeof(Waiting) / sizeof(float));
    p.size = p.waiting + larger(PARTS * p.part, QUAD * p.quarter * WIDTH * LANES);
    return p;
}

// ---------------------------------------------------------------- input

// One input vector of the outer level's part: `x` is where channel k of outer half 1, pixel 0 is; `below` and `right` lead to the other
// halves.
struct Quarters {
    const float* x;
    int64_t below, right;
    Vec upper, lower;  // scales

    template <Part PART>
    CONV_INLINE Vec of_part() const {
        const auto x11 = [&] { return upper * load(x); };
        const auto x12 = [&] { return upper * load(x + right); };
        const auto x21 = [&] { return lower * load(x + below); };
        const auto x22 = [&] { return lower * load(x + below + right); };
        if constexpr (PART == X11) return x11();
        if constexpr (PART == X21) return x21();
        if constexpr (PART == T2) return x22() - (x12() - x11());
        if constexpr (PART == T3) return x22() - x12();
        if constexpr (PART == X21_LESS_T2) return x21() - (x22() - (x12() - x11()));
        if constexpr (PART == T1) return x12() - x11();
        return x22();
    }

    // The lines that a group's vectors of this part come from, some channels on.
    template <Part PART>
    CONV_INLINE void prefetch(int64_t ahead) const {
        constexpr bool UPPER = PART != X21 && PART != X22, LOWER = PART != X11 && PART != T1;
        constexpr bool LEFT = PART != X22 && PART != T3, RIGHT = PART != X11 && PART != X21;
        for (int64_t n = LEFT ? 0 : 2 * VECTORS; n < (RIGHT ? 4 : 2) * VECTORS; ++n) {
            if (UPPER) __builtin_prefetch(x + ahead + n * LANES);
            if (LOWER) __builtin_prefetch(x + ahead + below + n * LANES);
        }
    }
};

// What channel `at + k` of the image is, and of the channel half the depth below it; channels that do not exist count as zero.
CONV_INLINE Quarters quarters_at(const ConvCall& c, const Plan& p, int64_t image, int64_t channel, int64_t pixel) {
    const int64_t below = channel + 2 * p.quarter;
    const bool exists = channel < c.in_channels, paired = below < c.in_channels;
    const int64_t plane = image * c.in_channels + (exists ? channel : 0), lower = paired ? plane + 2 * p.quarter : plane;
    return {c.x + plane * p.pixels + pixel, (lower - plane) * p.pixels, 2 * HALF_LANES,
            splat(!exists ? 0.f : c.in_scale ? c.in_scale[plane] : 1.f), splat(!paired ? 0.f : c.in_scale ? c.in_scale[lower] : 1.f)};
}

// One part of the outer level for a group, as the parts of the inner: [part][quarter of the depth][VECTORS vectors].
template <Part PART>
void pack_part(const ConvCall& c, const Plan& p, int64_t image, int64_t pixel, float* packed) {
    for (int64_t k = 0; k < p.quarter; ++k) {
        Quarters high = quarters_at(c, p, image, k, pixel), low = quarters_at(c, p, image, k + p.quarter, pixel);
        const int64_t ahead = AHEAD * p.pixels;
        high.prefetch<PART>(ahead);
        low.prefetch<PART>(ahead);
        float* target = packed + k * HALF_LANES;
        for (int n = 0; n < VECTORS; ++n, high.x += LANES, low.x += LANES) {
            Quarters high_right = high, low_right = low;
            high_right.x += HALF_LANES, low_right.x += HALF_LANES;
            store_parts(p.part, high.of_part<PART>(), high_right.of_part<PART>(), low.of_part<PART>(), low_right.of_part<PART>(),
                        target + n * LANES);
        }
    }
}

// ---------------------------------------------------------------- products

struct Place {
    int64_t image, pixel, quad;
};

// Outer half `row`, `column` of the result is `sum` + `start`: the inner level's tile of it goes out.
CONV_INLINE void finish(const ConvCall& c, const Plan& p, const Place& at, int outer_row, int outer_column, int row, int column,
                        const Tile& start, const Tile& tile) {
    Sum sum;
    each([&](int m, int n) { sum[m][n] = load(start.vector(m, n)) + load(tile.vector(m, n)); });
    const int64_t channel = (at.quad * QUAD + 2 * outer_row + row) * ROWS;
    if (channel < c.out_channels)
        finish(sum, target_of(c, p.pixels, at.image, channel, at.pixel + (2 * outer_column + column) * HALF_LANES));
}

CONV_INLINE void add(const Tile& a, const Tile& b, Tile& result) {
    each([&](int m, int n) { store(result.vector(m, n), load(a.vector(m, n)) + load(b.vector(m, n))); });
}

// Where a result of the inner level goes in the outer level's chain.
template <Part PART>
CONV_INLINE void pass_on(const ConvCall& c, const Plan& p, const Place& at, const Tile& tile, int row, int column, Waiting& waiting) {
    Tile &u = waiting.u[row][column], &u3 = waiting.u3[row][column];
    if constexpr (PART == X11) u = tile;
    if constexpr (PART == X21) finish(c, p, at, 0, 0, row, column, u, tile);
    if constexpr (PART == T2) add(u, tile, u);
    if constexpr (PART == T3) add(u, tile, u3);
    if constexpr (PART == X21_LESS_T2) finish(c, p, at, 1, 0, row, column, u3, tile);
    if constexpr (PART == T1) {
        finish(c, p, at, 1, 1, row, column, u3, tile);
        add(u, tile, u);
    }
    if constexpr (PART == X22) finish(c, p, at, 0, 1, row, column, u, tile);
}

// What a thread works on: a group of pixels and a slice of the quads.
struct Unit {
    int64_t image, pixel, first_quad, last_quad;
    Upcoming upcoming;
};

template <Part PART>
void do_part(const ConvCall& c, const Plan& p, const Unit& unit, Waiting* waiting, float* packed) {
    pack_part<PART>(c, p, unit.image, unit.pixel, packed);
    const int64_t count = unit.last_quad - unit.first_quad;
    for (int64_t quad = unit.first_quad; quad < unit.last_quad; ++quad) {
        const float* const a = (const float*)c.weight + (PART * p.quads + quad) * PARTS * p.panel;
        const int64_t product = (PART * count + quad - unit.first_quad) * PARTS;
        const Place at = {unit.image, unit.pixel, quad};
        seven_products(
            [&](const Tile& start, Part part, Tile& result) {
                Hint hint = unit.upcoming.hint(product + part, a);
                if (hint.stride == 0 && part >= X21_LESS_T2)  // the next quad's sums: weights have pushed them out of the cache meanwhile
                    hint = {(const float*)(waiting + quad + 1 - unit.first_quad) + (part - X21_LESS_T2) * (p.quarter / 2) * LANES, LANES};
                add_product(start, a + part * p.panel, packed + part * p.part, p.quarter, hint, result);
            },
            [&](const Tile& tile, int row, int column) {
                pass_on<PART>(c, p, at, tile, row, column, waiting[quad - unit.first_quad]);
            });
    }
}

void do_group(const ConvCall& c, const Plan& p, int64_t number, int64_t next, float* scratch) {
    const int64_t group = number / p.slices, slice = number % p.slices, next_group = next / p.slices;
    Unit unit = {group / p.groups, group % p.groups * WIDTH * LANES, p.first_quad(slice), p.first_quad(slice + 1), {}};
    if (next_group < p.groups * c.batch && next_group != group) {
        const float* x = c.x + next_group / p.groups * c.in_channels * p.pixels + next_group % p.groups * WIDTH * LANES;
        unit.upcoming = Upcoming::of(c, x, WIDTH, p.quarter, (unit.last_quad - unit.first_quad) * PARTS * PARTS);
    }
    Waiting* const waiting = (Waiting*)scratch;
    float* const packed = scratch + p.waiting;
    do_part<X11>(c, p, unit, waiting, packed);
    do_part<X21>(c, p, unit, waiting, packed);
    do_part<T2>(c, p, unit, waiting, packed);
    do_part<T3>(c, p, unit, waiting, packed);
    do_part<X21_LESS_T2>(c, p, unit, waiting, packed);
    do_part<T1>(c, p, unit, waiting, packed);
    do_part<X22>(c, p, unit, waiting, packed);
}

// A segment of pixels without Strassen, for a slice of the panels.
void do_tail(const ConvCall& c, const Plan& p, int64_t unit, float* packed) {
    const int64_t slice = unit % p.tail_slices, segment = unit / p.tail_slices % p.segments, image = unit / p.tail_slices / p.segments;
    const int64_t vector = p.tail_first + segment * WIDTH, count = smaller(WIDTH, p.vectors - vector), depth = QUAD * p.quarter;
    const float* const plain = (const float*)c.weight + p.quads * PARTS * PARTS * p.panel;
    pack_plain(c, image, vector, count, depth, packed);
    for (int64_t panel = p.quads * slice / p.tail_slices * QUAD; panel < p.quads * (slice + 1) / p.tail_slices * QUAD; ++panel) {
        if (panel * ROWS >= c.out_channels) break;
        const float* const a = plain + panel * depth * ROWS;
        for_vector_groups(count, [&](int64_t first, int64_t group) {
            const Target target = target_of(c, p.pixels, image, panel * ROWS, (vector + first) * LANES);
            with_vectors(group, [&](auto vectors) {
                constexpr int N = decltype(vectors)::value;
                Vec sum[ROWS][N] = {};
                accumulate<Float32>(sum, depth, a, packed + first * LANES, count * LANES, depth * ROWS, {a, 0});
                finish(sum, target);
            });
        });
    }
}

}  // namespace

extern "C" {

int64_t AF_VARIANT(af_conv_strassen2_weight_bytes)(int64_t out_channels, int64_t depth) {
    const int64_t quads = ceil_div(out_channels, QUAD * ROWS), quarter = ceil_div(depth, 4);
    return quads * (PARTS * PARTS + QUAD * 4) * quarter * ROWS * (int64_t)sizeof(float);
}

// weight [out_channels][depth] -> packed [outer part][quad][inner part][quarter of the depth][ROWS], then plain [panel][depth][ROWS]
void AF_VARIANT(af_conv_strassen2_pack)(int64_t out_channels, int64_t depth, const float* weight, float* packed) {
    const int64_t quarter = ceil_div(depth, 4), quads = ceil_div(out_channels, QUAD * ROWS);
    const auto at = [&](int64_t k, int64_t d) { return k < out_channels && d < depth ? weight[k * depth + d] : 0.f; };
    float* const plain = packed + quads * PARTS * PARTS * quarter * ROWS;
    for (int64_t unit = 0; unit < quads * quarter * ROWS; ++unit) {
        const int64_t m = unit % ROWS, d = unit / ROWS % quarter, quad = unit / ROWS / quarter;
        double w[4][4], outer[2][2][PARTS];
        for (int64_t row = 0; row < 4; ++row)
            for (int64_t column = 0; column < 4; ++column) {
                const float value = at((quad * QUAD + row) * ROWS + m, column * quarter + d);
                w[row][column] = value;
                plain[((quad * QUAD + row) * 4 * quarter + column * quarter + d) * ROWS + m] = value;
            }
        for (int row = 0; row < 2; ++row)
            for (int column = 0; column < 2; ++column)
                parts_of_weight(w[row][column], w[row][column + 2], w[row + 2][column], w[row + 2][column + 2], outer[row][column]);
        for (int64_t part = 0; part < PARTS; ++part) {
            double inner[PARTS];
            parts_of_weight(outer[0][0][part], outer[0][1][part], outer[1][0][part], outer[1][1][part], inner);
            for (int64_t i = 0; i < PARTS; ++i)
                packed[(((part * quads + quad) * PARTS + i) * quarter + d) * ROWS + m] = (float)inner[i];
        }
    }
}

int64_t AF_VARIANT(af_conv_strassen2_scratch_bytes)(const ConvCall* call) {
    const Plan p = make_plan(*call);
    return p.threads * round_up(p.size, 16) * (int64_t)sizeof(float);
}

// Kernel 1x1 without padding only.
void AF_VARIANT(af_conv_strassen2)(const ConvCall* call) {
    const ConvCall& c = *call;
    const Plan p = make_plan(c);
    const int64_t groups = p.groups * c.batch * p.slices, units = groups + p.segments * p.tail_slices * c.batch;
    hand_out(units, p.threads, [&](int64_t thread, int64_t unit, int64_t next) {
        float* const scratch = (float*)c.scratch + thread * round_up(p.size, 16);
        if (unit < groups)
            do_group(c, p, unit, next, scratch);
        else
            do_tail(c, p, unit - groups, scratch + p.waiting);
    });
}

}  // extern "C"
