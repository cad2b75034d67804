// variants: generic avx2 avx512
//
// The scale of each output channel of a modulated convolution from its styles: gain / sqrt(sum of energy s^2), a product of a matrix and a
// vector for each image, in one pass over the matrix. It runs on one thread: waking another takes as long as the reading.
#include "isa.h"

namespace {

constexpr int64_t L = AF_LANES, SUMS = 4;

float weighted_energy(const float *energy, const float *styles, int64_t count) {
    Vec sum[SUMS] = {};
    int64_t i = 0;
    for (; i + SUMS * L <= count; i += SUMS * L) {
#pragma GCC unroll 4
        for (int64_t k = 0; k < SUMS; k++) {
            const Vec s = load(styles + i + k * L);
            sum[k] += load(energy + i + k * L) * (s * s);
        }
    }
    const Vec all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    float total = 0;
    for (int64_t k = 0; k < L; k++) total += all[k];
    for (; i < count; i++) total += energy[i] * (styles[i] * styles[i]);
    return total;
}

}  // namespace

// styles [images][ins], energy [outs][ins] -> scales [images][outs]; `least` is what the sum counts as at least, `gain` one number or null.
extern "C" void AF_VARIANT(af_demodulate)(const float *styles, const float *energy, const float *gain, float least, float *scales,
                                          int64_t images, int64_t outs, int64_t ins) {
    const float factor = gain == nullptr ? 1.0f : *gain;
    for (int64_t o = 0; o < outs; o++)
        for (int64_t n = 0; n < images; n++) {
            const float total = weighted_energy(energy + o * ins, styles + n * ins, ins);
            scales[n * outs + o] = factor / __builtin_sqrtf(total > least ? total : least);
        }
}
