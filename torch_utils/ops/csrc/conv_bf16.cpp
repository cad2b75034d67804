// variants: avx512bf16
//
// Convolution as a bfloat16 matrix product with float32 sums: two depths share 32 bits, and one instruction multiplies and adds both.
// Inputs (after the style scale) and weights are rounded to 8 significant bits, products and sums are not.
#include "conv_columns.h"

#ifdef __AVX512BF16__

namespace {

struct Bfloat16 {
    static constexpr int64_t JOINED = 2;

    // Lane i: depths[0][i] rounded in the low half, depths[1][i] in the high half.
    static CONV_INLINE Vec join(const Vec (&depths)[2]) {
        typedef uint16_t Halves __attribute__((vector_size(LANES * 4)));
        const Halves both = (Halves)_mm512_cvtne2ps_pbh((__m512)depths[1], (__m512)depths[0]);
        return (Vec)__builtin_shufflevector(both, both, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,  //
                                            8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }

    static CONV_INLINE Vec multiply_add(Vec sum, Vec a, Vec b) { return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }
};

// Rounds to nearest even, as the vector instruction does.
uint32_t rounded(float x) {
    const Vec joined = Bfloat16::join({splat(x), splat(x)});
    uint32_t bits;
    memcpy(&bits, &joined, sizeof bits);
    return bits & 0xffff;
}

}  // namespace

extern "C" {

int64_t AF_VARIANT(af_conv_bf16_weight_bytes)(int64_t out_channels, int64_t depth) {
    return round_up(out_channels, ROWS) * ceil_div(depth, 2) * (int64_t)sizeof(float);
}

// weight [out_channels][depth] -> packed [panel of ROWS output channels][pair of depths][ROWS]
void AF_VARIANT(af_conv_bf16_pack)(int64_t out_channels, int64_t depth, const float* weight, float* packed) {
    const int64_t steps = ceil_div(depth, 2);
    for (int64_t k = 0; k < round_up(out_channels, ROWS); ++k) {
        for (int64_t step = 0; step < steps; ++step) {
            const float* w = weight + k * depth + 2 * step;
            const uint32_t low = k < out_channels ? rounded(w[0]) : 0;
            const uint32_t high = k < out_channels && 2 * step + 1 < depth ? rounded(w[1]) : 0;
            const uint32_t joined = low | high << 16;
            memcpy(packed + (k / ROWS * steps + step) * ROWS + k % ROWS, &joined, sizeof joined);
        }
    }
}

int64_t AF_VARIANT(af_conv_bf16_scratch_bytes)(const ConvCall* call) { return scratch_bytes<Bfloat16>(*call); }

void AF_VARIANT(af_conv_bf16)(const ConvCall* call) { convolve<Bfloat16>(*call); }

}  // extern "C"

#endif
