// Bias, upsample and filter, non-linearity, filter and downsample, in float16 with float32 sums, as products with banded matrices. Images
// may be bfloat16 (AF_TYPE): their values are halves too, up to 65504, and become infinite beyond; results are rounded to it at the end.
//
//     y = fall_y(fall_x(f(rise_y(rise_x(x + b)))))
//
// One warp makes a strip of AF_GROUPS x 8 columns of one plane of the output, 8 rows at a time, downwards. Each filter is a banded
// Toeplitz matrix whose fragments stay in registers; what one product gives is a factor of the next without leaving its lane (see
// warp.cuh), since each product turns its image on its side, and the passes alternate between x and y. Shared memory holds only the
// input's rows on their way in, and no warp waits for another.
//
// Samples of the middle come in blocks of 16 x 16. For 8 rows of a strip of G groups, each 8 columns wide, with M = G + 1 blocks side by
// side and a fall that is a sum of R outer products, there are
//     2 M / UP_Y (rise x) + 2 M (rise y) + 2 G R or, where R is odd, up to G more (fall x) + G R (fall y)
// products of 16 x 16 x 8: for G = 4 and 256 outputs 31 with R = 1 and UP = 2, 52.5 with R = 3 and UP = 4. Global memory moves 2 bytes for
// each output and 2 for each input, the strip's halo of (RISE - 1) / UP + FALL / 2 columns again from the cache; shared memory 4 for each
// input.
//
// Results are rounded to 11 bits before and after each product: the input with its bias, after rise x, after rise y and again after f, after
// fall x, and at the end: all together at most 9.2e-4 of the largest value over all layers of T and R, of which the last rounding alone may
// be 4.9e-4. Between products values are bounded by the largest half, 65504.
#pragma once

#include "warp.cuh"

constexpr int AF_WARPS = 4;    // of a block
constexpr int AF_STAGES = 4;   // groups of 8 rows of the input that are on their way or at hand
constexpr int AF_BLOCKS_X = AF_GROUPS + 1;                                                    // of the middle, side by side
constexpr int AF_GROUPS_X = AF_UP_X == 2 ? AF_BLOCKS_X + 1 : (AF_BLOCKS_X - 1) / 2 + 2;       // of 8 columns of the input
constexpr int AF_PITCH = 4 * (AF_GROUPS_X | 1);                                               // words; odd multiples of 4 meet no bank twice
constexpr int AF_SHARED_WORDS = AF_WARPS * AF_STAGES * 8 * AF_PITCH;
// Blocks at once on a multiprocessor: 3 leave 168 registers to a thread, 2 leave 255. How many are needed depends on the compiler's back end.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
constexpr int AF_RESIDENT = 2;
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 860
constexpr int AF_RESIDENT = AF_GROUPS == 4 && AF_RANK + AF_UP_Y < 4 ? 3 : 2;
#else
constexpr int AF_RESIDENT = AF_GROUPS == 4 && AF_RANK + AF_UP_Y < 8 ? 3 : 2;
#endif
constexpr int AF_PAIRS = AF_RANK / 2, AF_SINGLE = AF_RANK % 2;

struct BandedCall {
    const void* x;
    void* y;
    const float* bias;
    const unsigned* table;  // the fragments of the filters, a word for each lane: rise x, rise y, fall x, fall y
    long long x_batch, x_channel, x_row, x_column;
    long long y_batch, y_channel, y_row, y_column;
    int channels, w, h, out_w, out_h;
    int strips, parts, part_rows, tasks;  // a task is a strip of a part of the rows
    int in_x, in_y;                       // the input sample that the first middle block begins with
    int vector_out;
    unsigned slope, rest, clamp;  // halves, twice each; the slope as a sum of two, so that it is exact to 22 bits
    float lift;                   // what a bias becomes in the middle
};

struct Filters {
    Left rise_x[AF_UP_X / 2], rise_y[AF_UP_Y / 2];
    Left pair_x[AF_PAIRS ? AF_PAIRS : 1][2];  // rows: 8 outputs of one term, 8 of the next
    Left single_x[3];                         // rows: 16 outputs
    Left fall_y[AF_RANK];                     // rows: 8 outputs that begin with this block, 8 that end with it
};

AF_DEVICE const unsigned* read_fragment(const unsigned* from, Left& to) {
    AF_UNROLL
    for (int r = 0; r < 4; ++r) AF_EACH_LANE to.words[r][lane] = from[32 * r + lane];
    return from + 128;
}

AF_DEVICE void read_filters(const unsigned* from, Filters& to) {
    AF_UNROLL
    for (int v = 0; v < AF_UP_X / 2; ++v) from = read_fragment(from, to.rise_x[v]);
    AF_UNROLL
    for (int v = 0; v < AF_UP_Y / 2; ++v) from = read_fragment(from, to.rise_y[v]);
    AF_UNROLL
    for (int p = 0; p < 2 * AF_PAIRS; ++p) from = read_fragment(from, to.pair_x[p / 2][p % 2]);
    AF_UNROLL
    for (int s = 0; s < 3 * AF_SINGLE; ++s) from = read_fragment(from, to.single_x[s]);
    AF_UNROLL
    for (int k = 0; k < AF_RANK; ++k) from = read_fragment(from, to.fall_y[k]);
}

// Where a task lies.
struct Place {
    const unsigned short* x;
    unsigned short* y;
    int in_x, in_y, out_x, out_y, rows, blocks;  // rows of the output; blocks of the middle, below each other
    unsigned bias;                               // twice, as halves
    float lift;
};

AF_DEVICE Place place_of(const BandedCall& call, int task) {
    Place place;
    const int strip = task % call.strips, part = task / call.strips % call.parts, plane = task / call.strips / call.parts;
    const long long batch = plane / call.channels, channel = plane % call.channels;
    place.x = static_cast<const unsigned short*>(call.x) + batch * call.x_batch + channel * call.x_channel;
    place.y = static_cast<unsigned short*>(call.y) + batch * call.y_batch + channel * call.y_channel;
    place.out_x = strip * 8 * AF_GROUPS;
    place.out_y = part * call.part_rows;
    place.in_x = call.in_x + place.out_x * 2 / AF_UP_X;
    place.in_y = call.in_y + place.out_y * 2 / AF_UP_Y;
    const int left = call.out_h - place.out_y;
    place.rows = left < call.part_rows ? left : call.part_rows;
    place.blocks = (place.rows + 7) / 8 + 1;
    const float bias = call.bias ? call.bias[channel] : 0.0f;
    const unsigned short rounded = float_to_half(bias);
    const float rest = bias - half_to_float(rounded);
    place.bias = rounded | unsigned(rounded) << 16;
    place.lift = rest == rest && rest < 1e30f && rest > -1e30f ? rest * call.lift : 0.0f;
    return place;
}

// Begin to fetch 8 rows of the input, AF_GRAIN halves at a time; zeros for what is outside. Lanes 4 i to 4 i + 3 have row i.
AF_DEVICE void fetch(const BandedCall& call, const Place& place, int group, unsigned* ring) {
    AF_EACH_LANE {
        const int row = place.in_y + 8 * group + lane / 4;
        const bool row_there = row >= 0 && row < call.h;
        const unsigned short* const from = place.x + (row_there ? row : 0) * call.x_row;
        unsigned* const to = ring + (group % AF_STAGES * 8 + lane / 4) * AF_PITCH;
        constexpr int units = 8 * AF_GROUPS_X / AF_GRAIN;
        AF_UNROLL
        for (int i = 0; i < (units + 3) / 4; ++i) {
            const int unit = 4 * i + lane % 4, column = place.in_x + unit * AF_GRAIN;
            if (units % 4 != 0 && unit >= units) continue;
            const bool there = row_there && column >= 0 && column < call.w;
#if AF_GRAIN > 1
            copy_later<2 * AF_GRAIN>(to + unit * AF_GRAIN / 2, from + (there ? column : 0), there);
#else
            reinterpret_cast<unsigned short*>(to)[unit] = there ? from[column * call.x_column] : (unsigned short)0;
#endif
        }
    }
    commit_copies();
}

// Two values of an image as halves.
AF_DEVICE unsigned halves_of(unsigned pair) {
    return AF_TYPE::halves ? pair : pair_of(bits_to_float(pair << 16), bits_to_float(pair & 0xffff0000u));
}

// Rise along x: 8 rows of the input become, for each middle block, its columns g (0) and g + 8 (1) at two rows of the input a word.
struct Risen {
    PerLane<unsigned> words[AF_BLOCKS_X][2];
};

AF_DEVICE void rise_x(const BandedCall& call, const Place& place, const Filters& filters, int group, const unsigned* ring, Risen& risen) {
    PerLane<unsigned> in[AF_GROUPS_X];
    AF_EACH_LANE {
        const int row = place.in_y + 8 * group + lane / 4;
        const unsigned bias = row >= 0 && row < call.h ? place.bias : 0u;
        const unsigned* const from = ring + (group % AF_STAGES * 8 + lane / 4) * AF_PITCH + lane % 4;
        if (place.in_x >= 0 && place.in_x + 8 * AF_GROUPS_X <= call.w) {
            AF_UNROLL
            for (int c = 0; c < AF_GROUPS_X; ++c) in[c][lane] = multiply_add(bias, 0x3c003c00u, halves_of(from[4 * c]));
        } else {
            AF_UNROLL
            for (int c = 0; c < AF_GROUPS_X; ++c) {
                const int column = place.in_x + 8 * c + 2 * (lane % 4);
                const unsigned first = column >= 0 && column < call.w ? 0x3c00u : 0u;
                const unsigned second = column >= -1 && column + 1 < call.w ? 0x3c000000u : 0u;
                in[c][lane] = multiply_add(bias, first | second, halves_of(from[4 * c]));
            }
        }
    }
    AF_UNROLL
    for (int m = 0; m < AF_BLOCKS_X; ++m) {
        const int c = AF_UP_X == 2 ? m : m / 2;
        Sums sums;
        start(sums, 0.0f);
        multiply_add(sums, filters.rise_x[AF_UP_X == 2 ? 0 : m % 2], in[c], in[c + 1]);
        narrow(sums, 0, risen.words[m][0]);
        narrow(sums, 1, risen.words[m][1]);
    }
}

// Rise along y and what happens point by point: 16 rows of the middle, rows g (0) and g + 8 (1) at two columns of it a word.
struct Middle {
    PerLane<unsigned> words[2 * AF_BLOCKS_X][2];
};

AF_DEVICE void rise_y(const BandedCall& call, const Place& place, const Left& filter, const Risen& upper, const Risen& lower, Middle& middle) {
    AF_UNROLL
    for (int n = 0; n < 2 * AF_BLOCKS_X; ++n) {
        Sums sums;
        start(sums, place.lift);
        multiply_add(sums, filter, upper.words[n / 2][n % 2], lower.words[n / 2][n % 2]);
        AF_UNROLL
        for (int half = 0; half < 2; ++half) {
            PerLane<unsigned>& to = middle.words[n][half];
            narrow(sums, half, to);
            if (AF_MODE == 1) {
                AF_EACH_LANE {  // slope <= 1
                    const unsigned sloped = multiply_add(to[lane], call.slope, multiply(to[lane], call.rest));
                    to[lane] = limit(greater(to[lane], sloped), call.clamp);
                }
            }
        }
    }
}

// One term of the fall along y: 16 rows of the middle, fallen along x, add to 8 rows of the output and complete the 8 before.
AF_DEVICE void fall_y(const Left& filter, const PerLane<unsigned>& upper, const PerLane<unsigned>& lower, Sums& out) {
    multiply_add(out, filter, upper, lower);
}

AF_DEVICE void fall(const Filters& filters, const Middle& middle, Sums* out) {
    AF_UNROLL
    for (int n = 0; n < AF_GROUPS; ++n) {
        AF_UNROLL
        for (int p = 0; p < AF_PAIRS; ++p) {
            PerLane<unsigned> fallen[2][2];  // term, half
            AF_UNROLL
            for (int half = 0; half < 2; ++half) {
                Sums sums;
                start(sums, 0.0f);
                AF_UNROLL
                for (int s = 0; s < 2; ++s)
                    multiply_add(sums, filters.pair_x[p][s], middle.words[2 * (n + s)][half], middle.words[2 * (n + s) + 1][half]);
                narrow(sums, 0, fallen[0][half]);
                narrow(sums, 1, fallen[1][half]);
            }
            fall_y(filters.fall_y[2 * p], fallen[0][0], fallen[0][1], out[n]);
            fall_y(filters.fall_y[2 * p + 1], fallen[1][0], fallen[1][1], out[n]);
        }
        if (AF_SINGLE && n % 2 == 0) {
            PerLane<unsigned> fallen[2][2];  // group, half
            AF_UNROLL
            for (int half = 0; half < 2; ++half) {
                Sums sums;
                start(sums, 0.0f);
                AF_UNROLL
                for (int s = 0; s < 3; ++s)
                    if (n + s < AF_BLOCKS_X)
                        multiply_add(sums, filters.single_x[s], middle.words[2 * (n + s)][half], middle.words[2 * (n + s) + 1][half]);
                narrow(sums, 0, fallen[0][half]);
                narrow(sums, 1, fallen[1][half]);
            }
            fall_y(filters.fall_y[AF_RANK - 1], fallen[0][0], fallen[0][1], out[n]);
            if (n + 1 < AF_GROUPS) fall_y(filters.fall_y[AF_RANK - 1], fallen[1][0], fallen[1][1], out[n + 1]);
        }
    }
}

// The complete 8 rows, lower halves of `out`, go to memory; the upper halves take their place.
AF_DEVICE void store(const BandedCall& call, const Place& place, int first, Sums* out) {
    AF_UNROLL
    for (int n = 0; n < AF_GROUPS; n += 2) {
        PerLane<unsigned> own, other, given;  // even lanes end with 4 columns of group n, odd ones of group n + 1
        const bool two = n + 1 < AF_GROUPS;
        AF_EACH_LANE {
            const unsigned here = narrow_pair<AF_TYPE>(out[n].values[2][lane], out[n].values[3][lane]);
            const unsigned next = two ? narrow_pair<AF_TYPE>(out[two ? n + 1 : n].values[2][lane], out[two ? n + 1 : n].values[3][lane]) : 0u;
            own[lane] = lane % 2 ? next : here;
            given[lane] = lane % 2 ? here : next;
        }
        other = given;
        exchange(other);
        AF_EACH_LANE {
            const int row = first + lane / 4, column = place.out_x + 8 * (n + lane % 2) + 2 * (lane % 4 & 2);
            if (first < 0 || row >= place.rows || column >= call.out_w || (lane % 2 && !two)) continue;
            const unsigned low = lane % 2 ? other[lane] : own[lane], high = lane % 2 ? own[lane] : other[lane];
            unsigned short* const to = place.y + (place.out_y + row) * call.y_row;
            if (call.vector_out) {
                *reinterpret_cast<Eight*>(to + column) = Eight{{low, high}};
            } else {
                AF_UNROLL
                for (int i = 0; i < 4; ++i)
                    if (column + i < call.out_w) to[(column + i) * call.y_column] = (unsigned short)((i < 2 ? low : high) >> (16 * (i % 2)));
            }
        }
    }
    AF_UNROLL
    for (int n = 0; n < AF_GROUPS; ++n) {
        AF_UNROLL
        for (int r = 0; r < 2; ++r) {
            AF_EACH_LANE {
                out[n].values[2 + r][lane] = out[n].values[r][lane];
                out[n].values[r][lane] = 0.0f;
            }
        }
    }
}

AF_DEVICE void banded(const BandedCall& call, unsigned* ring, int task) {
    const Place place = place_of(call, task);
    Filters filters;
    read_filters(call.table, filters);
    AF_UNROLL
    for (int group = 0; group < AF_STAGES - 1; ++group) fetch(call, place, group, ring);
    Risen risen[2];  // in turns the upper and the lower 8 rows of the input that 16 rows of the middle depend on
    Sums out[AF_GROUPS];
    AF_UNROLL
    for (int n = 0; n < AF_GROUPS; ++n) start(out[n], 0.0f);
    const auto next = [&](int group, Risen& to) {
        arrive<AF_STAGES - 2>();
        rise_x(call, place, filters, group, ring, to);
        fetch(call, place, group + AF_STAGES - 1, ring);
    };
    int group = 0;
    next(group, risen[0]);
    for (int begin = 0; begin < place.blocks; begin += AF_UP_Y) {
        AF_UNROLL
        for (int step = 0; step < AF_UP_Y; ++step) {  // two groups of the input, so that each finds its registers again
            const int block = begin + step, now = AF_UP_Y == 2 ? step : step / 2, variant = AF_UP_Y == 2 ? 0 : step % 2;
            if (block >= place.blocks) continue;
            if (variant == 0) next(AF_UP_Y == 2 ? block + 1 : ++group, risen[1 - now]);  // the same; each form saves a register or two
            Middle middle;
            rise_y(call, place, filters.rise_y[variant], risen[now], risen[1 - now], middle);
            fall(filters, middle, out);
            store(call, place, 8 * (block - 1), out);
        }
    }
    arrive<0>();
}
