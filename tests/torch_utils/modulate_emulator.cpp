// Runs the kernel of modulated weights on a CPU: as cuda_emulator.cpp does the others.
#include <cmath>
#include <vector>

#include "fragments.cuh"

thread_local int af_order = 0;
thread_local bool af_in_phase = false, af_missed_barrier = false;
thread_local const char *af_low = nullptr, *af_high = nullptr;
thread_local bool af_strayed = false;

template <class T> static int run(const ModulateCall& call, int blocks) {
    for (int block = 0; block < blocks; ++block) {
        std::vector<float> sums(AF_THREADS, NAN);
        af_in_phase = af_missed_barrier = false;
        modulate<T>(call, sums.data(), block);
        if (af_missed_barrier) return 3;
    }
    return 0;
}

extern "C" int emulate_modulate(const ModulateCall* call, int type, int blocks, int order) {
    af_order = order;
    return type == 0 ? run<Float32>(*call, blocks) : type == 1 ? run<Float16>(*call, blocks) : run<Bfloat16>(*call, blocks);
}
template <class T> static int run_fragments(const ModulateCall& call, int blocks) {
    for (int block = 0; block < blocks; ++block) {
        std::vector<float> sums(AF_THREADS, NAN), weights(AF_PORTION, NAN);
        af_in_phase = af_missed_barrier = false;
        make_fragments<T>(call, sums.data(), weights.data(), block);
        if (af_missed_barrier) return 3;
    }
    return 0;
}

extern "C" int emulate_fragments(const ModulateCall* call, int type, int blocks, int order) {
    af_order = order;
    if (type == 0) return run_fragments<Float32>(*call, blocks);
    return type == 1 ? run_fragments<Float16>(*call, blocks) : run_fragments<Bfloat16>(*call, blocks);
}
extern "C" int modulate_call_bytes() { return sizeof(ModulateCall); }
