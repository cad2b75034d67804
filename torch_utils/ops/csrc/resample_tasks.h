// Images, or bands of their rows where images are few, dealt to threads; and the arithmetic that plans share.
#pragma once

#include "resample.h"

namespace {

int least(int a, int b) { return a < b ? a : b; }
int most(int a, int b) { return a > b ? a : b; }
int gcd(int a, int b) { return b == 0 ? a : gcd(b, a % b); }
int floor_div(int a, int b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
int ceil_div(int a, int b) { return -floor_div(-a, b); }

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
