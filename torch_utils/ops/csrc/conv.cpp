// The convolutions' entry points: each calls the variant for the present machine. conv_call.h says what they take.
#include "conv_call.h"
#include "isa.h"

AF_DISPATCH(int64_t, af_conv_winograd_weight_bytes, (int64_t out_channels, int64_t in_channels), (out_channels, in_channels))
AF_DISPATCH(int64_t, af_conv_winograd_scratch_bytes, (const ConvCall *call), (call))
AF_DISPATCH(void, af_conv_winograd_pack, (int64_t out_channels, int64_t in_channels, const float *weight, float *packed),
            (out_channels, in_channels, weight, packed))
AF_DISPATCH(void, af_conv_winograd, (const ConvCall *call), (call))

AF_DISPATCH(int64_t, af_conv_gemm_weight_bytes, (int64_t out_channels, int64_t depth), (out_channels, depth))
AF_DISPATCH(int64_t, af_conv_gemm_scratch_bytes, (const ConvCall *call), (call))
AF_DISPATCH(void, af_conv_gemm_pack, (int64_t out_channels, int64_t depth, const float *weight, float *packed),
            (out_channels, depth, weight, packed))
AF_DISPATCH(void, af_conv_gemm, (const ConvCall *call), (call))

AF_DISPATCH(int64_t, af_conv_strassen_weight_bytes, (int64_t out_channels, int64_t depth), (out_channels, depth))
AF_DISPATCH(int64_t, af_conv_strassen_scratch_bytes, (const ConvCall *call), (call))
AF_DISPATCH(void, af_conv_strassen_pack, (int64_t out_channels, int64_t depth, const float *weight, float *packed),
            (out_channels, depth, weight, packed))
AF_DISPATCH(void, af_conv_strassen, (const ConvCall *call), (call))

AF_DISPATCH(int64_t, af_conv_strassen2_weight_bytes, (int64_t out_channels, int64_t depth), (out_channels, depth))
AF_DISPATCH(int64_t, af_conv_strassen2_scratch_bytes, (const ConvCall *call), (call))
AF_DISPATCH(void, af_conv_strassen2_pack, (int64_t out_channels, int64_t depth, const float *weight, float *packed),
            (out_channels, depth, weight, packed))
AF_DISPATCH(void, af_conv_strassen2, (const ConvCall *call), (call))

AF_DISPATCH(void, af_demodulate,
            (const float *styles, const float *energy, const float *gain, float least, float *scales, int64_t images, int64_t outs,
             int64_t ins),
            (styles, energy, gain, least, scales, images, outs, ins))

AF_DISPATCH(int64_t, af_conv_peak, (int64_t rounds), (rounds))

// bfloat16 exists on the highest level only: elsewhere the size is 0 and the others must not be called.
#ifdef AF_X86
extern "C" int64_t af_conv_bf16_weight_bytes_avx512bf16(int64_t out_channels, int64_t depth);
extern "C" int64_t af_conv_bf16_scratch_bytes_avx512bf16(const ConvCall *call);
extern "C" void af_conv_bf16_pack_avx512bf16(int64_t out_channels, int64_t depth, const float *weight, float *packed);
extern "C" void af_conv_bf16_avx512bf16(const ConvCall *call);
#define BF16(call, otherwise) return af_level() >= AF_LEVEL_AVX512BF16 ? call : otherwise
#else
#define BF16(call, otherwise) return otherwise
#endif

AF_EXPORT int64_t af_conv_bf16_weight_bytes([[maybe_unused]] int64_t out_channels, [[maybe_unused]] int64_t depth) {
    BF16(af_conv_bf16_weight_bytes_avx512bf16(out_channels, depth), 0);
}
AF_EXPORT int64_t af_conv_bf16_scratch_bytes([[maybe_unused]] const ConvCall *call) {
    BF16(af_conv_bf16_scratch_bytes_avx512bf16(call), 0);
}
AF_EXPORT void af_conv_bf16_pack([[maybe_unused]] int64_t out_channels, [[maybe_unused]] int64_t depth,
                                 [[maybe_unused]] const float *weight, [[maybe_unused]] float *packed) {
    BF16(af_conv_bf16_pack_avx512bf16(out_channels, depth, weight, packed), (void)0);
}
AF_EXPORT void af_conv_bf16([[maybe_unused]] const ConvCall *call) { BF16(af_conv_bf16_avx512bf16(call), (void)0); }
