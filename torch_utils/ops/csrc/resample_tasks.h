// Images, or bands of their rows where images are few, dealt to threads; memory asked for ahead; and the arithmetic that plans share.
#pragma once

#include "resample.h"

namespace {

int least(int a, int b) { return a < b ? a : b; }
int most(int a, int b) { return a > b ? a : b; }
int gcd(int a, int b) { return b == 0 ? a : gcd(b, a % b); }
int floor_div(int a, int b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
int ceil_div(int a, int b) { return -floor_div(-a, b); }

// Memory that the next steps will need, asked for piece by piece while the columns keep the processor busy: otherwise reading a chunk,
// computing it and writing it take turns, and large images take half as long again.
struct Ahead {
    const char *x, *x_end, *y, *y_end;
    int64_t x_step, y_step;  // bytes of a piece

    void cut(int pieces) {
        x_step = ((x_end - x) / pieces & -64) + 64;
        y_step = ((y_end - y) / pieces & -64) + 64;
    }

    // Inlined by force: GCC takes a function that only prefetches for one without effect, and drops the calls.
    __attribute__((always_inline)) void fetch() {
        for (const char *stop = x_end - x > x_step ? x + x_step : x_end; x < stop; x += 64) __builtin_prefetch(x, 0, 2);
        for (const char *stop = y_end - y > y_step ? y + y_step : y_end; y < stop; y += 64) __builtin_prefetch(y, 1, 2);
    }
};

// The same for columns of vectors: one line of each row at a time.
struct LinesAhead {
    const float *row;
    int64_t pitch;
    int rows;

    __attribute__((always_inline)) void fetch(int sample) const {  // by force, like Ahead's
        const char *line = (const char *)((uintptr_t)row + (intptr_t)sample * 4);
        for (int i = 0; i < rows; i++, line += pitch * 4) __builtin_prefetch(line, 0, 3);
    }
};

// Rows [first, first + count) of an image as far as they exist; none where rows do not follow each other.
void set_input_ahead(const AfResample &call, const float *image, int first, int count, Ahead *ahead) {
    const int begin = most(0, least(first, call.h)), end = most(begin, least(first + count, call.h));
    ahead->x = ahead->x_end = (const char *)(image + begin * call.x_row);
    if (call.x_row <= 2 * (int64_t)call.w) ahead->x_end += (end - begin) * call.x_row * 4;
}

struct Tasks {
    int images, out_rows, threads;
    int least_rows;  // of a band: what a band computes beside its own rows must be little against them
    size_t floats;   // of working memory for each thread
};

// Calls run(image, first row, row beyond the last, working memory) for all of them; 1 where there is no memory.
template <class Run>
int run_tasks(const Tasks &t, Run run) {
    const int threads = most(1, t.threads);
    const bool few = threads > 1 && t.images < 4 * threads;
    const int bands = few ? most(1, least(ceil_div(4 * threads, t.images), t.out_rows / t.least_rows)) : 1;
    const int band = ceil_div(t.out_rows, bands);
    int failed = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (int task = 0; task < t.images * bands; task++) {
        float *scratch = (float *)af_scratch(t.floats * sizeof(float));
        const int begin = task % bands * band, end = least(begin + band, t.out_rows);
        if (scratch == nullptr) {
#pragma omp atomic write
            failed = 1;
        } else if (begin < end) {
            run(task / bands, begin, end, scratch);
        }
    }
    return failed;
}

}  // namespace
