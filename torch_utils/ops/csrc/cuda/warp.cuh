// What lets one source be a kernel of warps with tensor cores, and plain C++ that a test can run: registers of 32 lanes, products of
// fragments, copies that arrive later.
//
// A warp's code is a sequence of steps in lockstep. On a GPU a PerLane is a register; emulated, it is the registers of all 32 lanes, and a
// step is a loop over them. Copies into shared memory, emulated, are made when they are waited for, and not before.
//
// A fragment of 16-bit values holds two neighbours of a row in each word. Lane 4 g + t has of
//   A (16 x 16): rows g and g + 8 at columns 2t, 2t + 1; then the same at columns 2t + 8, 2t + 9
//   B (16 x 8):  column g at rows 2t, 2t + 1; then at rows 2t + 8, 2t + 9
//   C (16 x 8):  row g at columns 2t, 2t + 1; then row g + 8; in float32
// so that the rows of C, narrowed, are the columns of the next product's B: results become factors without leaving their lanes.
#pragma once

#include "portable.cuh"

#ifdef AF_EMULATED

#include <vector>

constexpr int AF_LANES = 32;
#define AF_EACH_LANE for (int lane = 0; lane < 32; ++lane)

struct AfCopy {
    void* to;
    const void* from;  // null: zeros
    int bytes;
};
extern thread_local std::vector<std::vector<AfCopy>> af_copies;  // of the warp that runs; the last is not committed yet
extern thread_local std::vector<std::vector<std::vector<AfCopy>>> af_kept_copies;  // of the other warps, where a block has several
extern thread_local int af_warp;
extern thread_local const char *af_second_low, *af_second_high;  // where else may be read

inline void af_read(const void* from, int bytes) {
    const char* const p = static_cast<const char*>(from);
    const bool known = (p >= af_low && p + bytes <= af_high) || (p >= af_second_low && p + bytes <= af_second_high);
    af_strayed = af_strayed || !known || (unsigned long long)p % bytes != 0;
}

// Warps between two meetings run one after the other, forwards or backwards, each with its own copies under way.
inline int af_enter_warp(int step, int warps) {
    if (step == 0) {
        af_missed_barrier = af_missed_barrier || af_in_phase;
        af_in_phase = true;
    }
    if (step == warps) return 0;
    af_kept_copies[af_warp].swap(af_copies);
    af_warp = af_order == 1 ? warps - 1 - step : step;
    af_copies.swap(af_kept_copies[af_warp]);
    return af_warp;
}

#define AF_EACH_WARP(warps) for (int step_ = 0, warp = af_enter_warp(0, warps); step_ < warps; warp = af_enter_warp(++step_, warps))
#define AF_WARPS_MEET() (af_in_phase = false)
constexpr bool AF_ALL_WARPS = true;
using SharedAddress = const char*;

#else

constexpr int AF_LANES = 1;
#define AF_EACH_LANE for (int lane = threadIdx.x & 31, once_ = 1; once_; once_ = 0)
#define AF_EACH_WARP(warps) for (int warp = threadIdx.x / 32, once_ = 1; once_; once_ = 0)
#define AF_WARPS_MEET() __syncthreads()
constexpr bool AF_ALL_WARPS = false;
using SharedAddress = unsigned;
#define af_read(from, bytes)

#endif

template <class T> struct PerLane {
    T values[AF_LANES];
    AF_INLINE T& operator[](int lane) { return values[AF_LANES == 1 ? 0 : lane]; }
    AF_INLINE const T& operator[](int lane) const { return values[AF_LANES == 1 ? 0 : lane]; }
};

// A meeting of all warps that gives 0 if `never` is false in all threads, for what must not be computed before it.
AF_DEVICE unsigned meet_for_zero(bool never) {
#ifdef AF_EMULATED
    AF_WARPS_MEET();
    return never;
#else
    return (unsigned)__syncthreads_or(never);
#endif
}

// The registers of all warps of a block; on a GPU, of this one.
template <class T, int WARPS> struct PerWarp {
    T values[AF_ALL_WARPS ? WARPS : 1];
    AF_INLINE T& operator[](int warp) { return values[AF_ALL_WARPS ? warp : 0]; }
};

// Pairs of halves in a word. A NaN stays one.
#ifdef AF_EMULATED

AF_DEVICE float half_of(unsigned pair, int which) { return half_to_float((unsigned short)(pair >> (16 * which))); }
AF_DEVICE unsigned pair_of(float low, float high) { return float_to_half(low) | unsigned(float_to_half(high)) << 16; }
AF_DEVICE float finite_half(float x) { return x > 65504.0f ? 65504.0f : x < -65504.0f ? -65504.0f : x; }
AF_DEVICE unsigned finite_pair_of(float low, float high) { return pair_of(finite_half(low), finite_half(high)); }
template <class F> AF_DEVICE unsigned of_each(unsigned a, unsigned b, F f) {
    return pair_of(f(half_of(a, 0), half_of(b, 0)), f(half_of(a, 1), half_of(b, 1)));
}
AF_DEVICE unsigned multiply_add(unsigned a, unsigned b, unsigned c) {
    return pair_of(half_of(a, 0) * half_of(b, 0) + half_of(c, 0), half_of(a, 1) * half_of(b, 1) + half_of(c, 1));
}
AF_DEVICE unsigned multiply(unsigned a, unsigned b) {
    return of_each(a, b, [](float x, float y) { return x * y; });
}
AF_DEVICE unsigned greater(unsigned a, unsigned b) {
    return of_each(a, b, [](float x, float y) { return x != x || y != y ? NAN : x > y ? x : y; });
}
AF_DEVICE unsigned limit(unsigned a, unsigned b) {  // b >= 0
    return of_each(a, b, [](float x, float y) { return x > y ? y : x < -y ? -y : x; });
}

#else

AF_DEVICE unsigned pair_of(float low, float high) {
    unsigned pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
AF_DEVICE unsigned finite_pair_of(float low, float high) {  // the largest half for all that is larger
    unsigned pair;
    asm("cvt.rn.satfinite.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}
AF_DEVICE unsigned multiply_add(unsigned a, unsigned b, unsigned c) {
    unsigned y;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}
AF_DEVICE unsigned multiply(unsigned a, unsigned b) {
    unsigned y;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    return y;
}
AF_DEVICE unsigned greater(unsigned a, unsigned b) {
    unsigned y;
    asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    return y;
}
AF_DEVICE unsigned limit(unsigned a, unsigned b) {
    unsigned y;
#if __CUDA_ARCH__ >= 860
    asm("min.NaN.xorsign.abs.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));  // the smaller magnitude, with a's sign
#else
    asm("min.NaN.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(y) : "r"(y), "r"(b ^ 0x80008000u));
#endif
    return y;
}

#endif

// Two numbers of type T = Float16 or Bfloat16 in a word; what is too large becomes infinite.
template <class T> AF_DEVICE unsigned narrow_pair(float low, float high) {
    if constexpr (T::halves) return pair_of(low, high);
#if defined(AF_EMULATED)
    return T::narrow(low) | unsigned(T::narrow(high)) << 16;
#elif __CUDA_ARCH__ >= 800
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#else
    return 0;
#endif
}

struct alignas(8) Eight {
    unsigned words[2];
};

struct Left {  // A
    PerLane<unsigned> words[4];
};
struct Sums {  // C
    PerLane<float> values[4];
};

// sums += a b, of T = Float16 or Bfloat16; b is two words, the upper 8 rows and the lower 8.
template <class T = Float16> AF_DEVICE void multiply_add(Sums& sums, const Left& a, const PerLane<unsigned>& upper, const PerLane<unsigned>& lower) {
#ifdef AF_EMULATED
    float left[16][16], right[16][8];
    AF_EACH_LANE {
        const int g = lane / 4, t = lane % 4;
        for (int i = 0; i < 2; ++i) {
            for (int r = 0; r < 4; ++r) left[g + 8 * (r % 2)][2 * t + 8 * (r / 2) + i] = T::widen(typename T::Raw(a.words[r][lane] >> 16 * i));
            right[2 * t + i][g] = T::widen(typename T::Raw(upper[lane] >> 16 * i));
            right[2 * t + 8 + i][g] = T::widen(typename T::Raw(lower[lane] >> 16 * i));
        }
    }
    AF_EACH_LANE {
        const int g = lane / 4, t = lane % 4;
        for (int r = 0; r < 4; ++r)
            for (int k = 0; k < 16; ++k) sums.values[r][lane] += left[g + 8 * (r / 2)][k] * right[k][2 * t + r % 2];
    }
#else
#define AF_MULTIPLY(type)                                                                                                                    \
    asm("mma.sync.aligned.m16n8k16.row.col.f32." type "." type ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"        \
        : "+f"(sums.values[0][0]), "+f"(sums.values[1][0]), "+f"(sums.values[2][0]), "+f"(sums.values[3][0])                                 \
        : "r"(a.words[0][0]), "r"(a.words[1][0]), "r"(a.words[2][0]), "r"(a.words[3][0]), "r"(upper[0]), "r"(lower[0]))
    if constexpr (T::halves)
        AF_MULTIPLY("f16");
    else
        AF_MULTIPLY("bf16");
#undef AF_MULTIPLY
#endif
}

AF_DEVICE void start(Sums& sums, float value) {
    AF_UNROLL
    for (int r = 0; r < 4; ++r) AF_EACH_LANE sums.values[r][lane] = value;
}

AF_DEVICE void add(Sums& sums, const Sums& more) {
    AF_UNROLL
    for (int r = 0; r < 4; ++r) AF_EACH_LANE sums.values[r][lane] += more.values[r][lane];
}

// Row g of a C (0), or row g + 8 (1), as half of the next product's B.
AF_DEVICE void narrow(const Sums& sums, int half, PerLane<unsigned>& to) {
    AF_EACH_LANE to[lane] = finite_pair_of(sums.values[2 * half][lane], sums.values[2 * half + 1][lane]);
}

// Every lane's word of its neighbour, 0 with 1, 2 with 3, ...; or of one further away.
template <int DISTANCE = 1> AF_DEVICE void exchange(PerLane<unsigned>& words) {
#ifdef AF_EMULATED
    const PerLane<unsigned> before = words;
    AF_EACH_LANE words[lane] = before[lane ^ DISTANCE];
#else
    words[0] = __shfl_xor_sync(0xffffffffu, words[0], DISTANCE);
#endif
}

// Two words' lower 16 bits in one, and their upper ones.
AF_DEVICE unsigned low_halves(unsigned a, unsigned b) {
#ifdef AF_EMULATED
    return (a & 0xffffu) | b << 16;
#else
    return __byte_perm(a, b, 0x5410);
#endif
}
AF_DEVICE unsigned high_halves(unsigned a, unsigned b) {
#ifdef AF_EMULATED
    return a >> 16 | (b & 0xffff0000u);
#else
    return __byte_perm(a, b, 0x7632);
#endif
}

AF_DEVICE SharedAddress shared_address(const void* p) {
#ifdef AF_EMULATED
    return static_cast<const char*>(p);
#else
    return (unsigned)__cvta_generic_to_shared(p);
#endif
}

// A from shared memory where it lies by lanes, 16 bytes each, `bytes` after what `at` names.
AF_DEVICE void load_fragment(const PerLane<SharedAddress>& at, int bytes, Left& to) {
#ifdef AF_EMULATED
    AF_EACH_LANE for (int r = 0; r < 4; ++r) std::memcpy(&to.words[r][lane], at[lane] + bytes + 4 * r, 4);
#else
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to.words[0][0]), "=r"(to.words[1][0]), "=r"(to.words[2][0]), "=r"(to.words[3][0])
                 : "r"(at[0] + bytes)
                 : "memory");
#endif
}

// Four matrices of 8 x 8 in 16 bits: lanes 8 m to 8 m + 7 name the rows of matrix m, of which lane 4 g + t gets row g at columns 2t, 2t + 1.
AF_DEVICE void load_matrices(const PerLane<SharedAddress>& at, int bytes, PerLane<unsigned> (&to)[4]) {
#ifdef AF_EMULATED
    for (int m = 0; m < 4; ++m) AF_EACH_LANE std::memcpy(&to[m][lane], at[8 * m + lane / 4] + bytes + 4 * (lane % 4), 4);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0][0]), "=r"(to[1][0]), "=r"(to[2][0]), "=r"(to[3][0])
                 : "r"(at[0] + bytes)
                 : "memory");
#endif
}

// Into shared memory, some time before `arrive`: BYTES from an address that is a multiple of BYTES, or zeros.
template <int BYTES> AF_DEVICE void copy_later(void* to, const void* from, bool there) {
#ifdef AF_EMULATED
    if (there) af_read(from, BYTES);
    af_copies.back().push_back({to, there ? from : nullptr, BYTES});
#else
    const unsigned at = (unsigned)__cvta_generic_to_shared(to), bytes = there ? BYTES : 0;
    if constexpr (BYTES == 16)  // past the first cache, which has little room beside shared memory
        asm volatile("cp.async.cg.shared.global [%0], [%1], %2, %3;" : : "r"(at), "l"(from), "n"(BYTES), "r"(bytes) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" : : "r"(at), "l"(from), "n"(BYTES), "r"(bytes) : "memory");
#endif
}
AF_DEVICE void commit_copies() {
#ifdef AF_EMULATED
    af_copies.emplace_back();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Wait for all that was committed but the last `LEFT` commitments, and for the other lanes.
template <int LEFT> AF_DEVICE void arrive() {
#ifdef AF_EMULATED
    for (; af_copies.size() > LEFT + 1; af_copies.erase(af_copies.begin()))
        for (const AfCopy& copy : af_copies.front())
            if (copy.from)
                std::memcpy(copy.to, copy.from, copy.bytes);
            else
                std::memset(copy.to, 0, copy.bytes);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
    __syncwarp();
#endif
}
