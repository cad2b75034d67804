// Calls the native filters with many shapes on buffers of exactly the right size, for the sanitizers; test_native_sanitizers.py builds it.
//
//     native_driver [threads]     that many threads call at once, each with its own images
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <thread>
#include <vector>

#include "isa.h"
#include "resample.h"

extern "C" int af_resample(const AfResample *call);
extern "C" int af_direct(const AfDirect *call);

namespace {

struct Random {
    unsigned state;
    unsigned next() { return (state = state * 1664525u + 1013904223u) >> 8; }
    int below(int n) { return (int)(next() % (unsigned)n); }
    float value() { return next() / 8388608.0f - 1.0f; }
};

std::vector<float> values(Random &random, int count) {
    std::vector<float> out(count);
    for (float &v : out) v = random.value();
    return out;
}

bool all_finite(const std::vector<float> &y) {
    for (float v : y)
        if (!isfinite(v)) return false;
    return true;
}

int size_of(int in, int up, int pad, int taps) { return in * up + pad - taps + 1; }

bool one_resample(Random &random) {
    static const int ups[] = {1, 2, 2, 4, 4, 3}, downs[] = {1, 2, 2, 2, 4, 3};
    AfResample call = {};
    call.n = 1 + random.below(2), call.c = 1 + random.below(3), call.h = 1 + random.below(60), call.w = 1 + random.below(70);
    call.up_x = ups[random.below(6)], call.up_y = ups[random.below(6)];
    call.down_x = downs[random.below(6)], call.down_y = downs[random.below(6)];
    bool usual = random.below(2);
    const bool by_columns = random.below(4) == 0;  // what resample_columns.h asks for
    if (by_columns) call.up_x = call.up_y = 2 << random.below(2), call.down_x = call.down_y = 2;
    usual = usual || by_columns;
    call.up_taps_x = usual ? 6 * call.up_x : 1 + random.below(13);
    call.up_taps_y = usual ? 6 * call.up_y : 1 + random.below(13);
    call.down_taps_x = usual ? 6 * call.down_x : 1 + random.below(13);
    call.down_taps_y = usual ? 6 * call.down_y : 1 + random.below(13);
    call.rank = by_columns ? 2 + random.below(5) : 1 + random.below(4);
    call.pad_x = random.below(26) - 6, call.pad_y = random.below(26) - 6;
    int middle_w = size_of(call.w, call.up_x, call.pad_x + random.below(20) - 4, call.up_taps_x);
    int middle_h = size_of(call.h, call.up_y, call.pad_y + random.below(20) - 4, call.up_taps_y);
    if (middle_w < call.down_taps_x || middle_h < call.down_taps_y) return true;
    call.out_w = (middle_w - call.down_taps_x) / call.down_x + 1;
    call.out_h = (middle_h - call.down_taps_y) / call.down_y + 1;
    call.x_row = call.w, call.x_channel = (int64_t)call.w * call.h, call.x_batch = call.x_channel * call.c;
    std::vector<float> x = values(random, (int)call.x_batch * call.n), y((size_t)call.n * call.c * call.out_h * call.out_w, NAN);
    std::vector<float> bias = values(random, call.c), scale = values(random, call.n * call.c);
    std::vector<float> up_x = values(random, call.up_taps_x), up_y = values(random, call.up_taps_y);
    std::vector<float> down_x = values(random, call.rank * call.down_taps_x), down_y = values(random, call.rank * call.down_taps_y);
    if (by_columns || random.below(3) == 0) {  // symmetric taps take other kernels
        for (int j = 0; j < call.up_taps_x; j++) up_x[call.up_taps_x - 1 - j] = up_x[j];
        for (int j = 0; j < call.up_taps_y; j++) up_y[call.up_taps_y - 1 - j] = up_y[j];
    }
    if (by_columns || random.below(2))
        for (int k = 0; k < call.rank; k++) {
            float *tx = &down_x[(size_t)k * call.down_taps_x], *ty = &down_y[(size_t)k * call.down_taps_y];
            for (int j = 0; j < call.down_taps_x; j++) tx[call.down_taps_x - 1 - j] = tx[j];
            for (int j = 0; j < call.down_taps_y; j++) ty[call.down_taps_y - 1 - j] = ty[j];
        }
    call.x = x.data(), call.y = y.data();
    call.bias = random.below(2) ? bias.data() : nullptr;
    call.in_scale = random.below(2) ? scale.data() : nullptr;
    call.out_scale = random.below(2) ? scale.data() : nullptr;
    call.activate = by_columns || random.below(2), call.slope = 0.2f, call.clamp = by_columns || random.below(2) ? 0.5f : INFINITY;
    call.up_filter_x = up_x.data(), call.up_filter_y = up_y.data();
    call.down_filter_x = down_x.data(), call.down_filter_y = down_y.data();
    call.threads = 1 + random.below(3);
    call.rows = random.below(3) ? 0 : 1 + random.below(20);
    return af_resample(&call) == 0 && all_finite(y);
}

bool one_direct(Random &random) {
    AfDirect call = {};
    call.n = 1, call.c = 1 + random.below(3), call.h = 1 + random.below(40), call.w = 1 + random.below(50);
    call.up_x = 1 + random.below(4), call.up_y = 1 + random.below(4), call.down_x = 1 + random.below(3), call.down_y = 1 + random.below(3);
    call.taps_x = 1 + random.below(20), call.taps_y = 1 + random.below(20);
    call.pad_x = random.below(30) - 8, call.pad_y = random.below(30) - 8;
    int wide = size_of(call.w, call.up_x, call.pad_x + random.below(30) - 8, call.taps_x);
    int high = size_of(call.h, call.up_y, call.pad_y + random.below(30) - 8, call.taps_y);
    if (wide < 1 || high < 1) return true;
    call.out_w = (wide - 1) / call.down_x + 1, call.out_h = (high - 1) / call.down_y + 1;
    call.x_row = call.w, call.x_channel = (int64_t)call.w * call.h, call.x_batch = call.x_channel * call.c;
    std::vector<float> x = values(random, (int)call.x_batch), y((size_t)call.c * call.out_h * call.out_w, NAN);
    std::vector<float> filter = values(random, call.taps_x * call.taps_y);
    call.x = x.data(), call.y = y.data(), call.filter = filter.data(), call.threads = 1 + random.below(3);
    return af_direct(&call) == 0 && all_finite(y);
}

void run(unsigned seed, int count, int *bad) {
    Random random = {seed};
    for (int i = 0; i < count; i++) *bad += !one_resample(random) + !one_direct(random);
}

}  // namespace

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 1, count = argc > 2 ? atoi(argv[2]) : 300;
    int highest = af_level();
    for (int level = 0; level <= highest; level++) {
        af_limit_level(level);
        std::vector<std::thread> others;
        std::vector<int> bad(threads, 0);
        for (int t = 0; t < threads; t++) others.emplace_back(run, 1000u * level + t, count, &bad[t]);
        for (std::thread &other : others) other.join();
        for (int b : bad)
            if (b != 0) return printf("level %d: %d calls failed or left samples unwritten\n", level, b), 1;
    }
    return printf("levels 0 to %d\n", highest), 0;
}
