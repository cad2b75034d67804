// Bias, upsample and filter, non-linearity, filter and downsample: one block of threads makes one tile of one plane of the output.
//
//     y = fall(f(rise(x + b)))
//
// Both filters are sums of outer products of 1-D filters, in correlation order. The tile of the input, what the rise makes of it ("middle")
// and what the vertical fall makes of that stay in shared memory. Horizontal passes give neighbouring threads neighbouring rows (of odd
// pitch), vertical ones neighbouring columns, so that no two threads of a warp meet in a bank. Sums are float32.
//
// Compiled with AF_FIXED, the sizes are constants: loops unroll, and taps are operands from the constant bank. Without, they come with the
// call, and the taps lie in memory: one kernel for everything that is rare.
#pragma once

#include "portable.cuh"

constexpr int AF_MOST_TAPS = 640;
constexpr int AF_OUTS = 4;  // outputs of a fall that one thread makes

// What happens between the filters.
enum Mode { AF_LINEAR = 0, AF_ACTIVATE = 1, AF_ACTIVATE_AND_MARK = 2, AF_SCALE_AS_MARKED = 3 };

struct ResampleCall {
    const void* x;
    void* y;
    const float* bias;
    unsigned* marks;      // two bits for each middle sample, 16 rows of one column a word: planes x ceil(marks_h / 16) x marks_w
    const float* filters;  // the taps, where they are not in this structure
    long long x_batch, x_channel, x_row, x_column;
    long long y_batch, y_channel, y_row, y_column;
    int channels, w, h, out_w, out_h, tiles_x, tiles_y, vector_in, vector_out;
    int marks_w, marks_h, marks_x, marks_y;  // size, and which mark belongs to the first middle sample
    int up_x, up_y, down_x, down_y, pad_x, pad_y;
    int rise_x, rise_y, fall_x, fall_y, rises, falls, tile_x, tile_y;
    float slope, gain, clamp;
    float taps[AF_MOST_TAPS];  // rises of x, rises of y, falls of x, falls of y
};

#ifdef AF_FIXED
#define AF_SIZE(name, field) constexpr int name = AF_##name
#define AF_TEMPLATE(name) AF_##name
constexpr int AF_TERMS = AF_FALLS < 4 ? AF_FALLS : 4;  // terms of the fall along y that share each read of the middle
#else
#define AF_SIZE(name, field) const int name = call.field
#define AF_TEMPLATE(name) 0
constexpr int AF_TERMS = 1;
#endif

#define AF_GROUPS_OF(up) ((up) == 2 ? 4 : (up) == 4 ? 2 : 1)

AF_DEVICE int ceil_divide(int a, int b) { return a >= 0 ? (a + b - 1) / b : -((-a) / b); }  // b > 0
AF_DEVICE int smaller(int a, int b) { return a < b ? a : b; }
AF_DEVICE int larger(int a, int b) { return a > b ? a : b; }

AF_DEVICE float bounded(float value, float limit) {  // keeps what is not a number
    return value > limit ? limit : value < -limit ? -limit : value;
}

// The leaky ReLU, its gain and its clamp; `mark` becomes 0 where its derivative is gain, 1 where gain slope, 2 where 0.
AF_DEVICE float activate(float value, const ResampleCall& call, unsigned& mark) {
    mark = value > 0 ? 0 : 1;
    value = (value > 0 ? value : value * call.slope) * call.gain;
    const float limited = bounded(value, call.clamp);
    if (limited != value && value == value) mark = 2;
    return limited;
}

// One 1-D rise for GROUPS neighbouring groups, of which `groups` are wanted, of the `up` middle samples that depend on the same inputs: middle
// samples `first`, `first` + 1, ... below `limit`. Sample first + e meets the taps up - 1 - e, up - 1 - e + up, ...
template <int UP, int TAPS, int GROUPS, bool ACTIVATE>
AF_DEVICE void rise(const float* in, int in_step, float* out, int out_step, const float* taps, int up_, int taps_, int first, int groups,
                    int limit, bool add, const ResampleCall& call) {
    const int up = UP ? UP : up_, count = TAPS ? TAPS : taps_, depth = (count + up - 1) / up;
    float window[UP ? (TAPS + UP - 1) / (UP ? UP : 1) + GROUPS - 1 : 1];
    if (UP) {
        AF_UNROLL
        for (int k = 0; k < depth + GROUPS - 1; ++k) window[k] = k < depth + groups - 1 ? in[k * in_step] : 0.0f;
    }
    AF_UNROLL
    for (int e = 0; e < GROUPS * up; ++e) {
        const int i = first + e, skipped = e / up;
        float sum = 0;
        AF_UNROLL
        for (int k = 0; k < depth; ++k) {
            const int t = up - 1 - e % up + k * up;
            if (t < count) sum += taps[t] * (UP ? window[UP ? k + skipped : 0] : in[(k + skipped) * in_step]);
        }
        if (i < 0 || i >= limit) continue;
        if (add) sum += out[i * out_step];
        unsigned mark;
        out[i * out_step] = ACTIVATE ? activate(sum, call, mark) : sum;
    }
}

// AF_OUTS neighbouring outputs of TERMS 1-D falls of the same samples, of which `terms` are wanted, added to `sums`.
template <int DOWN, int TAPS, int TERMS>
AF_DEVICE void fall(const float* in, int in_step, float (*sums)[AF_OUTS], const float* taps, int down_, int taps_, int outs, int terms) {
    const int down = DOWN ? DOWN : down_, count = TAPS ? TAPS : taps_;
    if (DOWN) {  // each sample is read once
        AF_UNROLL
        for (int s = 0; s < (AF_OUTS - 1) * down + count; ++s) {
            const float value = in[s * in_step];
            AF_UNROLL
            for (int k = 0; k < TERMS; ++k) {
                AF_UNROLL
                for (int e = 0; e < AF_OUTS; ++e) {
                    const int t = s - e * down;
                    if (k < terms && t >= 0 && t < count) sums[k][e] += taps[k * count + t] * value;
                }
            }
        }
    } else {
        for (int e = 0; e < outs; ++e)
            for (int t = 0; t < count; ++t) sums[0][e] += taps[t] * in[(e * down + t) * in_step];
    }
}

// The input's tile, as float32, with the bias; 0 outside the image.
template <class T>
AF_DEVICE void load_row_part(const ResampleCall& call, const typename T::Raw* row, bool inside, float bias, int start, int from, int count,
                             float* to) {
    float values[T::vector];
    const bool whole = inside && start >= 0 && start + T::vector <= call.w;
    if (whole && call.vector_in) {
        load_vector<T>(row + start, values);
    } else {
        AF_UNROLL
        for (int i = 0; i < T::vector; ++i)
            values[i] = inside && start + i >= 0 && start + i < call.w ? T::widen(row[(start + i) * call.x_column]) : 0.0f;
    }
    AF_UNROLL
    for (int i = 0; i < T::vector; ++i) {
        const int column = start + i - from;
        if (column >= 0 && column < count) to[column] = inside && start + i >= 0 && start + i < call.w ? values[i] + bias : 0.0f;
    }
}

template <class T> AF_DEVICE void store_row_part(const ResampleCall& call, typename T::Raw* row, int start, int count, const float* from) {
    if (count == T::vector && call.vector_out) {
        store_vector<T>(from, row + start);
    } else {
        for (int i = 0; i < count; ++i) row[(start + i) * call.y_column] = T::narrow(from[i]);
    }
}

template <class T, int MODE> AF_DEVICE void resample(const ResampleCall& call, float* shared, int block) {
    AF_SIZE(UP_X, up_x);
    AF_SIZE(UP_Y, up_y);
    AF_SIZE(DOWN_X, down_x);
    AF_SIZE(DOWN_Y, down_y);
    AF_SIZE(RISE_X, rise_x);
    AF_SIZE(RISE_Y, rise_y);
    AF_SIZE(FALL_X, fall_x);
    AF_SIZE(FALL_Y, fall_y);
    AF_SIZE(RISES, rises);
    AF_SIZE(FALLS, falls);
    AF_SIZE(TILE_X, tile_x);
    AF_SIZE(TILE_Y, tile_y);
    // Groups of a rise that one thread makes: each sample that it reads then meets more taps.
    constexpr int GROUPS_X = AF_GROUPS_OF(AF_TEMPLATE(UP_X)), GROUPS_Y = AF_GROUPS_OF(AF_TEMPLATE(UP_Y));
    using Raw = typename T::Raw;

    // The tile, in samples of the output, of the middle and of the input.
    const int tile = block % (call.tiles_x * call.tiles_y), plane = block / (call.tiles_x * call.tiles_y);
    const int tile_column = tile % call.tiles_x, tile_row = tile / call.tiles_x;
    const int out_x = tile_column * TILE_X, out_y = tile_row * TILE_Y;
    const int middle_x = out_x * DOWN_X, middle_y = out_y * DOWN_Y;
    const int middle_w = (TILE_X - 1) * DOWN_X + FALL_X, middle_h = (TILE_Y - 1) * DOWN_Y + FALL_Y;
    const int in_x = ceil_divide(middle_x - call.pad_x, UP_X), in_y = ceil_divide(middle_y - call.pad_y, UP_Y);
    const int phase_x = in_x * UP_X - (middle_x - call.pad_x), phase_y = in_y * UP_Y - (middle_y - call.pad_y);  // 0 to up - 1
    const int in_w = ceil_divide(middle_w - 1, UP_X) + (RISE_X + UP_X - 1) / UP_X;
    const int in_h = ceil_divide(middle_h - 1, UP_Y) + (RISE_Y + UP_Y - 1) / UP_Y;

    const int in_pitch = in_w | 1, pitch = middle_w | 1, out_pitch = TILE_X | 1;
    float* const input = shared;
    float* const risen = input + in_h * in_pitch;  // horizontally: in_h x pitch
    float* const fallen = shared;                  // vertically: falls x TILE_Y x pitch; takes the place of both
    float* const middle = shared + larger(in_h * (in_pitch + pitch), FALLS * TILE_Y * pitch);  // middle_h x pitch
    float* const output = middle;                                                               // TILE_Y x out_pitch

#ifdef AF_FIXED
    const float* const taps = call.taps;
#else
    const float* const taps = call.filters;
#endif
    const float* const rise_taps_x = taps;
    const float* const rise_taps_y = rise_taps_x + RISES * RISE_X;
    const float* const fall_taps_x = rise_taps_y + RISES * RISE_Y;
    const float* const fall_taps_y = fall_taps_x + FALLS * FALL_X;

    AF_EACH_THREAD {
        const Raw* const image = static_cast<const Raw*>(call.x) + (plane / call.channels) * call.x_batch + (plane % call.channels) * call.x_channel;
        const float bias = call.bias ? call.bias[plane % call.channels] : 0.0f;
        const int first = (in_x >= 0 ? in_x / T::vector : -((T::vector - 1 - in_x) / T::vector)) * T::vector;  // rounded down
        const int vectors = (in_w + 2 * T::vector - 2) / T::vector;
        for (int item = thread; item < in_h * vectors; item += AF_THREADS) {
            const int row = item / vectors, j = in_y + row;
            load_row_part<T>(call, image + j * call.x_row, j >= 0 && j < call.h, bias, first + item % vectors * T::vector, in_x, in_w,
                             input + row * in_pitch);
        }
    }
    AF_BARRIER();

    AF_UNROLL
    for (int k = 0; k < RISES; ++k) {
        AF_EACH_THREAD {
            const int groups = ceil_divide(middle_w - 1 - phase_x, UP_X) + 1, parts = ceil_divide(groups, GROUPS_X);
            for (int item = thread; item < in_h * parts; item += AF_THREADS) {
                const int row = item % in_h, group = item / in_h * GROUPS_X;
                rise<AF_TEMPLATE(UP_X), AF_TEMPLATE(RISE_X), GROUPS_X, false>(
                    input + row * in_pitch + group, 1, risen + row * pitch, 1, rise_taps_x + k * RISE_X, UP_X, RISE_X,
                    phase_x + 1 + (group - 1) * UP_X, smaller(GROUPS_X, groups - group), middle_w, false, call);
            }
        }
        AF_BARRIER();
        AF_EACH_THREAD {
            const int groups = ceil_divide(middle_h - 1 - phase_y, UP_Y) + 1, parts = ceil_divide(groups, GROUPS_Y);
            for (int item = thread; item < middle_w * parts; item += AF_THREADS) {
                const int column = item % middle_w, group = item / middle_w * GROUPS_Y, wanted = smaller(GROUPS_Y, groups - group);
                const float* const in = risen + group * pitch + column;
                const float* const k_taps = rise_taps_y + k * RISE_Y;
                const int from = phase_y + 1 + (group - 1) * UP_Y;
                if (MODE == AF_ACTIVATE && k == RISES - 1)
                    rise<AF_TEMPLATE(UP_Y), AF_TEMPLATE(RISE_Y), GROUPS_Y, true>(in, pitch, middle + column, pitch, k_taps, UP_Y, RISE_Y,
                                                                                 from, wanted, middle_h, k > 0, call);
                else
                    rise<AF_TEMPLATE(UP_Y), AF_TEMPLATE(RISE_Y), GROUPS_Y, false>(in, pitch, middle + column, pitch, k_taps, UP_Y, RISE_Y,
                                                                                  from, wanted, middle_h, k > 0, call);
            }
        }
        AF_BARRIER();
    }

    if (MODE == AF_ACTIVATE_AND_MARK) {
        AF_EACH_THREAD {  // each mark is written by one tile: that which it belongs to, or the last, which has what is left
            const bool last_x = tile_column == call.tiles_x - 1, last_y = tile_row == call.tiles_y - 1;
            const int words = (middle_h + 15) / 16, word_rows = (call.marks_h + 15) / 16;
            for (int item = thread; item < middle_w * words; item += AF_THREADS) {
                const int column = item % middle_w, word = item / middle_w;
                unsigned bits = 0;
                for (int i = 0; i < smaller(16, middle_h - 16 * word); ++i) {
                    float& value = middle[(16 * word + i) * pitch + column];
                    unsigned mark;
                    value = activate(value, call, mark);
                    bits |= mark << (2 * i);
                }
                const int x = middle_x + column, y = middle_y / 16 + word;
                const bool mine = (last_x || column < TILE_X * DOWN_X) && (last_y || 16 * word < TILE_Y * DOWN_Y);
                if (mine && x < call.marks_w && y < word_rows) call.marks[((long long)plane * word_rows + y) * call.marks_w + x] = bits;
            }
        }
        AF_BARRIER();
    }
    if (MODE == AF_SCALE_AS_MARKED) {
        AF_EACH_THREAD {
            const int word_rows = (call.marks_h + 15) / 16;
            for (int item = thread; item < middle_w * middle_h; item += AF_THREADS) {
                const int column = item % middle_w, row = item / middle_w;
                const int x = middle_x + column + call.marks_x, y = middle_y + row + call.marks_y;
                float factor = 0;
                if (x >= 0 && x < call.marks_w && y >= 0 && y < call.marks_h) {
                    const unsigned word = call.marks[((long long)plane * word_rows + y / 16) * call.marks_w + x];
                    const unsigned mark = (word >> (2 * (y % 16))) & 3u;
                    factor = mark == 0 ? call.gain : mark == 1 ? call.gain * call.slope : 0.0f;
                }
                middle[row * pitch + column] *= factor;
            }
        }
        AF_BARRIER();
    }

    AF_EACH_THREAD {
        const int blocks = (TILE_Y + AF_OUTS - 1) / AF_OUTS;
        for (int item = thread; item < middle_w * blocks; item += AF_THREADS) {
            const int column = item % middle_w, row = item / middle_w * AF_OUTS, outs = smaller(AF_OUTS, TILE_Y - row);
            AF_UNROLL
            for (int k = 0; k < FALLS; k += AF_TERMS) {
                float sums[AF_TERMS][AF_OUTS] = {};
                fall<AF_TEMPLATE(DOWN_Y), AF_TEMPLATE(FALL_Y), AF_TERMS>(middle + row * DOWN_Y * pitch + column, pitch, sums,
                                                                         fall_taps_y + k * FALL_Y, DOWN_Y, FALL_Y, outs, FALLS - k);
                AF_UNROLL
                for (int j = 0; j < AF_TERMS; ++j) {
                    AF_UNROLL
                    for (int e = 0; e < AF_OUTS; ++e)
                        if (e < outs && k + j < FALLS) fallen[((k + j) * TILE_Y + row + e) * pitch + column] = sums[j][e];
                }
            }
        }
    }
    AF_BARRIER();
    AF_EACH_THREAD {
        const int blocks = (TILE_X + AF_OUTS - 1) / AF_OUTS;
        for (int item = thread; item < TILE_Y * blocks; item += AF_THREADS) {
            const int row = item % TILE_Y, column = item / TILE_Y * AF_OUTS, outs = smaller(AF_OUTS, TILE_X - column);
            float sums[1][AF_OUTS] = {};
            AF_UNROLL
            for (int k = 0; k < FALLS; ++k)
                fall<AF_TEMPLATE(DOWN_X), AF_TEMPLATE(FALL_X), 1>(fallen + (k * TILE_Y + row) * pitch + column * DOWN_X, 1, sums,
                                                                  fall_taps_x + k * FALL_X, DOWN_X, FALL_X, outs, 1);
            AF_UNROLL
            for (int e = 0; e < AF_OUTS; ++e)
                if (e < outs) output[row * out_pitch + column + e] = sums[0][e];
        }
    }
    AF_BARRIER();
    AF_EACH_THREAD {
        Raw* const image = static_cast<Raw*>(call.y) + (plane / call.channels) * call.y_batch + (plane % call.channels) * call.y_channel;
        const int vectors = (TILE_X + T::vector - 1) / T::vector, width = smaller(TILE_X, call.out_w - out_x);
        for (int item = thread; item < smaller(TILE_Y, call.out_h - out_y) * vectors; item += AF_THREADS) {
            const int row = item / vectors, column = item % vectors * T::vector;
            store_row_part<T>(call, image + (out_y + row) * call.y_row, out_x + column, smaller(T::vector, width - column),
                              output + row * out_pitch + column);
        }
    }
}
