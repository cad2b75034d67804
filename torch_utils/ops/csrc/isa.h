// How one source becomes several sets of symbols, and how vectors are written.
//
// A source whose first line is "// variants: generic avx2 avx512" (also "avx512bf16") is compiled once per variant, with AF_ISA naming it.
// It exports its functions as AF_VARIANT(name), that is name_avx512 and so on, and everything else in it is in an unnamed namespace.
// Such a source must not use templates or inline functions of the standard library: the linker keeps one copy of an inline function, and
// it could be the copy compiled for a processor that this machine does not have. (tests/torch_utils/test_native_build.py looks for weak symbols.)
//
// An ordinary source (compiled once) then defines the entry point by
//     AF_DISPATCH(int, af_name, (const float *x, int n), (x, n))
#pragma once

#include <stddef.h>
#include <stdint.h>

#define AF_CONCAT_(a, b) a##_##b
#define AF_CONCAT(a, b) AF_CONCAT_(a, b)
#define AF_EXPORT extern "C" __attribute__((visibility("default")))

#if defined(__x86_64__)
#define AF_X86 1
#endif

// Levels, in rising order; each includes the ones below.
enum { AF_LEVEL_GENERIC = 0, AF_LEVEL_AVX2 = 1, AF_LEVEL_AVX512 = 2, AF_LEVEL_AVX512BF16 = 3 };

extern "C" __attribute__((visibility("default"))) int af_level(void);  // what the present machine has, or less if limited
extern "C" __attribute__((visibility("default"))) void af_limit_level(int level);

#ifdef AF_X86
#define AF_DISPATCH(result, name, parameters, arguments)                      \
    extern "C" result AF_CONCAT(name, generic) parameters;                    \
    extern "C" result AF_CONCAT(name, avx2) parameters;                       \
    extern "C" result AF_CONCAT(name, avx512) parameters;                     \
    AF_EXPORT result name parameters {                                        \
        int level = af_level();                                               \
        if (level >= AF_LEVEL_AVX512) return AF_CONCAT(name, avx512) arguments; \
        if (level >= AF_LEVEL_AVX2) return AF_CONCAT(name, avx2) arguments;   \
        return AF_CONCAT(name, generic) arguments;                            \
    }
#else
#define AF_DISPATCH(result, name, parameters, arguments)   \
    extern "C" result AF_CONCAT(name, generic) parameters; \
    AF_EXPORT result name parameters { return AF_CONCAT(name, generic) arguments; }
#endif

#ifdef AF_ISA

#define AF_VARIANT(name) AF_CONCAT(name, AF_ISA)
#if defined(__AVX512F__)
#define AF_LANES 16
#elif defined(__AVX__)
#define AF_LANES 8
#else
#define AF_LANES 4
#endif

namespace {

typedef float Vec __attribute__((vector_size(AF_LANES * 4)));
typedef int32_t IntVec __attribute__((vector_size(AF_LANES * 4)));
typedef float UnalignedVec __attribute__((vector_size(AF_LANES * 4), aligned(4), may_alias));

[[maybe_unused]] inline Vec load(const float *p) { return *(const UnalignedVec *)p; }
[[maybe_unused]] inline void store(float *p, Vec v) { *(UnalignedVec *)p = v; }
[[maybe_unused]] inline Vec broadcast(float value) { return Vec{} + value; }

}  // namespace

#endif
