// variants: generic avx2 avx512
//
// Convolution as a float32 matrix product.
#include "conv_columns.h"

namespace {

struct Float32 {
    static constexpr int64_t JOINED = 1;

    template <int M, int N>
    static CONV_INLINE void accumulate(Vec (&sum)[M][N], int64_t steps, const float* a, const float* b, int64_t ldb, int64_t ahead) {
        ::accumulate<M, N>(sum, steps, a, b, ldb, ahead);
    }
};

}  // namespace

extern "C" {

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
