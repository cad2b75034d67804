// variants: generic avx2 avx512
//
// A 2-D filter tap by tap, in phases: for filters that no short sum of separable ones equals.
//
// Output samples of one phase, of which there are up / gcd(up, down) along each axis, meet the same taps. So two output rows of one phase
// are computed together: a window of the input that both need is loaded once.
#include <stdlib.h>
#include <string.h>

#include "resample.h"
#include "resample_rows.h"
#include "resample_tasks.h"

namespace {

constexpr int L = AF_LANES;
constexpr int CHUNK = 16;                 // output rows
constexpr int WIDEST = L == 16 ? 6 : 3;   // vectors of each of two rows that registers have room for

// Output o = phase + outputs * k reads samples first + inputs * k .. by `count` taps: tap, tap + up, ...
struct Phase {
    int first, count, tap;
};

struct Sides {
    int up, down, pad, taps;
    int outputs, inputs;  // between two outputs of one phase, and between what they read

    Sides(int up, int down, int pad, int taps) : up(up), down(down), pad(pad), taps(taps) {
        outputs = up / gcd(up, down);
        inputs = down / gcd(up, down);
    }

    Phase phase(int o) const {
        int at = o * down - pad;  // input sample i meets tap up * i - at
        int first = ceil_div(at, up), tap = up * first - at;
        return {first, tap < taps ? (taps - tap - 1) / up + 1 : 0, tap};
    }
};

struct Direct {
    const AfDirect *call;
    Sides x, y;
    int vectors;         // of one output plane
    int lowest, length;  // first input column of all windows; floats of one input plane
    int held_rows;       // input rows that CHUNK output rows need
    size_t floats;
    float *taps;   // of each phase of rows, in it of each phase of columns: [rows][columns]
    int *columns;  // of each phase of columns: where its windows begin in a row of planes
    int *widths;   // of each phase of columns: taps in a row
    int *above;    // of each phase of rows: taps of the phases before it

    size_t pitch() const { return (size_t)x.inputs * length; }
};

void copy_plane_rows(const Direct &d, const float *image, int first, int count, float *rows) {
    const AfDirect &call = *d.call;
    const int planes = d.x.inputs;
    for (int i = 0; i < count; i++)
        for (int c = 0; c < planes; c++) {
            float *plane = rows + ((size_t)i * planes + c) * d.length;
            const int64_t y = (int64_t)first + i, origin = (int64_t)d.lowest + c;
            const bool outside = y < 0 || y >= call.h || origin >= call.w;
            const int begin = outside ? 0 : least(d.length, origin < 0 ? ceil_div((int)-origin, planes) : 0);
            const int end = outside ? 0 : most(begin, least(d.length, ceil_div((int)(call.w - origin), planes)));
            const float *row = image + (outside ? 0 : y * call.x_row + origin);
            memset(plane, 0, begin * sizeof(float));
            int s = begin;
            if (planes == 2)  // the last of the 2 L samples read is one beyond what is kept, so stop a sample early
                for (; s + L < end; s += L) store(plane + s, even_lanes(load(row + 2 * s), load(row + 2 * s + L)));
            if (planes == 1 && end > begin) memcpy(plane + begin, row + begin, (end - begin) * sizeof(float));
            else
                for (; s < end; s++) plane[s] = row[(int64_t)s * planes];
            memset(plane + end, 0, (d.length - end) * sizeof(float));
        }
}

// What output rows of one phase, `inputs` input rows apart, have in common.
struct Windows {
    const float *rows;   // where the first one's first input row is
    size_t pitch;        // between input rows
    const int *columns;  // where windows begin in a row
    const float *taps;
    int height, width, inputs;
    int begin, end;      // of the input rows that are in the image
};

// Narrow rows have two sums for each vector, for even and odd taps: one alone would wait for itself.
template <int V>
constexpr int SUMS = V <= 3 && L == 16 ? 2 : 1;

template <int V, int R, int S>
inline __attribute__((always_inline)) void add_window(const float *window, const float *const *taps, int j, Vec (*sum)[SUMS<V>][V]) {
    Vec tap[R];
#pragma GCC unroll 2
    for (int r = 0; r < R; r++) tap[r] = broadcast(taps[r][j]);
#pragma GCC unroll 6
    for (int v = 0; v < V; v++) {
        const Vec x = load(window + v * L);
#pragma GCC unroll 2
        for (int r = 0; r < R; r++) sum[r][S][v] += tap[r] * x;
    }
}

template <int V, int R>
inline __attribute__((always_inline)) void add_row(const float *row, const Windows &w, const float *const *taps, Vec (*sum)[SUMS<V>][V]) {
    int j = 0;
    if (SUMS<V> == 2)
        for (; j + 2 <= w.width; j += 2) {
            add_window<V, R, 0>(row + w.columns[j], taps, j, sum);
            add_window<V, R, SUMS<V> - 1>(row + w.columns[j + 1], taps, j + 1, sum);
        }
    for (; j < w.width; j++) add_window<V, R, 0>(row + w.columns[j], taps, j, sum);
}

template <int V>
inline void store_sums(float *y, Vec (*sum)[V]) {
#pragma GCC unroll 6
    for (int v = 0; v < V; v++) store(y + v * L, SUMS<V> == 1 ? sum[0][v] : sum[0][v] + sum[SUMS<V> - 1][v]);
}

// V vectors of one output row, or of two.
template <int V>
AF_PASS void sum_one(const Windows &w, int at, float *y) {
    Vec sum[1][SUMS<V>][V] = {};
    for (int i = w.begin; i < least(w.height, w.end); i++) {
        const float *taps = w.taps + i * w.width;
        add_row<V, 1>(w.rows + i * w.pitch + at, w, &taps, sum);
    }
    store_sums<V>(y + at, sum[0]);
}

template <int V>
AF_PASS void sum_two(const Windows &w, int at, float *y, float *next) {
    Vec sum[2][SUMS<V>][V] = {};
    for (int i = w.begin; i < w.end; i++) {
        const float *row = w.rows + i * w.pitch + at;
        const float *const taps[2] = {w.taps + i * w.width, w.taps + most(0, i - w.inputs) * w.width};
        if (i >= w.inputs && i < w.height) add_row<V, 2>(row, w, taps, sum);
        else if (i < w.height) add_row<V, 1>(row, w, taps, sum);
        else if (i >= w.inputs) add_row<V, 1>(row, w, taps + 1, sum + 1);
    }
    store_sums<V>(y + at, sum[0]);
    store_sums<V>(next + at, sum[1]);
}

template <int V = WIDEST>
inline void sum_vectors(const Windows &w, int vectors, int at, float *y, float *next) {
    if constexpr (V > 1) {
        if (vectors < V) return sum_vectors<V - 1>(w, vectors, at, y, next);
    }
    if (next == nullptr) sum_one<V>(w, at, y);
    else sum_two<V>(w, at, y, next);
}

// Output row o of one image, and the next one of its phase where `two`; `held` are the input rows from held_first on.
void run_row(const Direct &d, int image, int o, bool two, const float *held, int held_first, float *planes) {
    const AfDirect &call = *d.call;
    const Phase py = d.y.phase(o);
    const size_t row_planes = (size_t)d.vectors * L * d.x.outputs;
    const float *taps = d.taps + d.above[o % d.y.outputs];
    const int *columns = d.columns;
    const int begin = most(0, -py.first), end = least(py.count + (two ? d.y.inputs : 0), call.h - py.first);
    for (int s = 0; s < d.x.outputs; s++) {
        const int width = d.widths[s];
        const Windows w = {held + (py.first - held_first) * d.pitch(), d.pitch(), columns,
                           taps, py.count, width, d.y.inputs, begin, end};
        float *y = planes + (size_t)s * d.vectors * L;
        for (int groups = ceil_div(d.vectors, WIDEST), first = 0; groups > 0; groups--) {
            const int count = ceil_div(d.vectors - first, groups);
            sum_vectors(w, count, first * L, y, two ? y + row_planes : nullptr);
            first += count;
        }
        taps += (size_t)py.count * width;
        columns += width;
    }
    float *y = call.y + ((size_t)image * call.out_h + o) * call.out_w;
    join_planes(planes, d.x.outputs, d.vectors * L, y, call.out_w, 1.0f);
    if (two) join_planes(planes + row_planes, d.x.outputs, d.vectors * L, y + (size_t)d.y.outputs * call.out_w, call.out_w, 1.0f);
}

// Output rows [begin, end) of one image.
void run_rows(const Direct &d, int image, int begin, int end, float *scratch) {
    const AfDirect &call = *d.call;
    const float *x = call.x + image / call.c * call.x_batch + image % call.c * call.x_channel;
    float *held = scratch + 2 * (size_t)d.vectors * L * d.x.outputs;
    for (int from = begin; from < end; from += CHUNK) {
        const int to = least(from + CHUNK, end), held_first = d.y.phase(from).first;
        const Phase last = d.y.phase(to - 1);
        copy_plane_rows(d, x, held_first, last.first + last.count - held_first, held);
        for (int p = from; p < least(from + d.y.outputs, to); p++)
            for (int o = p; o < to; o += 2 * d.y.outputs) run_row(d, image, o, o + d.y.outputs < to, held, held_first, scratch);
    }
}

// Taps by phases, and where windows begin; in one allocation that the caller frees, null if there is no memory.
void *spread_phases(Direct &d) {
    const AfDirect &call = *d.call;
    const size_t count = (size_t)call.taps_x * call.taps_y;
    void *memory = malloc(count * sizeof(float) + ((size_t)call.taps_x + d.x.outputs + d.y.outputs) * sizeof(int));
    if (memory == nullptr) return nullptr;
    float *tap = d.taps = (float *)memory;
    int *column = d.columns = (int *)(d.taps + count);
    d.widths = d.columns + call.taps_x;
    d.above = d.widths + d.x.outputs;
    for (int q = 0; q < d.y.outputs; q++) {
        const Phase py = d.y.phase(q);
        d.above[q] = (int)(tap - d.taps);
        for (int s = 0; s < d.x.outputs; s++) {
            const Phase px = d.x.phase(s);
            for (int i = 0; i < py.count; i++)
                for (int j = 0; j < px.count; j++) *tap++ = call.filter[(py.tap + i * call.up_y) * call.taps_x + px.tap + j * call.up_x];
        }
    }
    for (int s = 0; s < d.x.outputs; s++) {
        const Phase px = d.x.phase(s);
        d.widths[s] = px.count;
        for (int j = 0; j < px.count; j++) {
            const int step = px.first + j - d.lowest;
            *column++ = step % d.x.inputs * d.length + step / d.x.inputs;
        }
    }
    return memory;
}

}  // namespace

extern "C" int AF_VARIANT(af_direct)(const AfDirect *call) {
    Direct d = {call, {call->up_x, call->down_x, call->pad_x, call->taps_x}, {call->up_y, call->down_y, call->pad_y, call->taps_y}};
    d.vectors = ceil_div(ceil_div(call->out_w, d.x.outputs), L);
    int highest = d.lowest = d.x.phase(0).first;
    for (int s = 0; s < d.x.outputs; s++) {
        const Phase p = d.x.phase(s);
        highest = most(highest, p.first + p.count);
    }
    d.length = ((highest - d.lowest) / d.x.inputs + d.vectors * L + 2 + 15) / 16 * 16;
    const int column_taps = (call->taps_y - 1) / call->up_y + 1;
    d.held_rows = ceil_div((CHUNK - 1) * call->down_y, call->up_y) + column_taps + 1;
    d.floats = 2 * (size_t)d.vectors * L * d.x.outputs + d.pitch() * d.held_rows + 2 * L;
    void *memory = spread_phases(d);
    if (memory == nullptr) return 1;
    const Tasks tasks = {call->n * call->c, call->out_h, call->threads, 8, d.floats};
    const int failed = run_tasks(tasks, [&](int image, int begin, int end, float *scratch) { run_rows(d, image, begin, end, scratch); });
    free(memory);
    return failed;
}
