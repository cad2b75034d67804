// variants: generic avx2 avx512
//
// A filtered activation of one image, streamed: a chunk of rows at a time through four passes, each in cache.
//
//   x rows -> rise_row -> columns -> rise_column, act -> one column of upsampled rows -> fall_column -> rows -> fall_row -> y rows
//
// The upsampled samples exist one column of vectors at a time, in the first-level cache. Between chunks the rows that the next one needs again
// are kept. Work is shared out by channels, and by bands of rows where channels are few.
#include <stdlib.h>
#include <string.h>

#include "resample.h"
#include "resample_fold.h"
#include "resample_plan.h"
#include "resample_rows.h"

namespace {

// ---- the passes, for one channel ----

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
    case n * 8 + m: found = rise_row<Rise<n, m>, m>(source, h, p.vectors, p.h_column, p.up_x); break
    uint32_t found = 0;
    if (p.x_planes != 1) return false;
    if (p.mirrored) {
        found = p.ax.up == 2 ? rise_row<MirroredRise<6, 2>, 2>(source, h, p.vectors, p.h_column, p.mirrored_x)
                             : rise_row<MirroredRise<6, 4>, 4>(source, h, p.vectors, p.h_column, p.mirrored_x);
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
void rise_one_column(const Plan &p, const Vec *h, Vec *a, int groups, uint32_t peak, const Act &act) {
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

// `small` does what `act` does where all samples are below the clamp.
template <class Act, class Small>
void run_band(const Plan &p, const Channel &channel, int begin, int end, float *scratch, const Act &act, const Small &small) {
    const Axis &ay = p.ay;
    float *h = scratch + p.h_at, *t = scratch + p.t_at, *row = scratch + p.y_at;
    const Vec out_scale = broadcast(channel.out_scale);
    Vec *a = (Vec *)(scratch + p.a_at), *kept = (Vec *)(scratch + p.kept_at);
    int group = (ay.down * begin + ay.skip) / ay.up;  // the next to be computed
    int a_first = group * ay.up;                      // the upsampled row that a[0] is
    int a_kept = 0, h_kept = 0;
    uint32_t peak = 0;                                // of the input so far
    for (int from = begin; from < end; from += p.rows) {
        int to = least(from + p.rows, end);
        int last = (ay.down * (to - 1) + ay.skip + ay.taps_down - 1) / ay.up;
        int groups = most(0, last - group + 1);
        int needed = groups > 0 ? groups + ay.phase_taps - 1 : h_kept;
        rise_rows(p, channel, group + ay.origin + h_kept, needed - h_kept, h_kept, scratch, &peak);
        int next = ay.down * to + ay.skip;                                     // the first upsampled row of the next chunk
        int a_end = (group + groups) * ay.up;
        int next_kept = most(0, a_end - most(next, a_first));
        int next_group = most(group + groups, next / ay.up);
        int next_h_kept = most(0, needed - (next_group - group));
        const char *y = (const char *)(channel.y + (size_t)from * p.call->out_w);
        Ahead ahead = {nullptr, nullptr, y, y + (int64_t)(to - from) * p.call->out_w * 4, 0, 0};
        const int new_rows = p.rows * ay.down / ay.up + 1;
        if (to < end) set_input_ahead(*p.call, channel.x, next_group + ay.origin + next_h_kept, new_rows, &ahead);
        else if (channel.next_x != nullptr) set_input_ahead(*p.call, channel.next_x, ay.origin, new_rows + ay.phase_taps, &ahead);
        ahead.cut(3 * p.columns);  // little by little: many requests at once would have to wait
        for (int v = 0; v < p.columns; v++) {
            ahead.fetch();
            Vec *mine = kept + (size_t)v * p.kept_rows;
            Vec *column = (Vec *)(h + v * p.h_column);
            for (int i = 0; i < a_kept; i++) a[i] = mine[i];
            if (peak <= p.safe_peak) rise_one_column(p, column, a + a_kept, groups, peak, small);
            else rise_one_column(p, column, a + a_kept, groups, peak, act);
            ahead.fetch();
            fall_one_column(p, a + (ay.down * from + ay.skip - a_first), t + (size_t)v * L, to - from);
            ahead.fetch();
            if (to < end) {
                for (int i = 0; i < next_kept; i++) mine[i] = a[a_end - a_first - next_kept + i];
                for (int i = 0; i < next_h_kept; i++) column[i] = column[needed - next_h_kept + i];
            }
        }
        for (int o = from; o < to; o++) {
            const float *mine = t + (o - from) * p.t_pitch;
            float *y = channel.y + (size_t)o * p.call->out_w;
            if (fall_row_of_sums(p, mine, y, out_scale) || fall_known_row(p, mine, y, out_scale)) continue;
            fall_any_row(p, mine, row);
            join_planes(row, p.y_planes, p.y_vectors * L, y, p.call->out_w, channel.out_scale);
        }
        a_first = next_kept > 0 ? a_end - next_kept : next_group * ay.up;
        a_kept = next_kept;
        h_kept = next_h_kept;
        group = next_group;
    }
}

void run_task(const Plan &p, int image, int begin, int end, float *scratch) {
    const AfResample &call = *p.call;
    const int sample = image / call.c, c = image % call.c, after = image + most(1, call.threads);
    const float *next_x = after < call.n * call.c ? call.x + after / call.c * call.x_batch + after % call.c * call.x_channel : nullptr;
    Channel channel = {call.x + sample * call.x_batch + c * call.x_channel, next_x, call.y + (size_t)image * call.out_h * call.out_w,
                       call.in_scale ? call.in_scale[image] : 1.0f, call.bias ? call.bias[c] : 0.0f,
                       call.out_scale ? call.out_scale[image] : 1.0f};
    if (call.activate) {
        const Vec slope = broadcast(call.slope);
        run_band(p, channel, begin, end, scratch, Activation{slope, broadcast(-call.clamp), broadcast(call.clamp)}, Unclamped{slope});
    } else {
        run_band(p, channel, begin, end, scratch, Identity{}, Identity{});
    }
}

}  // namespace

// 0; 1: no memory; 2: the factors need more planes than there are (native.py asks before).
extern "C" int AF_VARIANT(af_resample)(const AfResample *call) {
    Plan p;
    p.call = call;
    p.ax = make_axis(call->up_x, call->down_x, call->up_taps_x, call->down_taps_x, call->pad_x);
    p.ay = make_axis(call->up_y, call->down_y, call->up_taps_y, call->down_taps_y, call->pad_y);
    lay_out_rows(p);
    if (p.planes > MOST_PLANES) return 2;
    lay_out_chunk(p);
    void *taps = spread_taps(p);
    if (taps == nullptr) return 1;
    const Tasks tasks = {call->n * call->c, call->out_h, call->threads, 24, p.floats};
    const int failed = run_tasks(tasks, [&](int image, int begin, int end, float *scratch) { run_task(p, image, begin, end, scratch); });
    free(taps);
    return failed;
}
