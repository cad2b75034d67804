// float32 as a sum of two halves, 22 bits and a sign, so that tensor cores multiply it: x w = hi hi + (hi lo + lo hi), the rest being 2^-22.
//
// The halves' range is that of no float32: factors are brought to it by powers of two, which change no digit. Activations are of unit size
// once the layer's gain g multiplies them, so that x is multiplied by 4 p, p being the power of two below g, and the weight, whose rows have
// length 1 where they are demodulated, by 4096 / p. What is lost is then 2^-23 of a factor, or 2^-27 of unit size if that is more. An
// activation above 16,376 / p, or an infinite one, becomes NaN.
#pragma once

#include "portable.cuh"

constexpr float AF_LIFT_X = 4.0f, AF_LIFT_WEIGHT = 4096.0f;

// The power of two up to a gain's magnitude; 1 for what has none.
AF_DEVICE float power_below(const float* gain, float factor) {
    const unsigned exponent = float_to_bits(gain ? *gain * factor : factor) & 0x7f800000u;
    return exponent == 0 || exponent == 0x7f800000u ? 1.0f : bits_to_float(exponent);
}

// Two numbers: their halves in one word, and what is left of them in another. Of what is no half, what is left is infinite or NaN.
AF_DEVICE void split_pair(float first, float second, unsigned& high, unsigned& low) {
    const unsigned short a = float_to_half(first), b = float_to_half(second);
    high = a | unsigned(b) << 16;
    low = float_to_half(first - half_to_float(a)) | unsigned(float_to_half(second - half_to_float(b))) << 16;
}
