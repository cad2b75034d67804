// Which instructions this machine has, and which sources the library was made from.
#include "isa.h"

#include <atomic>

#ifndef AF_SOURCE_HASH
#define AF_SOURCE_HASH "unknown"
#endif

#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

int detect() {
#ifdef AF_X86
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"))) return AF_LEVEL_GENERIC;
    if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
          __builtin_cpu_supports("avx512vl")))
        return AF_LEVEL_AVX2;
    return __builtin_cpu_supports("avx512bf16") ? AF_LEVEL_AVX512BF16 : AF_LEVEL_AVX512;
#else
    return AF_LEVEL_GENERIC;
#endif
}

std::atomic<int> limit{1000};

}  // namespace

extern "C" int af_level(void) {
    static const int found = detect();
    int most = limit.load(std::memory_order_relaxed);
    return found < most ? found : most;
}

extern "C" void af_limit_level(int level) { limit.store(level, std::memory_order_relaxed); }

AF_EXPORT const char *af_source_hash(void) { return "source " AF_SOURCE_HASH; }

AF_EXPORT int af_has_openmp(void) {
#ifdef _OPENMP
    return 1;
#else
    return 0;
#endif
}
