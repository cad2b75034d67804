// What lets one source be a CUDA kernel and plain C++ that a test can run: phases over threads, 16-bit types, vectors of 16 bytes.
//
// A kernel is a sequence of phases. Within a phase no thread reads what another writes; between phases is a barrier, and nothing lives on
// but shared memory. On a GPU a phase is the body that each thread runs; emulated, it is a loop over the threads of a block, in any order.
// No header is included for the GPU, so that the run-time compiler needs none.
#pragma once

constexpr int AF_THREADS = 256;
constexpr int AF_BLOCKS = 4;  // at once on a multiprocessor: so many that at most 64 registers are left to a thread

#ifdef AF_EMULATED

#include <cmath>
#include <cstring>

#define AF_DEVICE static inline
#define AF_INLINE inline
#define AF_UNROLL
#define AF_UNROLL_BY(count)
#define AF_CONSTANT const

extern thread_local int af_order;                       // 0: threads in order, 1: backwards, otherwise an odd stride
extern thread_local bool af_in_phase, af_missed_barrier;  // a phase that follows another without a barrier is a fault

extern thread_local const char *af_low, *af_high;         // where 16 bytes may be read at once
extern thread_local bool af_strayed;

inline void af_check(const void* from) {
    const char* const p = static_cast<const char*>(from);
    af_strayed = af_strayed || (af_low && (p < af_low || p + 16 > af_high)) || (unsigned long long)p % 16 != 0;
}

inline int af_thread(int step) {
    if (step == 0) {
        af_missed_barrier = af_missed_barrier || af_in_phase;
        af_in_phase = true;
    }
    if (af_order == 0) return step;
    if (af_order == 1) return AF_THREADS - 1 - step;
    return (step * af_order) % AF_THREADS;
}

#define AF_EACH_THREAD for (int step_ = 0, thread = af_thread(0); step_ < AF_THREADS; thread = af_thread(++step_))
#define AF_BARRIER() (af_in_phase = false)

AF_DEVICE float bits_to_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}
AF_DEVICE unsigned float_to_bits(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}
AF_DEVICE float half_to_float(unsigned short h) {
    const unsigned sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 31, fraction = h & 0x3ffu;
    if (exponent == 31) return bits_to_float(sign | 0x7f800000u | (fraction << 13));
    const float magnitude = exponent ? std::ldexp(1024.0f + fraction, int(exponent) - 25) : std::ldexp(float(fraction), -24);
    return sign ? -magnitude : magnitude;
}
AF_DEVICE unsigned short float_to_half(float value) {
    const unsigned sign = (float_to_bits(value) >> 16) & 0x8000u;
    const float magnitude = std::fabs(value);
    if (value != value) return 0x7fff;
    if (magnitude >= 65520.0f) return sign | 0x7c00u;
    if (magnitude < 6.103515625e-05f) return sign | unsigned(std::nearbyint(std::ldexp(magnitude, 24)));
    int exponent;
    std::frexp(magnitude, &exponent);  // magnitude = m 2^exponent, 1/2 <= m < 1
    const unsigned scaled = unsigned(std::nearbyint(std::ldexp(magnitude, 11 - exponent)));  // 1024 to 2048; 2048 carries over
    return sign | (unsigned(exponent + 13) * 1024u + scaled);
}

#else

#define AF_DEVICE static __device__ __forceinline__
#define AF_INLINE __device__ __forceinline__
#define AF_UNROLL _Pragma("unroll")
#define AF_UNROLL_TEXT(text) _Pragma(#text)
#define AF_UNROLL_BY(count) AF_UNROLL_TEXT(unroll count)
#define af_check(from)
#define AF_CONSTANT const __grid_constant__
#define AF_EACH_THREAD for (int thread = threadIdx.x, once_ = 1; once_; once_ = 0)
#define AF_BARRIER() __syncthreads()

AF_DEVICE float bits_to_float(unsigned bits) { return __uint_as_float(bits); }
AF_DEVICE unsigned float_to_bits(float value) { return __float_as_uint(value); }
AF_DEVICE float half_to_float(unsigned short h) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(h));
    return value;
}
AF_DEVICE unsigned short float_to_half(float value) {
    unsigned short h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(value));
    return h;
}

#endif

// Element types: how they lie in memory. Arithmetic is in float32 throughout.
struct Float32 {
    using Raw = float;
    static constexpr int vector = 4;
    AF_DEVICE float widen(float value) { return value; }
    AF_DEVICE float narrow(float value) { return value; }
};
struct Float16 {
    using Raw = unsigned short;
    static constexpr int vector = 8;
    static constexpr bool halves = true;
    AF_DEVICE float widen(Raw value) { return half_to_float(value); }
    AF_DEVICE Raw narrow(float value) { return float_to_half(value); }
};
struct Bfloat16 {
    using Raw = unsigned short;
    static constexpr int vector = 8;
    static constexpr bool halves = false;
    AF_DEVICE float widen(Raw value) { return bits_to_float(unsigned(value) << 16); }
    AF_DEVICE Raw narrow(float value) {
        if (value != value) return 0x7fff;
        const unsigned bits = float_to_bits(value);
        return Raw((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);  // to the nearest, ties to even
    }
};

struct alignas(16) Sixteen {
    unsigned words[4];
};

// T::vector elements from or to one aligned 16-byte word.
template <class T> AF_DEVICE void load_vector(const typename T::Raw* from, float* to) {
    af_check(from);
    const Sixteen block = *reinterpret_cast<const Sixteen*>(from);
    AF_UNROLL
    for (int i = 0; i < T::vector; ++i) {
        if constexpr (T::vector == 4)
            to[i] = bits_to_float(block.words[i]);
        else
            to[i] = T::widen((unsigned short)(block.words[i / 2] >> (16 * (i % 2))));
    }
}
template <class T> AF_DEVICE void store_vector(const float* from, typename T::Raw* to) {
    Sixteen block = {{0, 0, 0, 0}};
    AF_UNROLL
    for (int i = 0; i < T::vector; ++i) {
        if constexpr (T::vector == 4)
            block.words[i] = float_to_bits(from[i]);
        else
            block.words[i / 2] |= unsigned(T::narrow(from[i])) << (16 * (i % 2));
    }
    *reinterpret_cast<Sixteen*>(to) = block;
}
