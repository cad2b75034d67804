// Calls every convolution kernel, and the demodulation, on buffers of exactly the promised sizes, for the sanitizers; test_native_sanitizers.py builds it.
//
//     native_conv_driver [threads [stride]]     that many threads call at once, each with images of its own; every stride-th case only
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <thread>
#include <vector>

#include "conv_call.h"
#include "isa.h"

#define ENTRIES(name)                                                               \
    extern "C" int64_t af_conv_##name##_weight_bytes(int64_t, int64_t);             \
    extern "C" void af_conv_##name##_pack(int64_t, int64_t, const float *, void *); \
    extern "C" int64_t af_conv_##name##_scratch_bytes(const ConvCall *);            \
    extern "C" void af_conv_##name(const ConvCall *);
ENTRIES(winograd) ENTRIES(strassen) ENTRIES(strassen2) ENTRIES(gemm) ENTRIES(bf16)
extern "C" void af_demodulate(const float *, const float *, const float *, float, float *, int64_t, int64_t, int64_t);

namespace {

struct Algorithm {
    bool takes_1x1, takes_3x3, takes_padding, taps_apart;  // taps_apart: a packed weight's depth does not count the taps
    int64_t (*weight_bytes)(int64_t, int64_t);
    void (*pack)(int64_t, int64_t, const float *, void *);
    int64_t (*scratch_bytes)(const ConvCall *);
    void (*run)(const ConvCall *);
};

#define OF(name) af_conv_##name##_weight_bytes, af_conv_##name##_pack, af_conv_##name##_scratch_bytes, af_conv_##name
const Algorithm ALGORITHMS[] = {
    {false, true, true, true, OF(winograd)},
    {true, false, false, false, OF(strassen)},
    {true, false, false, false, OF(strassen2)},
    {true, true, true, false, OF(gemm)},
    {true, true, true, false, OF(bf16)},
};
const int SIZES[][2] = {{1, 1}, {3, 5}, {8, 8}, {13, 37}, {41, 30}, {6, 131}};
const int CHANNELS[][2] = {{1, 1}, {5, 3}, {18, 70}};

// Memory that ends where a byte further is an error, filled with numbers of both signs.
struct Buffer {
    void *data = nullptr;
    explicit Buffer(int64_t bytes) {
        if (posix_memalign(&data, 64, (size_t)bytes) != 0) abort();
    }
    Buffer(int64_t count, unsigned seed) : Buffer(count * (int64_t)sizeof(float)) {
        for (int64_t i = 0; i < count; i++) floats()[i] = ((seed = seed * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1.0f;
    }
    Buffer(const Buffer &) = delete;
    ~Buffer() { free(data); }
    float *floats() const { return (float *)data; }
};

bool one_call(const Algorithm &algorithm, ConvCall call, unsigned seed) {
    const int64_t taps = call.kernel * call.kernel, depth = call.in_channels * (algorithm.taps_apart ? 1 : taps);
    const int64_t written = call.batch * call.out_channels * out_height(call) * out_width(call);
    const Buffer plain(call.out_channels * call.in_channels * taps, seed), weight(algorithm.weight_bytes(call.out_channels, depth));
    const Buffer x(call.batch * call.in_channels * call.in_height * call.in_width, seed + 1), out(written * (int64_t)sizeof(float));
    const Buffer in_scale(call.batch * call.in_channels, seed + 2), out_scale(call.batch * call.out_channels, seed + 3);
    const Buffer bias(call.out_channels, seed + 4), scratch(algorithm.scratch_bytes(&call));
    algorithm.pack(call.out_channels, depth, plain.floats(), weight.data);
    for (int64_t i = 0; i < written; i++) out.floats()[i] = NAN;
    call.x = x.floats(), call.weight = weight.data, call.out = out.floats(), call.scratch = (char *)scratch.data;
    call.in_scale = seed % 2 ? in_scale.floats() : nullptr, call.out_scale = seed % 3 ? out_scale.floats() : nullptr;
    call.bias = seed % 5 ? bias.floats() : nullptr;
    algorithm.run(&call);
    for (int64_t i = 0; i < written; i++)
        if (!isfinite(out.floats()[i])) return false;
    return true;
}

// Whether the scales are the numbers that they should be, to float32's rounding of a sum of `ins` squares.
bool one_demodulation(int64_t images, int64_t outs, int64_t ins, unsigned seed) {
    const Buffer styles(images * ins, seed), energy(outs * ins, seed + 1), gain(1, seed + 2), scales(images * outs * (int64_t)sizeof(float));
    for (int64_t i = 0; i < outs * ins; i++) energy.floats()[i] = fabsf(energy.floats()[i]);
    const float least = seed % 7 ? 1e-30f : 1e9f;
    const bool has_gain = seed % 2;
    af_demodulate(styles.floats(), energy.floats(), has_gain ? gain.floats() : nullptr, least, scales.floats(), images, outs, ins);
    for (int64_t n = 0; n < images; n++)
        for (int64_t o = 0; o < outs; o++) {
            double sum = 0;
            for (int64_t i = 0; i < ins; i++) {
                const double style = styles.floats()[n * ins + i];
                sum += energy.floats()[o * ins + i] * style * style;
            }
            const double expected = (has_gain ? *gain.floats() : 1) / sqrt(sum > least ? sum : least);
            if (!(fabs(scales.floats()[n * outs + o] - expected) <= 1e-4 * fabs(expected))) return false;
        }
    return true;
}

struct Count {
    int calls = 0, bad = 0;
};

void run(unsigned first, unsigned stride, Count *count) {
    unsigned number = first;
    for (const Algorithm &algorithm : ALGORITHMS)
        for (int kernel = 1; kernel <= 3; kernel += 2)
            for (int padding = 0; padding <= 2; padding++)
                for (const int *size : SIZES)
                    for (const int *channels : CHANNELS) {
                        if (algorithm.weight_bytes(1, 1) == 0 || ++number % stride != 0) continue;  // no bf16 at this level
                        if (!(kernel == 1 ? algorithm.takes_1x1 : algorithm.takes_3x3) || (padding > 0 && !algorithm.takes_padding)) continue;
                        ConvCall call = {1 + number / stride % 2, channels[0], channels[1], size[0], size[1], kernel, padding};
                        call.threads = 1 + number / stride % 3;
                        if (out_height(call) < 1 || out_width(call) < 1) continue;
                        count->calls++, count->bad += !one_call(algorithm, call, number);
                    }
    for (int64_t ins = 1; ins < 150; ins++) {
        if (++number % stride != 0) continue;
        count->calls++, count->bad += !one_demodulation(1 + ins % 3, 1 + ins % 5, ins, number);
    }
}

}  // namespace

int main(int argc, char **argv) {
    const unsigned threads = argc > 1 ? atoi(argv[1]) : 1, stride = argc > 2 ? atoi(argv[2]) : 1;
    const int highest = af_level();
    int calls = 0;
    for (int level = 0; level <= highest; level++) {
        af_limit_level(level);
        std::vector<std::thread> others;
        std::vector<Count> counts(threads);
        for (unsigned t = 0; t < threads; t++) others.emplace_back(run, t, stride, &counts[t]);
        for (std::thread &other : others) other.join();
        for (const Count &count : counts) {
            if (count.bad != 0) return printf("level %d: %d calls left samples unwritten or wrong\n", level, count.bad), 1;
            calls += count.calls;
        }
    }
    return printf("levels 0 to %d, %d calls\n", highest, calls), calls == 0;
}
