// What one call of the filters needs to know before it starts: phases, sizes, the layout of a thread's working memory, and taps as vectors.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "isa.h"
#include "resample.h"
#include "resample_columns.h"
#include "resample_tasks.h"

namespace {

constexpr int L = AF_LANES;
constexpr int MOST_PLANES = 16;
constexpr int64_t CHUNK_BYTES = 440 * 1024;  // of second-level cache, for what lies between the passes
constexpr int MOST_ROWS = 45, MOST_ROWS_OF_TERMS = 26;  // of a chunk: beyond, rows take longer (measured)

struct Axis {
    int up, down, taps_up, taps_down;
    int phase_taps;  // of the upsampling filter, in each phase
    int skip;        // the grid of upsampled samples begins so much earlier, for all phases to begin at one input sample
    int origin;      // that input sample
};

struct Plan {
    const AfResample *call;
    Axis ax, ay;
    int planes, x_planes, y_planes;                // in one row: upsampled, input, output
    int vectors, x_length, y_vectors, columns;     // a plane's vectors; an input plane's floats; an output plane's vectors; planes * vectors
    int rows, groups, h_rows, a_rows, kept_rows;   // capacities of a chunk
    size_t t_pitch, t_part, h_column, out_pitch;   // in floats
    size_t x_at, h_at, a_at, kept_at, kept_h_at, before_at, t_at, y_at, floats;
    bool mirrored;                                 // resample_kernels.h: the vertical upsampling filter
    Vec *up_x, *up_y, *mirrored_x, *mirrored_y, *down_x, *down_y, *folded_x, *pairs;  // taps as vectors
    int32_t *window_up, *window_down;              // where taps' windows begin
    bool symmetric_x, symmetric_y;                 // the downsampling filters
    bool pivoted;                                  // resample_kernels.h: the vertical ones
    uint32_t safe_peak, mirrored_peak;             // inputs up to here stay below the clamp, below MIRRORED_MOST; the bits of a float
    uint32_t mirrored_most;                        // MIRRORED_MOST itself
    bool folded;                                   // resample_fold.h serves the last pass
    bool by_columns;                               // resample_columns.h serves all passes
};

int floor_mod(int a, int b) { return ((a % b) + b) % b; }

Axis make_axis(int up, int down, int taps_up, int taps_down, int pad) {
    int skip = floor_mod(up - 1 - pad, up);
    return {up, down, taps_up, taps_down, ceil_div(taps_up, up), skip, (up - 1 - pad - skip) / up};
}

size_t round_up(size_t n) { return (n + 15) / 16 * 16; }

// Phase r of the grid: taps up - 1 - r, 2 up - 1 - r, ...
void spread_up(const float *taps, const Axis &axis, Vec *out) {
    for (int r = 0; r < axis.up; r++)
        for (int j = 0; j < axis.phase_taps; j++) {
            int k = axis.up - 1 - r + axis.up * j;
            out[r * axis.phase_taps + j] = broadcast(k < axis.taps_up ? taps[k] : 0.0f);
        }
}

// Half sums and differences of tap j and tap N - 1 - j of the first half of m phases, as rise_groups_mirrored takes them.
void spread_mirrored(const Vec *taps, int n, int m, Vec *out) {
    for (int r = 0; r < m / 2; r++)
        for (int j = 0; j < n / 2; j++) {
            *out++ = (taps[r * n + j] + taps[r * n + n - 1 - j]) * 0.5f;
            *out++ = (taps[r * n + j] - taps[r * n + n - 1 - j]) * 0.5f;
        }
}

bool all_symmetric(const float *taps, int count, int rank) {
    for (int k = 0; k < rank; k++)
        for (int j = 0; j < count; j++)
            if (taps[k * count + j] != taps[k * count + count - 1 - j]) return false;
    return true;
}

bool all_pivoted(const float *taps, int rank) {
    for (int k = 0; k < rank; k++)
        for (int i = 0; i < rank; i++)
            if (taps[k * PIVOTED_TAPS + pivot_of(rank, i)] != (i == k ? 1.0f : 0.0f)) return false;
    return true;
}

// The largest sum of magnitudes of a phase: by how much the filter may raise the largest sample.
float most_gain(const float *taps, const Axis &axis) {
    float found = 0;
    for (int r = 0; r < axis.up; r++) {
        float sum = 0;
        for (int k = r; k < axis.taps_up; k += axis.up) sum += taps[k] < 0 ? -taps[k] : taps[k];
        found = sum > found ? sum : found;
    }
    return found;
}

// The bits of the largest sample that `gain` does not raise above `most`.
uint32_t peak_for(float most, float gain) {
    const float value = most / gain;
    uint32_t bits = 0;
    if (value > 0) memcpy(&bits, &value, sizeof bits);
    return bits;
}

void lay_out_rows(Plan &p) {
    const AfResample &call = *p.call;
    const Axis &ax = p.ax;
    p.planes = ax.up / gcd(ax.up, ax.down) * ax.down;
    p.x_planes = p.planes / ax.up;
    p.y_planes = p.planes / ax.down;
    int length_y = ceil_div(call.out_w, p.y_planes);
    int reach = (ax.down * (p.y_planes - 1) + ax.skip + ax.taps_down - 1) / p.planes;
    p.y_vectors = ceil_div(length_y, L);
    p.vectors = ceil_div(length_y + reach, L);
    p.columns = p.planes * p.vectors;
    p.x_length = (int)round_up((size_t)p.vectors * L + ((p.planes - 1) / ax.up + ax.phase_taps - 1) / p.x_planes + 1);
    // Not a power of two, or the rows of one column would share a cache set; and room for a window that begins in the last vector.
    p.t_pitch = round_up((size_t)p.columns * L + reach) + 16;
    if (p.t_pitch % 256 == 0) p.t_pitch += 16;
}

// Which kernels serve: what is known of the filters and the activation.
void choose_passes(Plan &p) {
    const AfResample &call = *p.call;
    const Axis &ax = p.ax, &ay = p.ay;
    const bool bounded = L == 16 && call.activate && call.clamp <= FOLD_CLAMP;
    p.symmetric_x = all_symmetric(call.down_filter_x, ax.taps_down, call.rank);
    p.symmetric_y = all_symmetric(call.down_filter_y, ay.taps_down, call.rank);
    p.pivoted = p.symmetric_y && ay.taps_down == PIVOTED_TAPS && ay.down == 2 && call.rank <= 4 && all_pivoted(call.down_filter_y, call.rank);
    p.folded = bounded && p.symmetric_x && ax.taps_down == FOLD_TAPS && ax.down == 2 && (p.planes == 2 || p.planes == 4) && call.rank <= 4;
    p.mirrored = L == 16 && p.x_planes == 1 && (ay.up == 2 || ay.up == 4) && ay.taps_up == 6 * ay.up && ax.up == ay.up &&
                 ax.taps_up == ay.taps_up && all_symmetric(call.up_filter_x, ax.taps_up, 1) &&
                 all_symmetric(call.up_filter_y, ay.taps_up, 1);
    p.by_columns = p.mirrored && bounded && p.symmetric_x && p.symmetric_y && ax.taps_down == FOLD_TAPS && ay.taps_down == FOLD_TAPS &&
                   ax.down == 2 && ay.down == 2 && (p.planes == 2 || p.planes == 4) && ax.skip == column_skip(p.planes) && call.rank > 1;
}

void lay_out_chunk(Plan &p) {
    const AfResample &call = *p.call;
    const Axis &ay = p.ay;
    int64_t row_bytes = (int64_t)p.columns * L * 4;
    int64_t per_row = row_bytes * call.rank + row_bytes * ay.down / ay.up;
    const int fitting = least((int)(CHUNK_BYTES / per_row), call.rank == 1 ? MOST_ROWS : MOST_ROWS_OF_TERMS);
    p.rows = call.rows > 0 ? call.rows : p.by_columns ? COLUMN_ROWS : fitting;
    p.rows = least(most(p.rows, most(8, ay.up)), 240 / ay.down);
    int chunks = ceil_div(call.out_h, p.rows);
    p.rows = ceil_div(call.out_h, chunks);
    p.groups = (ay.down * (p.rows - 1) + ay.taps_down - 1 + ay.up - 1) / ay.up + 2;
    p.h_rows = (p.groups + ay.phase_taps) | 1;
    p.kept_rows = ay.taps_down + ay.up;
    p.a_rows = p.kept_rows + p.groups * ay.up;
    p.h_column = (size_t)p.h_rows * L;
    p.t_part = p.by_columns ? 0 : p.t_pitch * p.rows;
    const size_t between = p.by_columns ? p.planes : p.columns;  // columns of h that exist at a time
    size_t at = 0;
    auto take = [&at](size_t floats) { size_t here = at; at += round_up(floats); return here; };
    p.x_at = take((size_t)p.x_length * p.x_planes * 4 + L);
    p.h_at = take(p.h_column * between);
    p.a_at = take((size_t)p.a_rows * L * (p.by_columns ? p.planes : 1));
    p.kept_at = take((size_t)p.kept_rows * L * p.columns);
    p.kept_h_at = take(p.by_columns ? (size_t)ay.phase_taps * L * p.columns : 0);
    p.before_at = take(p.by_columns ? (size_t)p.rows * column_sums(p.planes) * L : 0);
    p.out_pitch = (size_t)(p.vectors + 1) * p.planes / 2 * L;
    p.t_at = take(p.by_columns ? p.out_pitch * p.rows : p.t_part * call.rank + 2 * L);
    p.y_at = take((size_t)p.y_vectors * L * p.y_planes);
    p.floats = at;
}

// Taps and windows, in one allocation that the caller frees; null if there is no memory.
void *spread_taps(Plan &p) {
    const AfResample &call = *p.call;
    const Axis &ax = p.ax, &ay = p.ay;
    size_t up_x = (size_t)ax.up * ax.phase_taps, up_y = (size_t)ay.up * ay.phase_taps;
    size_t down_x = (size_t)call.rank * ax.taps_down, down_y = (size_t)call.rank * ay.taps_down;
    const float gain_x = most_gain(call.up_filter_x, ax), gain_y = most_gain(call.up_filter_y, ay);
    p.safe_peak = peak_for(0.99f * call.clamp, gain_x * gain_y);
    p.mirrored_peak = peak_for(0.99f * MIRRORED_MOST, gain_x);
    p.mirrored_most = peak_for(MIRRORED_MOST, 1.0f);
    size_t folded_x = p.folded ? (size_t)call.rank * folded_taps(p.planes) : 0;
    const size_t pairs = p.by_columns ? column_taps(p.planes) : 0;
    size_t windows = (size_t)p.planes * ax.phase_taps + (size_t)p.y_planes * ax.taps_down;
    void *memory = nullptr;
    const size_t vectors = 2 * (up_x + up_y) + down_x + down_y + folded_x + pairs;
    if (posix_memalign(&memory, 64, vectors * sizeof(Vec) + windows * sizeof(int32_t)) != 0) return nullptr;
    p.up_x = (Vec *)memory;
    p.mirrored_x = p.up_x + up_x;
    p.up_y = p.mirrored_x + up_x;
    p.mirrored_y = p.up_y + up_y;
    p.down_x = p.mirrored_y + up_y;
    p.down_y = p.down_x + down_x;
    p.folded_x = p.down_y + down_y;
    p.pairs = p.folded_x + folded_x;
    p.window_up = (int32_t *)(p.pairs + pairs);
    p.window_down = p.window_up + (size_t)p.planes * ax.phase_taps;
    spread_up(call.up_filter_x, ax, p.up_x);
    spread_up(call.up_filter_y, ay, p.up_y);
    if (p.mirrored) {
        spread_mirrored(p.up_x, ax.phase_taps, ax.up, p.mirrored_x);
        spread_mirrored(p.up_y, ay.phase_taps, ay.up, p.mirrored_y);
    }
    for (size_t i = 0; i < down_x; i++) p.down_x[i] = broadcast(call.down_filter_x[i]);
    for (size_t i = 0; i < down_y; i++) p.down_y[i] = broadcast(call.down_filter_y[i]);
    for (int q = 0; q < p.planes; q++)
        for (int j = 0; j < ax.phase_taps; j++) {
            int step = q / ax.up + j;
            p.window_up[q * ax.phase_taps + j] = step % p.x_planes * p.x_length + step / p.x_planes;
        }
    for (int s = 0; s < p.y_planes; s++)
        for (int k = 0; k < ax.taps_down; k++) {
            int sample = ax.down * s + ax.skip + k;
            p.window_down[s * ax.taps_down + k] = sample % p.planes * p.vectors * L + sample / p.planes;
        }
    for (int k = 0; p.folded && k < call.rank; k++)
        spread_folded(call.down_filter_x + k * FOLD_TAPS, p.planes, p.folded_x + k * folded_taps(p.planes));
    if (p.by_columns) spread_pairs(call.down_filter_x, call.down_filter_y, call.rank, p.planes, p.pairs);
    return memory;
}

}  // namespace
