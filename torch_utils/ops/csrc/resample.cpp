// variants: generic avx2 avx512
//
// A filtered activation of one image, streamed: a chunk of rows at a time through four passes, each in cache.
//
//   x rows -> rise_row -> columns -> rise_column, act -> one column of upsampled rows -> fall_column -> rows -> fall_row -> y rows
//
// The upsampled samples exist one column of vectors at a time, in the first-level cache. Between chunks the rows that the next one needs again
// are kept. Work is shared out by channels, and by bands of rows where channels are few. Filters that are
// no product of two take all four passes column by column (resample_columns.h).
#include <stdlib.h>

#include "resample.h"
#include "resample_chunks.h"
#include "resample_passes.h"

namespace {

// Input rows that a chunk reads, at most.
int rows_ahead(const Plan &p) { return p.rows * p.ay.down / p.ay.up + 1; }

template <class Act, class Small>
void run_band(const Plan &p, const Channel &channel, int begin, int end, float *scratch, const Act &act, const Small &small) {
    float *h = scratch + p.h_at, *t = scratch + p.t_at, *row = scratch + p.y_at;
    const Vec out_scale = broadcast(channel.out_scale);
    Vec *a = (Vec *)(scratch + p.a_at), *kept = (Vec *)(scratch + p.kept_at);
    uint32_t peak = 0;  // of the input so far
    for (Chunks chunks(p, begin, end); chunks.left();) {
        const Chunk c = chunks.next();
        const int rows = c.to - c.from;
        rise_rows(p, channel, c.new_row, c.new_rows, c.h_kept, scratch, &peak);
        const char *y = (const char *)(channel.y + (size_t)c.from * p.call->out_w);
        Ahead ahead = {nullptr, nullptr, y, y + (int64_t)rows * p.call->out_w * 4, 0, 0};
        if (!c.last) set_input_ahead(*p.call, channel.x, c.next_row, rows_ahead(p), &ahead);
        else if (channel.next_x != nullptr) set_input_ahead(*p.call, channel.next_x, p.ay.origin, rows_ahead(p) + p.ay.phase_taps, &ahead);
        ahead.cut(3 * p.columns);  // little by little: many requests at once would have to wait
        for (int v = 0; v < p.columns; v++) {
            ahead.fetch();
            Vec *mine = kept + (size_t)v * p.kept_rows;
            Vec *column = (Vec *)(h + v * p.h_column);
            for (int i = 0; i < c.a_kept; i++) a[i] = mine[i];
            rise_one_column(p, column, a + c.a_kept, c.groups, peak, act, small);
            ahead.fetch();
            fall_one_column(p, a + c.a_skipped, t + (size_t)v * L, rows);
            ahead.fetch();
            if (!c.last) c.keep_a(a, mine), c.keep_h(column, column);
        }
        for (int o = c.from; o < c.to; o++) {
            const float *mine = t + (o - c.from) * p.t_pitch;
            float *y = channel.y + (size_t)o * p.call->out_w;
            if (fall_row_of_sums(p, mine, y, out_scale) || fall_known_row(p, mine, y, out_scale)) continue;
            fall_any_row(p, mine, row);
            join_planes(row, p.y_planes, p.y_vectors * L, y, p.call->out_w, channel.out_scale);
        }
    }
}

#if AF_LANES == 16

// One column of a chunk's rows, upsampled along them: those kept and new ones. `peak` becomes at least the largest magnitude in them.
template <int P>
void rise_source_column(const Plan &p, const Chunk &c, const ColumnSource &source, int v, const Vec *kept, Vec *h, uint32_t *peak) {
    for (int q = 0; q < P; q++) {
        Vec *const mine = h + q * p.h_rows;
        for (int i = 0; i < c.h_kept; i++) mine[i] = kept[q * p.ay.phase_taps + i];
        for (int i = 0; i < source.from; i++) mine[c.h_kept + i] = Vec{};
        for (int i = source.to; i < c.new_rows; i++) mine[c.h_kept + i] = Vec{};
    }
    const int at = v * L;
    const auto rise = [&](auto pass) { return pass(source, at, h + c.h_kept, p.h_rows, p.mirrored_x, p.up_x, p.mirrored_most); };
    const bool inside = at >= source.row.first && at + 2 * L <= source.row.last;
    uint32_t found = inside ? rise(rise_column_of_rows<P, INSIDE>) : rise(rise_column_of_rows<P, EDGE>);
    if (found > p.mirrored_most) found = rise(rise_column_of_rows<P, WARY>);
    *peak = found > *peak ? found : *peak;
}

// The same by columns of vectors, where resample_columns.h serves. Outputs go to working memory first, and to the image row by row.
template <int P, class Act, class Small>
void run_band_by_columns(const Plan &p, const Channel &channel, int begin, int end, float *scratch, const Act &act, const Small &small) {
    constexpr int AHEAD = 3;  // columns between a prefetch and its use
    constexpr int STEP = P / 2 * L;
    const AfResample &call = *p.call;
    Vec *const h = (Vec *)(scratch + p.h_at), *const a = (Vec *)(scratch + p.a_at);
    float *const out = scratch + p.t_at;
    uint32_t peak = 0;        // of the input so far
    const auto x_lines = [&](const float *image, int first, int rows) {
        const int from = least(most(0, first), call.h), to = most(from, least(first + rows, call.h));
        return LinesAhead{(const float *)((uintptr_t)image + (from * call.x_row + p.ax.origin + L) * 4), call.x_row, image ? to - from : 0};
    };
    for (Chunks chunks(p, begin, end); chunks.left();) {
        const Chunk c = chunks.next();
        const int rows = c.to - c.from;
        const RowSource row = {(const float *)((uintptr_t)channel.x + (c.new_row * call.x_row + p.ax.origin) * 4), most(0, -p.ax.origin),
                               call.w - p.ax.origin, channel.scale, channel.bias};
        const int missing = least(c.new_rows, most(0, -c.new_row));
        const ColumnSource source = {row, call.x_row, missing, most(missing, least(c.new_rows, call.h - c.new_row))};
        float *const y = channel.y + (size_t)c.from * call.out_w;
        ColumnTarget target = {(Vec *)(scratch + p.before_at), out, p.out_pitch, broadcast(channel.out_scale)};
        const LinesAhead x = x_lines(channel.x, c.new_row, c.new_rows);
        const LinesAhead next_x = c.last ? x_lines(channel.next_x, p.ay.origin, rows_ahead(p) + p.ay.phase_taps)
                                         : x_lines(channel.x, c.next_row, rows_ahead(p));
        Ahead ahead = {nullptr, nullptr, (const char *)y, (const char *)(y + (size_t)rows * call.out_w), 0, 0};
        ahead.cut(P * p.vectors);
        Vec *kept_a = (Vec *)(scratch + p.kept_at), *kept_h = (Vec *)(scratch + p.kept_h_at);
        for (int v = 0; v < p.vectors; v++, kept_a += P * p.kept_rows, kept_h += P * p.ay.phase_taps) {
            (v + AHEAD < p.vectors ? x : next_x).fetch((v + AHEAD) % p.vectors * L);
            rise_source_column<P>(p, c, source, v, kept_h, h, &peak);
            for (int q = 0; q < P; q++) {
                ahead.fetch();
                Vec *const mine = a + q * p.a_rows, *const column = h + q * p.h_rows;
                for (int i = 0; i < c.a_kept; i++) mine[i] = kept_a[q * p.kept_rows + i];
                rise_one_column(p, column, mine + c.a_kept, c.groups, peak, act, small);
                c.keep_a(mine, kept_a + q * p.kept_rows);
                c.keep_h(column, kept_h + q * p.ay.phase_taps);
            }
            fall_column_of_rows<P>(target, a + c.a_skipped, p.a_rows, rows, p.pairs);
            target.y += STEP;
        }
        end_column_of_rows<P>(target, rows);
        for (int o = 0; o < rows; o++) {
            const float *from = out + STEP + o * p.out_pitch;
            float *to = y + (size_t)o * call.out_w;
            for (int i = 0; i < call.out_w; i += L) store_first(to + i, *(const Vec *)(from + i), call.out_w - i);
        }
    }
}

#endif

template <class Act, class Small>
void run(const Plan &p, const Channel &channel, int begin, int end, float *scratch, const Act &act, const Small &small) {
#if AF_LANES == 16
    if (p.by_columns && p.planes == 2) return run_band_by_columns<2>(p, channel, begin, end, scratch, act, small);
    if (p.by_columns) return run_band_by_columns<4>(p, channel, begin, end, scratch, act, small);
#endif
    run_band(p, channel, begin, end, scratch, act, small);
}

void run_task(const Plan &p, int image, int begin, int end, float *scratch) {
    const AfResample &call = *p.call;
    const int after = image + most(1, call.threads);
    const auto x_of = [&](int i) { return i >= call.n * call.c ? nullptr : call.x + i / call.c * call.x_batch + i % call.c * call.x_channel; };
    const Channel channel = {x_of(image), x_of(after), call.y + (size_t)image * call.out_h * call.out_w,
                             call.in_scale ? call.in_scale[image] : 1.0f, call.bias ? call.bias[image % call.c] : 0.0f,
                             call.out_scale ? call.out_scale[image] : 1.0f};
    if (call.activate) {
        const Vec slope = broadcast(call.slope);
        run(p, channel, begin, end, scratch, Activation{slope, broadcast(-call.clamp), broadcast(call.clamp)}, Unclamped{slope});
    } else {
        run(p, channel, begin, end, scratch, Identity{}, Identity{});
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
    choose_passes(p);
    lay_out_chunk(p);
    void *taps = spread_taps(p);
    if (taps == nullptr) return 1;
    const Tasks tasks = {call->n * call->c, call->out_h, call->threads, 24, p.floats};
    const int failed = run_tasks(tasks, [&](int image, int begin, int end, float *scratch) { run_task(p, image, begin, end, scratch); });
    free(taps);
    return failed;
}
