// variants: avx512bf16
//
// Convolution as a bfloat16 matrix product with float32 sums: two depths share 32 bits, and one instruction multiplies and adds both.
// Inputs (after the style scale) and weights are rounded to 8 significant bits, products and sums are not.
#include "conv_columns.h"

#ifdef __AVX512BF16__

namespace {

struct Bfloat16 {
    static constexpr int64_t JOINED = 2;

    // Lane i of `target`: even[i] rounded in the low half, odd[i] in the high half.
    static CONV_INLINE void join(const float* even, const float* odd, float* target) {
        typedef uint16_t Halves __attribute__((vector_size(LANES * 2)));
        typedef uint32_t Words __attribute__((vector_size(LANES * 4)));
        const Words low = __builtin_convertvector((Halves)_mm512_cvtneps_pbh((__m512)load(even)), Words);
        const Words high = __builtin_convertvector((Halves)_mm512_cvtneps_pbh((__m512)load(odd)), Words);
        store(target, (Vec)(low | high << 16));
    }

    template <int M, int N>
    static CONV_INLINE void accumulate(Vec (&sum)[M][N], int64_t steps, const float* a, const float* b, int64_t ldb, int64_t ahead) {
        for (int64_t k = 0; k < steps; ++k, a += ROWS, b += ldb) {
            Vec column[N];
            __builtin_prefetch(a + ahead, 0, 2);
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) column[n] = load(b + n * LANES);
#pragma GCC unroll 16
            for (int m = 0; m < M; ++m) {
                const Vec row = splat(a[m]);
#pragma GCC unroll 4
                for (int n = 0; n < N; ++n) sum[m][n] = (Vec)_mm512_dpbf16_ps((__m512)sum[m][n], (__m512bh)row, (__m512bh)column[n]);
            }
        }
    }
};

// Rounds to nearest even, as the vector instruction does.
uint32_t rounded(float x) {
    alignas(64) float lanes[LANES] = {x};
    alignas(64) float joined[LANES];
    Bfloat16::join(lanes, lanes, joined);
    uint32_t bits;
    memcpy(&bits, joined, sizeof bits);
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
