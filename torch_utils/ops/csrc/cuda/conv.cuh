// Correlation of one or several images with a weight of their own each, on tensor cores, in plain layout in and out: in 16 bits with float32
// sums, and in float32 as three products of halves (split.cuh).
//
// An implicit matrix product: outputs (rows of A: the weight) by pixels (columns of B), summed over the taps of 16 input channels, and over
// those. A block makes 16 AF_TILES_M AF_WARPS_M outputs for AF_COLUMNS x rows pixels; a warp 16 AF_TILES_M x 8 AF_TILES_N of that, which
// stay in registers.
//
// The weight comes as fragments (fragments.cuh), 16 bytes a lane, zeros where a matrix ends: so activations need no filling up. It passes
// through AF_STAGES places in shared memory, a row of taps at a time, by copies that are two rows ahead. With AF_AHEAD factors come into
// registers a tap ahead, and a row's last tap is multiplied after the barrier, so that no warp waits there for the next row's.
//
// Activations lie in planes, products want eight channels of a pixel together. Each thread reads two neighbouring pixels of eight channels
// into registers while the channels before are computed, packs them, and stores 16 bytes a pixel. Eight pixels are then 128 bytes without
// gaps, wherever the first is, so that every tap reads its factors from the same place, moved, by one instruction and without two lanes at
// one bank. Read once for all taps, and once more by neighbours for the border of (k - 1) pixels.
//
// Tensor cores cut sums off where float32 rounds them: over hundreds of steps that leans towards 0 by 1e-5, which 16 bits do not see. For
// float32 each tap of 16 channels is summed from 0, and added by the ordinary units.
#pragma once

#include "split.cuh"
#include "warp.cuh"

constexpr int AF_STAGES = 3;
constexpr int AF_WARPS = AF_WARPS_M * AF_WARPS_N;
constexpr int AF_BLOCK_THREADS = 32 * AF_WARPS;
constexpr int AF_BLOCK_TILES = AF_TILES_M * AF_WARPS_M;  // of 16 outputs
constexpr int AF_ROWS = 8 * AF_TILES_N * AF_WARPS_N / AF_COLUMNS;
constexpr int AF_IN_COLUMNS = AF_COLUMNS + AF_KERNEL - 1, AF_IN_ROWS = AF_ROWS + AF_KERNEL - 1;
constexpr int AF_PARTS = sizeof(AF_TYPE::Raw) == 4 ? 2 : 1;   // of a number
constexpr int AF_TAPS_AT_ONCE = AF_PARTS == 2 || AF_AHEAD ? 1 : AF_KERNEL;  // in the compiler's hands; with more it spills
constexpr int AF_UNIT_PIXELS = AF_PARTS == 2 ? 1 : 2;        // of eight channels, which a lane reads; 16 bytes each, in order
constexpr bool AF_WHOLE = AF_PARTS == 2 || AF_PAIRS_IN;      // units are inside or outside, none is half inside
constexpr int AF_UNITS = 2 * AF_IN_ROWS * AF_IN_COLUMNS / AF_UNIT_PIXELS;
constexpr int AF_ROUNDS = (AF_UNITS + AF_BLOCK_THREADS - 1) / AF_BLOCK_THREADS;
// Blocks at once on a multiprocessor. Three leave 168 registers to a thread, of which some of the compiler's back ends want a few more.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900
constexpr int AF_AT_ONCE = AF_RESIDENT == 3 && AF_TAPS_AT_ONCE > 1 ? 2 : AF_RESIDENT;
#else
constexpr int AF_AT_ONCE = AF_RESIDENT;
#endif
constexpr int AF_PART_BYTES = 16 * AF_UNIT_PIXELS * AF_UNITS, AF_IMAGE_BYTES = AF_PARTS * AF_PART_BYTES;
constexpr int AF_STAGE_BYTES = 512 * AF_KERNEL * AF_PARTS * AF_BLOCK_TILES;
constexpr int AF_SHARED_BYTES = AF_STAGES * AF_STAGE_BYTES + 2 * AF_IMAGE_BYTES;
static_assert(AF_IN_COLUMNS % 2 == 0 && AF_TILES_N % 2 == 0, "pixels go in pairs, and columns of products in pairs of eight");
static_assert((8 * AF_TILES_N) % AF_COLUMNS == 0 || AF_COLUMNS % (8 * AF_TILES_N) == 0, "a warp's pixels are whole rows, or part of one");

struct ConvCall {
    const void* x;       // images x inputs x h x w
    void* y;             // images x outputs x out_h x out_w
    const void* weight;  // images x chunks x taps x parts x tiles fragments
    long long x_image, y_image, weight_image;  // elements; of the weight, fragments of 512 bytes
    long long x_plane, y_plane;
    const float* gain;  // float32: that of the layer, or null
    float factor;  // float32: what else the gain has
    int inputs, outputs, w, h, out_w, out_h, padding;
    int chunks, tiles;                   // of 16 inputs and 16 outputs
    int blocks_m, blocks_x, blocks_y;    // of an image, the first counting fastest
};

template <class T> struct ProductOf {
    using Type = T;
};
template <> struct ProductOf<Float32> {
    using Type = Float16;
};
using AfRaw = AF_TYPE::Raw;
using AfProduct = ProductOf<AF_TYPE>::Type;  // what tensor cores multiply

// The factors of a tap.
struct Tap {
    Left a[AF_PARTS][AF_TILES_M];
    PerLane<unsigned> b[AF_PARTS][AF_TILES_N / 2][4];
};

// The registers of a warp.
struct ConvWarp {
    Tap tap;
    Sums sums[AF_TILES_M][AF_TILES_N];
    PerLane<unsigned> held[AF_ROUNDS][8];  // a word of each channel: two pixels, or one in float32
    PerLane<int> offset[AF_ROUNDS], inside[AF_ROUNDS];
};

struct ConvPlace {
    const AfRaw* x;
    AfRaw* y;
    const char* weight;
    int tile, column, row;  // the first of the block
};

AF_DEVICE ConvPlace conv_place(const ConvCall& call, int block) {
    ConvPlace place;
    place.tile = block % call.blocks_m * AF_BLOCK_TILES;
    block /= call.blocks_m;
    place.column = block % call.blocks_x * AF_COLUMNS;
    block /= call.blocks_x;
    place.row = block % call.blocks_y * AF_ROWS;
    const long long image = block / call.blocks_y;
    place.x = static_cast<const AfRaw*>(call.x) + image * call.x_image;
    place.y = static_cast<AfRaw*>(call.y) + image * call.y_image;
    place.weight = static_cast<const char*>(call.weight) + 512 * image * call.weight_image;
    return place;
}

// Where a lane's pixels are: the first one's offset in a plane, and a bit for each that is there.
AF_DEVICE void locate(const ConvCall& call, const ConvPlace& place, int warp, ConvWarp& state) {
    AF_UNROLL
    for (int r = 0; r < AF_ROUNDS; ++r) AF_EACH_LANE {
        const int unit = 32 * warp + lane + AF_BLOCK_THREADS * r, pixel = AF_UNIT_PIXELS * unit % (AF_IN_ROWS * AF_IN_COLUMNS);
        const int row = place.row - call.padding + pixel / AF_IN_COLUMNS, column = place.column - call.padding + pixel % AF_IN_COLUMNS;
        const bool row_there = unit < AF_UNITS && row >= 0 && row < call.h;
        const int inside = (row_there && column >= 0 && column < call.w) + 2 * (AF_UNIT_PIXELS == 2 && row_there && column >= -1 && column + 1 < call.w);
        state.offset[r][lane] = AF_WHOLE && !inside ? -1 : row * call.w + column;
        state.inside[r][lane] = inside;
    }
}

// Begin to read 16 channels into registers; zeros for what is not there.
AF_DEVICE void hold(const ConvCall& call, const ConvPlace& place, int warp, int chunk, ConvWarp& state) {
    AF_UNROLL
    for (int r = 0; r < AF_ROUNDS; ++r) AF_EACH_LANE {
        const int unit = 32 * warp + lane + AF_BLOCK_THREADS * r, channel = 16 * chunk + (2 * unit >= AF_UNITS ? 8 : 0);
        const int inside = AF_WHOLE ? 3 * (state.offset[r][lane] >= 0) : state.inside[r][lane];
        const AfRaw* from = place.x + channel * call.x_plane + state.offset[r][lane];
        AF_UNROLL
        for (int i = 0; i < 8; ++i, from += call.x_plane) {
            const bool there = channel + i < call.inputs;
            unsigned word = 0;
            if constexpr (AF_WHOLE) {
                if (there && inside) {
                    af_read(from, 4);
                    word = *reinterpret_cast<const unsigned*>(from);
                }
            } else {
                if (there && (inside & 1)) {
                    af_read(from, 2);
                    word = unsigned(from[0]);
                }
                if (there && (inside & 2)) {
                    af_read(from + 1, 2);
                    word |= unsigned(from[1]) << 16;
                }
            }
            state.held[r][i][lane] = word;
        }
    }
}

// What is held, by pixels; times `lift` in float32.
AF_DEVICE void release(int warp, char* image, float lift, const ConvWarp& state) {
    AF_UNROLL
    for (int r = 0; r < AF_ROUNDS; ++r) AF_EACH_LANE {
        const int unit = 32 * warp + lane + AF_BLOCK_THREADS * r;
        Sixteen first, second;  // pixels, or parts
        AF_UNROLL
        for (int i = 0; i < 4; ++i) {
            const unsigned even = state.held[r][2 * i][lane], odd = state.held[r][2 * i + 1][lane];
            if constexpr (AF_PARTS == 2) {
                split_pair(bits_to_float(even) * lift, bits_to_float(odd) * lift, first.words[i], second.words[i]);
            } else {
                first.words[i] = low_halves(even, odd);
                second.words[i] = high_halves(even, odd);
            }
        }
        if (AF_UNITS % AF_BLOCK_THREADS == 0 || unit < AF_UNITS) {
            Sixteen* const to = reinterpret_cast<Sixteen*>(image) + AF_UNIT_PIXELS * unit;
            to[0] = first;
            to[AF_PARTS == 2 ? AF_PART_BYTES / 16 : 1] = second;
        }
    }
}

// Begin to copy a row of taps of 16 channels. A fragment is a copy of 16 bytes by each lane of a warp.
AF_DEVICE void fetch(const ConvCall& call, const ConvPlace& place, int warp, int step, char* stage) {
    constexpr int fragments = AF_KERNEL * AF_PARTS * AF_BLOCK_TILES;
    if (step < call.chunks * AF_KERNEL) {
        AF_UNROLL
        for (int i = 0; i < (fragments + AF_WARPS - 1) / AF_WARPS; ++i) AF_EACH_LANE {
            const int fragment = i * AF_WARPS + warp, tap = fragment / AF_BLOCK_TILES, tile = place.tile + fragment % AF_BLOCK_TILES;
            if (fragments % AF_WARPS != 0 && fragment >= fragments) continue;
            const bool there = tile < call.tiles;
            const long long from = (long long)(step * AF_KERNEL * AF_PARTS + tap) * call.tiles + (there ? tile : 0);
            copy_later<16>(stage + 512 * fragment + 16 * lane, place.weight + 512 * from + 16 * lane, there);
        }
    }
    commit_copies();
}

// The place that a row's weight passes through.
AF_DEVICE int stage_of(int chunk, int ky) {
    return AF_KERNEL == AF_STAGES ? ky : (chunk * AF_KERNEL + ky) % AF_STAGES;
}

// Pixels of shared memory from a block's first to the first of eight columns of products.
AF_DEVICE constexpr int pixels_to(int eight) {
    return 8 * eight / AF_COLUMNS * AF_IN_COLUMNS + 8 * eight % AF_COLUMNS;
}

// The factors of tap (kx, ky) from where they lie.
AF_DEVICE void load_tap(int warp, int ky, int kx, const char* stage, const char* image, Tap& tap) {
    PerLane<SharedAddress> weights, pixels;
    AF_EACH_LANE {
        const int eight = warp % AF_WARPS_N * AF_TILES_N + lane / 16, half = lane / 8 % 2;  // whose row this lane names
        weights[lane] = shared_address(stage) + 512 * (warp / AF_WARPS_N * AF_TILES_M) + 16 * lane;
        pixels[lane] = shared_address(image) + half * (AF_PART_BYTES / 2) + 16 * (pixels_to(eight) + lane % 8);
    }
    AF_UNROLL
    for (int i = 0; i < AF_PARTS * AF_TILES_M; ++i) {
        const int part = i / AF_TILES_M, m = i % AF_TILES_M;
        load_fragment(weights, 512 * ((kx * AF_PARTS + part) * AF_BLOCK_TILES + m), tap.a[part][m]);
    }
    AF_UNROLL
    for (int i = 0; i < AF_PARTS * AF_TILES_N / 2; ++i) {
        const int part = i % AF_PARTS, pair = i / AF_PARTS;
        load_matrices(pixels, part * AF_PART_BYTES + 16 * (pixels_to(2 * pair) + ky * AF_IN_COLUMNS + kx), tap.b[part][pair]);
    }
}

AF_DEVICE void multiply_tap(const Tap& tap, ConvWarp& state) {
    AF_UNROLL
    for (int n = 0; n < AF_TILES_N; n += 2) {
        if constexpr (AF_PARTS == 2) {
            Sums sums[AF_TILES_M][2];
            AF_UNROLL
            for (int i = 0; i < 6 * AF_TILES_M; ++i) {  // the small products first; beside each other those that do not wait for each other
                const int product = i / (2 * AF_TILES_M), m = i / 2 % AF_TILES_M, side = i % 2;
                const PerLane<unsigned>* const right = tap.b[product == 1 ? AF_PARTS - 1 : 0][n / 2] + 2 * side;
                if (product == 0) start(sums[m][side], 0.0f);
                multiply_add(sums[m][side], tap.a[product == 0 ? AF_PARTS - 1 : 0][m], right[0], right[1]);
            }
            AF_UNROLL
            for (int i = 0; i < 2 * AF_TILES_M; ++i) add(state.sums[i / 2][n + i % 2], sums[i / 2][i % 2]);
        } else {
            AF_UNROLL
            for (int i = 0; i < 2 * AF_TILES_M; ++i) {
                const PerLane<unsigned>* const right = tap.b[0][n / 2] + i % 2 * 2;
                multiply_add<AfProduct>(state.sums[i / 2][n + i % 2], tap.a[0][i / 2], right[0], right[1]);
            }
        }
    }
}

// A row of taps; if factors are loaded ahead, without the last, which is only loaded. After it nobody reads its stage.
AF_DEVICE void begin_row(const ConvCall& call, const ConvPlace& place, int warp, int chunk, int ky, char* shared, float lift, ConvWarp& state) {
    char* const images = shared + AF_STAGES * AF_STAGE_BYTES;
    const char* const stage = shared + stage_of(chunk, ky) * AF_STAGE_BYTES;
    const char* const image = images + chunk % 2 * AF_IMAGE_BYTES;
    const bool more = chunk + 1 < call.chunks;
    if (ky == 0 && more) hold(call, place, warp, chunk + 1, state);
    if (AF_AHEAD && ky == AF_KERNEL - 1 && more) release(warp, images + (chunk + 1) % 2 * AF_IMAGE_BYTES, lift, state);
    AF_UNROLL_BY(AF_TAPS_AT_ONCE)
    for (int kx = AF_AHEAD; kx < AF_KERNEL; ++kx) {
        Tap next;
        load_tap(warp, ky, kx, stage, image, next);
        multiply_tap(AF_AHEAD ? state.tap : next, state);
        if (AF_AHEAD) state.tap = next;
    }
    if (!AF_AHEAD && ky == AF_KERNEL - 1 && more) release(warp, images + (chunk + 1) % 2 * AF_IMAGE_BYTES, lift, state);
    arrive<AF_STAGES - 2>();
}

// After the barrier the row's place gets another. The last tap is multiplied while the first of the next row (or something that nobody uses)
// is loaded; not before the barrier, where the compiler would have it: `zero` says that it cannot know.
AF_DEVICE void end_row(const ConvCall& call, const ConvPlace& place, int warp, int chunk, int ky, unsigned zero, char* shared, ConvWarp& state) {
    if constexpr (AF_AHEAD) {
        const int next_ky = (ky + 1) % AF_KERNEL, next_chunk = chunk + (ky + 1) / AF_KERNEL;
        const char* const images = shared + AF_STAGES * AF_STAGE_BYTES;
        Tap next;
        AF_UNROLL
        for (int m = 0; m < AF_TILES_M; ++m) AF_EACH_LANE state.tap.a[0][m].words[0][lane] ^= zero;
        load_tap(warp, next_ky, 0, shared + stage_of(next_chunk, next_ky) * AF_STAGE_BYTES, images + next_chunk % 2 * AF_IMAGE_BYTES, next);
        multiply_tap(state.tap, state);
        state.tap = next;
    }
    fetch(call, place, warp, chunk * AF_KERNEL + ky + AF_STAGES, shared + stage_of(chunk, ky) * AF_STAGE_BYTES);
}

AF_DEVICE AfRaw each_of(unsigned pair, int which) { return AfRaw(pair >> 16 * which); }
AF_DEVICE AfRaw each_of(const Eight& pair, int which) { return AfRaw(bits_to_float(pair.words[which])); }

// Two neighbours of a row, as far as they are there.
template <class PAIR> AF_DEVICE void put_pair(const ConvCall& call, const ConvPlace& place, int output, int row, int column, PAIR pair) {
    if (output >= call.outputs || row >= call.out_h || column >= call.out_w) return;
    AfRaw* const to = place.y + output * call.y_plane + (long long)row * call.out_w + column;
    if constexpr (AF_PAIRS_OUT) {
        *reinterpret_cast<PAIR*>(to) = pair;
    } else {
        to[0] = each_of(pair, 0);
        if (column + 1 < call.out_w) to[1] = each_of(pair, 1);
    }
}

AF_DEVICE void put_floats(const ConvCall& call, const ConvPlace& place, int warp, ConvWarp& state) {
    AF_UNROLL
    for (int m = 0; m < AF_TILES_M; ++m) {
        AF_UNROLL
        for (int part = 0; part < 2 * AF_TILES_N; ++part) AF_EACH_LANE {
            const int half = part % 2, n = part / 2, pixel = 8 * (warp % AF_WARPS_N * AF_TILES_N + n) + 2 * (lane % 4);
            const int output = 16 * (place.tile + warp / AF_WARPS_N * AF_TILES_M + m) + 8 * half + lane / 4;
            constexpr float scale = 1.0f / (AF_LIFT_X * AF_LIFT_WEIGHT);
            const Sums& sums = state.sums[m][n];
            const Eight pair = {{float_to_bits(sums.values[2 * half][lane] * scale), float_to_bits(sums.values[2 * half + 1][lane] * scale)}};
            put_pair(call, place, output, place.row + pixel / AF_COLUMNS, place.column + pixel % AF_COLUMNS, pair);
        }
    }
}

// In 16 bits. Two lanes in rows beside each other exchange half of what they have, so that eight lanes write 16 neighbouring pixels.
AF_DEVICE void put(const ConvCall& call, const ConvPlace& place, int warp, ConvWarp& state) {
    AF_UNROLL
    for (int m = 0; m < AF_TILES_M; ++m) {
        AF_UNROLL
        for (int part = 0; part < 2 * (AF_TILES_N / 2); ++part) {
            const int half = part % 2, n = part / 2 * 2;
            PerLane<unsigned> own, other;
            AF_EACH_LANE {
                const unsigned left = narrow_pair<AfProduct>(state.sums[m][n].values[2 * half][lane], state.sums[m][n].values[2 * half + 1][lane]);
                const unsigned right = narrow_pair<AfProduct>(state.sums[m][n + 1].values[2 * half][lane], state.sums[m][n + 1].values[2 * half + 1][lane]);
                own[lane] = lane & 4 ? right : left;
                other[lane] = lane & 4 ? left : right;
            }
            exchange<4>(other);
            AF_EACH_LANE {
                const int odd = lane / 4 % 2, pixel = 8 * (warp % AF_WARPS_N * AF_TILES_N + n + odd) + 2 * (lane % 4);
                const int row = place.row + pixel / AF_COLUMNS, column = place.column + pixel % AF_COLUMNS;
                const int output = 16 * (place.tile + warp / AF_WARPS_N * AF_TILES_M + m) + 8 * half + lane / 8 * 2;
                put_pair(call, place, output, row, column, odd ? other[lane] : own[lane]);
                put_pair(call, place, output + 1, row, column, odd ? own[lane] : other[lane]);
            }
        }
    }
}

AF_DEVICE void conv(const ConvCall& call, char* shared, int block) {
    const ConvPlace place = conv_place(call, block);
    const float lift = AF_PARTS == 2 ? AF_LIFT_X * power_below(call.gain, call.factor) : 1.0f;
    PerWarp<ConvWarp, AF_WARPS> states;
    AF_EACH_WARP(AF_WARPS) {
        ConvWarp& state = states[warp];
        AF_UNROLL
        for (int s = 0; s < AF_STAGES; ++s) fetch(call, place, warp, s, shared + s * AF_STAGE_BYTES);
        locate(call, place, warp, state);
        hold(call, place, warp, 0, state);
        AF_UNROLL
        for (int m = 0; m < AF_TILES_M; ++m) {
            AF_UNROLL
            for (int n = 0; n < AF_TILES_N; ++n) start(state.sums[m][n], 0.0f);
        }
        release(warp, shared + AF_STAGES * AF_STAGE_BYTES, lift, state);
        arrive<AF_STAGES - 1>();
    }
    AF_WARPS_MEET();
    AF_EACH_WARP(AF_WARPS) {
        if (AF_AHEAD) load_tap(warp, 0, 0, shared, shared + AF_STAGES * AF_STAGE_BYTES, states[warp].tap);
        begin_row(call, place, warp, 0, 0, shared, lift, states[warp]);
    }
    for (int chunk = 0; chunk < call.chunks; ++chunk) {
        AF_UNROLL
        for (int ky = 0; ky < AF_KERNEL; ++ky) {
            const unsigned zero = meet_for_zero(call.chunks < 0);  // the next row is there, and this one's place is free
            AF_EACH_WARP(AF_WARPS) {
                end_row(call, place, warp, chunk, ky, zero, shared, states[warp]);
                if (ky < AF_KERNEL - 1)
                    begin_row(call, place, warp, chunk, ky + 1, shared, lift, states[warp]);
                else if (chunk + 1 < call.chunks)
                    begin_row(call, place, warp, chunk + 1, 0, shared, lift, states[warp]);
            }
        }
    }
    AF_WARPS_MEET();
    AF_EACH_WARP(AF_WARPS) {
        if constexpr (AF_PARTS == 2)
            put_floats(call, place, warp, states[warp]);
        else
            put(call, place, warp, states[warp]);
    }
}
