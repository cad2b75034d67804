// variants: generic avx2 avx512
//
// Convolution as a float32 matrix product.
#include "conv_columns.h"

extern "C" {

// For benchmarks: the kernel on data that stays in the first cache; returns how many floating-point operations that was.
int64_t AF_VARIANT(af_conv_peak)(int64_t rounds) {
    constexpr int64_t DEPTH = 64;
    Vec sum[ROWS][VECTORS] = {};
    const float a[DEPTH * ROWS] = {};
    const float b[DEPTH * VECTORS * LANES] = {};
    for (int64_t i = 0; i < rounds; ++i) accumulate<Float32>(sum, DEPTH, a, b, VECTORS * LANES, 0);
    Vec total = {};
    for (int m = 0; m < ROWS; ++m)
        for (int n = 0; n < VECTORS; ++n) total += sum[m][n];
    return total[0] == 0.f ? rounds * DEPTH * ROWS * VECTORS * LANES * 2 : 0;
}

int64_t AF_VARIANT(af_conv_gemm_weight_bytes)(int64_t out_channels, int64_t depth) {
    return round_up(out_channels, ROWS) * depth * (int64_t)sizeof(float);
}

// weight [out_channels][depth] -> packed [panel of ROWS output channels][depth][ROWS]
void AF_VARIANT(af_conv_gemm_pack)(int64_t out_channels, int64_t depth, const float* weight, float* packed) {
    for (int64_t k = 0; k < round_up(out_channels, ROWS); ++k)
        for (int64_t d = 0; d < depth; ++d)
            packed[(k / ROWS * depth + d) * ROWS + k % ROWS] = k < out_channels ? weight[k * depth + d] : 0.f;
}

int64_t AF_VARIANT(af_conv_gemm_scratch_bytes)(const ConvCall* call) { return scratch_bytes<Float32>(*call); }

void AF_VARIANT(af_conv_gemm)(const ConvCall* call) { convolve<Float32>(*call); }

}  // extern "C"
