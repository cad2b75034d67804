// W' = gain d W s: a convolution's weight for one image. A block makes the kernels of one output channel of one image: it adds up that
// channel's energy under the styles, and then scales. The product is formed in float32 and rounded once.
#pragma once

#include "portable.cuh"

struct ModulateCall {
    const float* weight;  // outputs x inputs x taps
    const float* styles;  // images x inputs
    const float* energy;  // outputs x inputs, whose product with the styles' squares is 1 / d^2; null: d = 1
    const float* gain;    // one number, or null
    void* out;            // by images, outputs, inputs (steps below) and taps
    long long out_image, out_output, out_input;
    float factor;         // another gain, known to the host
    int outputs, inputs, taps;
};

// The energy of an output channel under the styles, as the first of `sums`.
AF_DEVICE void add_energy(const ModulateCall& call, const float* styles, int output, float* sums) {
    AF_EACH_THREAD {
        float sum = 0.0f;
        if (call.energy) {
            const float* const energy = call.energy + (long long)output * call.inputs;
            for (int i = thread; i < call.inputs; i += AF_THREADS) sum += styles[i] * styles[i] * energy[i];
        }
        sums[thread] = sum;
    }
    AF_BARRIER();
    for (int half = AF_THREADS / 2; half > 0; half /= 2) {
        AF_EACH_THREAD {
            if (thread < half) sums[thread] += sums[thread + half];
        }
        AF_BARRIER();
    }
}

AF_DEVICE float channel_scale(const ModulateCall& call, const float* sums) {
    float scale = call.factor;
    if (call.energy) scale /= sqrtf(sums[0] > 1.17549435e-38f ? sums[0] : 1.17549435e-38f);
    if (call.gain) scale *= *call.gain;
    return scale;
}

template <class T> AF_DEVICE void modulate(const ModulateCall& call, float* sums, int block) {
    using Raw = typename T::Raw;
    const int output = block % call.outputs, image = block / call.outputs;
    const float* const styles = call.styles + (long long)image * call.inputs;
    const int count = call.inputs * call.taps;
    const float* const weight = call.weight + (long long)output * count;
    Raw* const out = static_cast<Raw*>(call.out) + image * call.out_image + output * call.out_output;
    add_energy(call, styles, output, sums);
    AF_EACH_THREAD {
        const float scale = channel_scale(call, sums);
        for (int i = thread; i < count; i += AF_THREADS) {
            const int input = call.taps == 1 ? i : i / call.taps;
            out[input * call.out_input + (i - input * call.taps)] = T::narrow(weight[i] * (styles[input] * scale));
        }
    }
    AF_BARRIER();
}
