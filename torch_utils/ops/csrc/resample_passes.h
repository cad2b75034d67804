// The passes of one channel: each picks the kernel that the plan allows.
#pragma once

#include <string.h>

#include "resample_plan.h"
#include "resample_rows.h"

namespace {

struct Channel {
    const float *x, *next_x;  // next_x: the image that this thread probably gets next, or null
    float *y;
    float scale, bias, out_scale;
};

// One input row into planes, scaled and biased, zero outside the image.
AF_PASS void copy_row(const Plan &p, const Channel &channel, const float *row, float *out) {
    int width = p.call->w, origin = p.ax.origin, planes = p.x_planes;
    for (int c = 0; c < planes; c++) {
        float *plane = out + (size_t)c * p.x_length;
        // Positions s with 0 <= planes * s + c + origin < width.
        int first = most(0, ceil_div(most(0, -(c + origin)), planes));
        int last = least(p.x_length, width - c - origin <= 0 ? 0 : ceil_div(width - c - origin, planes));
        if (last < first) last = first = least(first, p.x_length);
        memset(plane, 0, first * sizeof(float));
        const float *from = row + origin + c;
        if (planes == 1) {
            int s = first;
            for (; s + L <= last; s += L) store(plane + s, load(from + s) * channel.scale + channel.bias);
            for (; s < last; s++) plane[s] = from[s] * channel.scale + channel.bias;
        } else {
            int s = first;
            if (planes == 2)  // the last of the 2 L samples read is one beyond what is kept, so stop a sample early
                for (; s + L < last; s += L)
                    store(plane + s, even_lanes(load(from + 2 * s), load(from + 2 * s + L)) * channel.scale + channel.bias);
            for (; s < last; s++) plane[s] = from[(size_t)s * planes] * channel.scale + channel.bias;
        }
        memset(plane + last, 0, (p.x_length - last) * sizeof(float));
    }
}

// A row that lies in memory as planes with zeros around them.
void rise_copied_row(const Plan &p, const float *x, float *h) {
#define AF_CASE(n, m) \
    case n * 8 + m: return rise_row<n, m>(x, h, p.vectors, p.h_column, p.up_x)
    if (L != 16 && p.x_planes == 1) switch (p.ax.phase_taps * 8 + p.ax.up) {
            AF_CASE(6, 2);
            AF_CASE(6, 4);
            AF_CASE(4, 2);
            AF_CASE(4, 4);
            AF_CASE(8, 2);
            AF_CASE(8, 4);
        }
#undef AF_CASE
    const int taps = p.ax.phase_taps;
    for (int q = 0; q < p.planes; q++)
        sum_windows(x, p.window_up + q * taps, p.up_x + q % p.ax.up * taps, taps, h + (size_t)q * p.vectors * p.h_column, p.h_column,
                    p.vectors, 0);
}

// Straight from the image; false: this case needs a copied row. `peak` becomes at least the row's.
bool rise_source_row(const Plan &p, const Channel &channel, const float *row, float *h, uint32_t *peak) {
#if AF_LANES == 16
    const int first = most(0, -p.ax.origin), last = p.call->w - p.ax.origin;
    const RowSource source = {(const float *)((uintptr_t)row + (intptr_t)p.ax.origin * 4), first, last, channel.scale, channel.bias};
#define AF_CASE(n, m) \
    case n * 8 + m: found = rise_row<Rise<n, m>>(source, h, p.vectors, p.h_column, p.up_x); break
    uint32_t found = 0;
    if (p.x_planes != 1) return false;
    if (p.mirrored) {
        found = p.ax.up == 2 ? rise_row<MirroredRise<6, 2>>(source, h, p.vectors, p.h_column, p.mirrored_x)
                             : rise_row<MirroredRise<6, 4>>(source, h, p.vectors, p.h_column, p.mirrored_x);
        *peak = found > *peak ? found : *peak;
        if (found <= p.mirrored_most) return true;  // else once more, without differences of large samples
    }
    switch (p.ax.phase_taps * 8 + p.ax.up) {
        AF_CASE(1, 1);
        AF_CASE(6, 2);
        AF_CASE(6, 4);
        AF_CASE(4, 2);
        AF_CASE(4, 4);
        AF_CASE(8, 2);
        AF_CASE(8, 4);
        default: return false;
    }
#undef AF_CASE
    *peak = found > *peak ? found : *peak;
    return true;
#else
    return false;
#endif
}

// Input rows [first, first + count) into slots of the columns; four at a time, so that no copy is read back while it is still being written.
// `peak` becomes at least the largest magnitude in them, or more than any.
void rise_rows(const Plan &p, const Channel &channel, int first, int count, int slot, float *scratch, uint32_t *peak) {
    const size_t row_floats = (size_t)p.x_length * p.x_planes;
    float *rows = scratch + p.x_at, *h = scratch + p.h_at + (size_t)slot * L;
    for (int start = 0; start < count; start += 4) {
        bool copied[4] = {};
        const int some = least(4, count - start);
        for (int i = 0; i < some; i++) {
            const int64_t y = (int64_t)first + start + i;
            const float *row = channel.x + y * p.call->x_row;
            float *out = h + (size_t)(start + i) * L;
            if (y < 0 || y >= p.call->h) {
                for (int v = 0; v < p.columns; v++) *(Vec *)(out + v * p.h_column) = Vec{};
            } else if (!rise_source_row(p, channel, row, out, peak)) {
                copy_row(p, channel, row, rows + i * row_floats);
                *peak = UINT32_MAX;
                copied[i] = true;
            }
        }
        for (int i = 0; i < some; i++)
            if (copied[i]) rise_copied_row(p, rows + i * row_floats, h + (size_t)(start + i) * L);
    }
}

template <class Act>
void rise_column_by(const Plan &p, const Vec *h, Vec *a, int groups, uint32_t peak, const Act &act) {
    if (p.mirrored && p.ay.up == 2) {
        if (peak <= p.mirrored_peak) return rise_column_mirrored<6, 2>(h, a, groups, p.mirrored_y, act);
        return rise_column_wary<6, 2>(h, a, groups, p.up_y, p.mirrored_y, act);
    }
    if (p.mirrored) {
        if (peak <= p.mirrored_peak) return rise_column_mirrored<6, 4>(h, a, groups, p.mirrored_y, act);
        return rise_column_wary<6, 4>(h, a, groups, p.up_y, p.mirrored_y, act);
    }
#define AF_CASE(n, m) \
    case n * 8 + m: return rise_column<n, m>(h, a, groups, p.up_y, n, m, act)
    switch (p.ay.phase_taps * 8 + p.ay.up) {
        AF_CASE(6, 2);
        AF_CASE(6, 4);
        AF_CASE(4, 2);
        AF_CASE(4, 4);
        AF_CASE(8, 2);
        AF_CASE(8, 4);
        AF_CASE(1, 1);
    }
#undef AF_CASE
    rise_column_any(h, a, groups, p.up_y, p.ay.phase_taps, p.ay.up, act);
}

// `small` does what `act` does where all samples are below the clamp.
template <class Act, class Small>
void rise_one_column(const Plan &p, const Vec *h, Vec *a, int groups, uint32_t peak, const Act &act, const Small &small) {
    if (peak <= p.safe_peak) rise_column_by(p, h, a, groups, peak, small);
    else rise_column_by(p, h, a, groups, peak, act);
}

void fall_one_column(const Plan &p, const Vec *a, float *t, int rows) {
    const Axis &ay = p.ay;
    int rank = p.call->rank;
    if (p.pivoted) switch (rank) {
            case 1: return fall_column_pivoted<1>(a, t, rows, p.t_pitch, p.t_part, p.down_y);
            case 2: return fall_column_pivoted<2>(a, t, rows, p.t_pitch, p.t_part, p.down_y);
            case 3: return fall_column_pivoted<3>(a, t, rows, p.t_pitch, p.t_part, p.down_y);
            case 4: return fall_column_pivoted<4>(a, t, rows, p.t_pitch, p.t_part, p.down_y);
        }
#define AF_CASE(taps, d, k) \
    case (taps * 8 + d) * 8 + k: return fall_column_symmetric<taps, d, k>(a, t, rows, p.t_pitch, p.t_part, p.down_y, taps, d, k)
    if (p.symmetric_y && rank < 8 && ay.down < 8) switch ((ay.taps_down * 8 + ay.down) * 8 + rank) {
            AF_CASE(4, 1, 1);
            AF_CASE(4, 2, 1);
            AF_CASE(12, 2, 1);
            AF_CASE(12, 2, 2);
            AF_CASE(12, 2, 3);
            AF_CASE(12, 2, 4);
            AF_CASE(8, 2, 1);
            AF_CASE(8, 2, 2);
            AF_CASE(8, 2, 3);
            AF_CASE(16, 2, 1);
            AF_CASE(16, 2, 2);
            AF_CASE(16, 2, 3);
            AF_CASE(24, 4, 1);
            AF_CASE(24, 4, 2);
            AF_CASE(24, 4, 3);
        }
#undef AF_CASE
    fall_column_any(a, t, rows, p.t_pitch, p.t_part, p.down_y, ay.taps_down, ay.down, rank);
}

// One output row from sums of all terms; false: not this case.
bool fall_row_of_sums(const Plan &p, const float *t, float *y, Vec scale) {
#if AF_LANES == 16
    if (!p.folded) return false;
    FallSource source = {{}, p.t_part, p.call->rank};
    for (int c = 0; c < p.planes; c++) source.base[c] = t + p.window_down[c];
#define AF_CASE(planes, k) \
    case planes * 8 + k: fall_row_folded<planes, k>(source, p.vectors, y, p.call->out_w, p.folded_x, scale); return true
    switch (p.planes * 8 + p.call->rank) {
        AF_CASE(2, 1);
        AF_CASE(2, 2);
        AF_CASE(2, 3);
        AF_CASE(2, 4);
        AF_CASE(4, 1);
        AF_CASE(4, 2);
        AF_CASE(4, 3);
        AF_CASE(4, 4);
    }
#undef AF_CASE
#endif
    return false;
}

// One output row at a time where there is a kernel for it; false: none.
bool fall_known_row(const Plan &p, const float *t, float *y, Vec scale) {
    FallSource source = {{}, p.t_part, p.call->rank};
    const int width = p.call->out_w;
#define AF_CASE(planes, taps, parts)                                                                          \
    case (planes * 64 + taps) * 4 + parts:                                                                    \
        for (int c = 0; c < planes; c++) source.base[c] = t + p.window_down[c];                               \
        if (p.symmetric_x) fall_row<planes, taps, parts, true>(source, y, width, p.down_x, scale);            \
        else fall_row<planes, taps, parts, false>(source, y, width, p.down_x, scale);                         \
        return true
    if (p.ax.taps_down < 64 && p.y_planes < 4) switch ((p.planes * 64 + p.ax.taps_down) * 4 + p.y_planes) {
            AF_CASE(1, 4, 1);
            AF_CASE(2, 4, 1);
            AF_CASE(2, 12, 1);
            AF_CASE(4, 12, 2);
            AF_CASE(2, 8, 1);
            AF_CASE(4, 8, 2);
            AF_CASE(2, 16, 1);
            AF_CASE(4, 16, 2);
        }
#undef AF_CASE
    return false;
}

void fall_any_row(const Plan &p, const float *t, float *y) {
    const int taps = p.ax.taps_down;
    for (int k = 0; k < p.call->rank; k++)
        for (int s = 0; s < p.y_planes; s++)
            sum_windows(t + k * p.t_part, p.window_down + s * taps, p.down_x + (size_t)k * taps, taps, y + (size_t)s * p.y_vectors * L, L,
                        p.y_vectors, k > 0);
}

}  // namespace
