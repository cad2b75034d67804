// variants: generic avx2 avx512
//
// 1x1 convolution as a float32 matrix product with two levels of Strassen's algorithm (conv_strassen.h): 49 products of a quarter of the
// depth instead of 64, for layers of many channels.
//
// A unit of work is a group of four times VECTORS vectors of pixels, for all output channels. The outer level's seven parts follow each
// other: the input of one is packed for the inner level, in the second-level cache, and multiplied for all quads of panels of output
// channels; the chain's partial sums of each quad wait in memory for the next part. Weights are read in one sequential stream. While a part
// is multiplied, hints fetch the input of the next. Pixels that fill no group go through plain products. Which ones do, and so every bit of
// the result, does not depend on the number of threads.
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

// Which halves of the channels and of the pixels a part is made from.
template <Part PART>
constexpr bool UPPER = PART != X21 && PART != X22;
template <Part PART>
constexpr bool LOWER = PART != X11 && PART != T1;
template <Part PART>
constexpr bool LEFT = PART != X22 && PART != T3;
template <Part PART>
constexpr bool RIGHT = PART != X11 && PART != X21;

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
        for (int64_t n = LEFT<PART> ? 0 : 2 * VECTORS; n < (RIGHT<PART> ? 4 : 2) * VECTORS; ++n) {
            if (UPPER<PART>) __builtin_prefetch(x + ahead + n * LANES);
            if (LOWER<PART>) __builtin_prefetch(x + ahead + below + n * LANES);
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
    int64_t image, pixel;
};

// Which half of the result a part completes.
template <Part PART>
constexpr bool COMPLETES = PART == X21 || PART == X21_LESS_T2 || PART == T1 || PART == X22;
template <Part PART>
constexpr int ROW = PART == X21_LESS_T2 || PART == T1;
template <Part PART>
constexpr int COLUMN = PART == T1 || PART == X22;

template <Part PART, int M>
CONV_INLINE Target target_of(const ConvCall& c, const Plan& p, const Place& at, int64_t quad, int row, int column) {
    const int64_t channel = channel_of(quad, QUAD, 2 * ROW<PART> + row, M);
    return panel_target(c, p.pixels, at.image, channel, M, at.pixel + (2 * COLUMN<PART> + column) * HALF_LANES);
}

// Where a result of the inner level goes in the outer level's chain. Of channels that do not exist nothing is added up in T1: they have no
// weights, so it would be zero but for rounding.
template <Part PART, int M, class Value>
CONV_INLINE void pass_on(const Target& target, Tile& u, Tile& u3, const Value& value) {
    if constexpr (PART == X11) each<M>([&](int m, int n) { store(u.vector(m, n), value(m, n)); });
    if constexpr (PART == T2) each<M>([&](int m, int n) { store(u.vector(m, n), load(u.vector(m, n)) + value(m, n)); });
    if constexpr (PART == T3) each<M>([&](int m, int n) { store(u3.vector(m, n), load(u.vector(m, n)) + value(m, n)); });
    if constexpr (COMPLETES<PART>)
        finish_tile<M>(target, [&](int m, int n) {
            const Vec v = value(m, n), sum = load((ROW<PART> ? u3 : u).vector(m, n)) + v;
            if (PART == T1) store(u.vector(m, n), load(u.vector(m, n)) + v);
            return sum;
        });
}

template <Part PART, int M>
void multiply_quad(const ConvCall& c, const Plan& p, const Place& at, int64_t quad, const float* packed, const Upcoming& upcoming,
                   int64_t product, Waiting& waiting) {
    const auto reads = [&](Part part, const float* a) { return upcoming.hint(product + part, a); };
    const auto writes = [&](int row, int column) {
        if constexpr (COMPLETES<PART>) return target_of<PART, M>(c, p, at, quad, row, column).writes();
        return Writes{(PART == T3 ? waiting.u3 : waiting.u)[row][column].at, HALF_LANES, M};
    };
    const auto sums = [&](int row) {
        return Writes{(COMPLETES<PART> && ROW<PART> ? waiting.u3 : waiting.u)[row][0].at, HALF_LANES, 2 * ROWS};
    };
    const auto out = [&](int row, int column, const auto& value) {
        pass_on<PART, M>(target_of<PART, M>(c, p, at, quad, row, column), waiting.u[row][column], waiting.u3[row][column], value);
    };
    const float* const a = (const float*)c.weight + (PART * p.quads + quad) * PARTS * p.panel;
    seven_products(factors<M>(a, packed, p.panel, p.part, p.quarter, reads, writes, sums), out);
}

// What a thread works on: a group of pixels and a slice of the quads; and which group will be next, if any.
struct Unit {
    Place at;
    int64_t first_quad, last_quad;
    Place next;
    bool goes_on;
};

// Hints for what part NEXT is packed from.
template <Part NEXT>
Upcoming upcoming_of(const ConvCall& c, const Plan& p, const Place& at, int64_t products) {
    const int64_t first = UPPER<NEXT> ? 0 : 2 * p.quarter, last = LOWER<NEXT> ? c.in_channels : smaller(c.in_channels, 2 * p.quarter);
    const int64_t left = LEFT<NEXT> && NEXT != T2 ? 0 : 2 * VECTORS, right = RIGHT<NEXT> ? 4 * VECTORS : 2 * VECTORS;  // T2: X11 was there
    if (first >= last) return {};
    const float* x = c.x + (at.image * c.in_channels + first) * p.pixels + at.pixel + left * LANES;
    return Upcoming::of(c, x, last - first, right - left, p.quarter, products);
}

template <Part PART>
void do_part(const ConvCall& c, const Plan& p, const Unit& unit, Waiting* waiting, float* packed) {
    pack_part<PART>(c, p, unit.at.image, unit.at.pixel, packed);
    constexpr Part NEXT = (Part)((PART + 1) % PARTS);
    Upcoming upcoming = {};
    if (NEXT != X11 || unit.goes_on)
        upcoming = upcoming_of<NEXT>(c, p, NEXT != X11 ? unit.at : unit.next, (unit.last_quad - unit.first_quad) * PARTS);
    for (int64_t i = 0; i < unit.last_quad - unit.first_quad; ++i) {
        const int64_t quad = unit.first_quad + i;
        with_height(panel_height(c.out_channels, quad, QUAD), [&](auto height) {
            multiply_quad<PART, decltype(height)::value>(c, p, unit.at, quad, packed, upcoming, i * PARTS, waiting[i]);
        });
    }
}

void do_group(const ConvCall& c, const Plan& p, int64_t number, int64_t next, float* scratch) {
    const auto place = [&](int64_t unit) {
        const int64_t group = unit / p.slices;
        return Place{group / p.groups, group % p.groups * WIDTH * LANES};
    };
    const int64_t slice = number % p.slices;
    const Unit unit = {place(number), p.first_quad(slice), p.first_quad(slice + 1), place(next), next / p.slices < p.groups * c.batch};
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
        const int64_t height = panel_height(c.out_channels, panel / QUAD, QUAD);
        const int64_t channel = channel_of(panel / QUAD, QUAD, panel % QUAD, height);
        if (channel >= c.out_channels) break;
        const float* const a = plain + panel * depth * ROWS;
        for_vector_groups(count, [&](int64_t first, int64_t group) {
            const Target target = panel_target(c, p.pixels, image, channel, height, (vector + first) * LANES);
            with_vectors(group, [&](auto vectors) {
                constexpr int N = decltype(vectors)::value;
                Vec sum[ROWS][N] = {};
                accumulate<Float32>(sum, depth, a, packed + first * LANES, count * LANES, depth * ROWS, Nothing{}, target.writes());
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
        const int64_t height = panel_height(out_channels, quad, QUAD);
        double w[4][4], outer[2][2][PARTS];
        for (int64_t row = 0; row < 4; ++row)
            for (int64_t column = 0; column < 4; ++column) {
                const float value = m < height ? at(channel_of(quad, QUAD, row, height) + m, column * quarter + d) : 0.f;
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
