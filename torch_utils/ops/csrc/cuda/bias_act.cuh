// y = clamp(gain act(x + b)), or what a gradient of y becomes on its way to x. Element by element, 16 bytes a thread.
#pragma once

#include "portable.cuh"

enum Activation {
    AF_IDENTITY = 0, AF_RELU, AF_LRELU, AF_TANH, AF_SIGMOID, AF_ELU, AF_SELU, AF_SOFTPLUS, AF_SWISH
};

struct BiasActCall {
    const void* x;
    void* y;
    const float* bias;
    const void* gradient;  // of y; null where y is asked for
    unsigned count;
    unsigned bias_step;    // elements from one index of the bias's axis to the next
    unsigned biases;
    int activation, vector;
    float slope, gain, clamp;
};

constexpr float AF_SELU_SCALE = 1.0507009873554805f, AF_SELU_ALPHA = 1.6732632423543772f;

AF_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

AF_DEVICE float value_of(int activation, float x, float slope) {
    switch (activation) {
        case AF_RELU: return x < 0 ? 0.0f : x;
        case AF_LRELU: return x > 0 ? x : x * slope;
        case AF_TANH: return tanhf(x);
        case AF_SIGMOID: return sigmoid(x);
        case AF_ELU: return x > 0 ? x : expm1f(x);
        case AF_SELU: return AF_SELU_SCALE * (x > 0 ? x : AF_SELU_ALPHA * expm1f(x));
        case AF_SOFTPLUS: return x > 20.0f ? x : log1pf(expf(x));
        case AF_SWISH: return x * sigmoid(x);
        default: return x;
    }
}

AF_DEVICE float slope_of(int activation, float x, float slope) {
    switch (activation) {
        case AF_RELU: return x > 0 ? 1.0f : 0.0f;
        case AF_LRELU: return x > 0 ? 1.0f : slope;
        case AF_TANH: { const float y = tanhf(x); return 1.0f - y * y; }
        case AF_SIGMOID: { const float y = sigmoid(x); return y * (1.0f - y); }
        case AF_ELU: return x > 0 ? 1.0f : expf(x);
        case AF_SELU: return AF_SELU_SCALE * (x > 0 ? 1.0f : AF_SELU_ALPHA * expf(x));
        case AF_SOFTPLUS: return x > 20.0f ? 1.0f : sigmoid(x);
        case AF_SWISH: { const float s = sigmoid(x); return s * (1.0f + x * (1.0f - s)); }
        default: return 1.0f;
    }
}

AF_DEVICE float bias_act_of(const BiasActCall& call, float x, float gradient) {
#ifdef AF_ACTIVATION
    constexpr int activation = AF_ACTIVATION;
#else
    const int activation = call.activation;
#endif
    const float y = value_of(activation, x, call.slope) * call.gain;
    if (call.gradient)
        return y > call.clamp || y < -call.clamp ? 0.0f : gradient * call.gain * slope_of(activation, x, call.slope);
    return y > call.clamp ? call.clamp : y < -call.clamp ? -call.clamp : y;
}

template <class T> AF_DEVICE void bias_act(const BiasActCall& call, unsigned block) {
    using Raw = typename T::Raw;
    const Raw* const x = static_cast<const Raw*>(call.x);
    const Raw* const gradient = static_cast<const Raw*>(call.gradient);
    Raw* const y = static_cast<Raw*>(call.y);
    AF_EACH_THREAD {
        const unsigned first = (block * AF_THREADS + thread) * T::vector;  // below 2^32, since count is below 2^31
        const unsigned left = first >= call.count ? 0 : call.count - first;
        const int count = left < unsigned(T::vector) ? int(left) : T::vector;
        const bool whole = call.vector && count == T::vector;
        float values[T::vector] = {}, gradients[T::vector] = {};
        if (whole) {
            load_vector<T>(x + first, values);
            if (gradient) load_vector<T>(gradient + first, gradients);
        }
        AF_UNROLL
        for (int i = 0; i < T::vector; ++i) {
            if (i >= count) continue;
            if (!whole) {
                values[i] = T::widen(x[first + i]);
                if (gradient) gradients[i] = T::widen(gradient[first + i]);
            }
            const float bias = call.bias ? call.bias[(first + i) / call.bias_step % call.biases] : 0.0f;
            values[i] = bias_act_of(call, values[i] + bias, gradients[i]);
            if (!whole) y[first + i] = T::narrow(values[i]);
        }
        if (whole) store_vector<T>(values, y + first);
    }
}
