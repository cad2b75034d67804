// variants: generic avx2 avx512
//
// A 2-D filter tap by tap, in phases: for filters that no short sum of separable ones equals.
#include <stdlib.h>
#include <string.h>

#include "resample.h"
#include "resample_rows.h"
#include "resample_tasks.h"

namespace {

constexpr int L = AF_LANES;
constexpr int CHUNK = 16;  // output rows

struct Direct {
    const AfDirect *call;
    int y_planes, x_planes;   // output columns of one phase are y_planes apart; their windows x_planes
    int vectors;              // of one output plane
    int lowest, length;       // first input column of all windows; floats of one input plane
    int most_taps;            // of one phase, both axes
    int held_rows;            // input rows that CHUNK output rows need
    size_t floats;
};

// Row o of the output reads input rows first .. first + count - 1 by taps tap, tap + up, ...
struct Phase {
    int first, count, tap;
};

Phase phase_of(int o, int up, int down, int pad, int taps) {
    int at = o * down - pad;  // input sample i meets tap up * i - at
    int first = ceil_div(at, up), tap = up * first - at;
    return {first, tap < taps ? (taps - tap - 1) / up + 1 : 0, tap};
}

void copy_plane_rows(const Direct &d, const float *image, int first, int count, float *rows) {
    const AfDirect &call = *d.call;
    for (int i = 0; i < count; i++)
        for (int c = 0; c < d.x_planes; c++) {
            float *plane = rows + ((size_t)i * d.x_planes + c) * d.length;
            const int64_t y = (int64_t)first + i, origin = (int64_t)d.lowest + c;
            memset(plane, 0, d.length * sizeof(float));
            if (y < 0 || y >= call.h || origin >= call.w) continue;
            const float *row = image + y * call.x_row + origin;
            const int begin = origin < 0 ? ceil_div((int)-origin, d.x_planes) : 0;
            const int end = least(d.length, ceil_div((int)(call.w - origin), d.x_planes));
            for (int s = begin; s < end; s++) plane[s] = row[(int64_t)s * d.x_planes];
        }
}

// Output rows [begin, end) of one image.
void run_rows(const Direct &d, int image, int begin, int end, float *scratch) {
    const AfDirect &call = *d.call;
    const float *x = call.x + image / call.c * call.x_batch + image % call.c * call.x_channel;
    float *plane = scratch;
    Vec *taps = (Vec *)(plane + (size_t)d.vectors * L * d.y_planes);
    int32_t *at = (int32_t *)(taps + d.most_taps);
    float *copied = (float *)(at + (d.most_taps + 15) / 16 * 16);
    int held_first = 0;
    for (int o = begin; o < end; o++) {
        Phase py = phase_of(o, call.up_y, call.down_y, call.pad_y, call.taps_y);
        if ((o - begin) % CHUNK == 0) {
            held_first = py.first;
            copy_plane_rows(d, x, held_first, d.held_rows, copied);
        }
        const float *rows = copied + (size_t)(py.first - held_first) * d.x_planes * d.length;
        float *y = call.y + ((size_t)image * call.out_h + o) * call.out_w;
        for (int s = 0; s < d.y_planes; s++) {
            Phase px = phase_of(s, call.up_x, call.down_x, call.pad_x, call.taps_x);
            int count = 0;
            for (int i = 0; i < py.count; i++)
                for (int j = 0; j < px.count; j++, count++) {
                    int step = px.first + j - d.lowest;
                    taps[count] = broadcast(call.filter[(py.tap + i * call.up_y) * call.taps_x + px.tap + j * call.up_x]);
                    at[count] = (i * d.x_planes + step % d.x_planes) * d.length + step / d.x_planes;
                }
            sum_windows(rows, at, taps, count, plane + (size_t)s * d.vectors * L, L, d.vectors, 0);
        }
        for (int s = 0; s < d.y_planes; s++)
            for (int i = s, k = s * d.vectors * L; i < call.out_w; i += d.y_planes, k++) y[i] = plane[k];
    }
}

}  // namespace

extern "C" int AF_VARIANT(af_direct)(const AfDirect *call) {
    Direct d;
    d.call = call;
    int common = gcd(call->up_x, call->down_x);
    d.y_planes = call->up_x / common;
    d.x_planes = call->down_x / common;
    d.vectors = ceil_div(ceil_div(call->out_w, d.y_planes), L);
    int highest = d.lowest = phase_of(0, call->up_x, call->down_x, call->pad_x, call->taps_x).first, row_taps = 0;
    for (int s = 0; s < d.y_planes; s++) {
        Phase p = phase_of(s, call->up_x, call->down_x, call->pad_x, call->taps_x);
        highest = most(highest, p.first + p.count);
        row_taps = most(row_taps, p.count);
    }
    int column_taps = (call->taps_y - 1) / call->up_y + 1;
    d.length = ((highest - d.lowest) / d.x_planes + d.vectors * L + 2 + 15) / 16 * 16;
    d.held_rows = ceil_div((CHUNK - 1) * call->down_y, call->up_y) + column_taps + 1;
    d.most_taps = most(1, row_taps * column_taps);
    d.floats = (size_t)d.vectors * L * d.y_planes + (size_t)d.most_taps * L + (d.most_taps + 15) / 16 * 16 +
               (size_t)d.length * d.x_planes * d.held_rows + 2 * L;
    const Tasks tasks = {call->n * call->c, call->out_h, call->threads, 8, d.floats};
    return run_tasks(tasks, [&](int image, int begin, int end, float *scratch) { run_rows(d, image, begin, end, scratch); });
}
