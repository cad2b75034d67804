// Runs the CUDA kernels' own source on a CPU: block after block, phase after phase, blocks and threads in the order asked for.
//
// Shared memory starts as NaN, so that what is read before it is written shows in the result, and has guards at its end. Two phases
// without a barrier between them are reported. With AF_FIXED the library holds the one variant that AF_TYPE and
// AF_MODE name, otherwise all types and modes with sizes that come with the call.
#include <cmath>
#include <vector>

#ifdef AF_RANK
#include "banded.cuh"
#else
#include "bias_act.cuh"
#include "resample.cuh"
#endif

thread_local int af_order = 0;
thread_local bool af_in_phase = false, af_missed_barrier = false;
thread_local const char *af_low = nullptr, *af_high = nullptr;
thread_local bool af_strayed = false;

#ifdef AF_RANK

thread_local std::vector<std::vector<AfCopy>> af_copies;
thread_local std::vector<std::vector<std::vector<AfCopy>>> af_kept_copies;
thread_local int af_warp = 0;
thread_local const char *af_second_low = nullptr, *af_second_high = nullptr;

// A warp at a time. Copies into shared memory arrive no sooner than they are waited for; where none arrived there are NaNs.
extern "C" int emulate_banded(const BandedCall* call, int blocks, int order) {
    const int planes = call->tasks / (call->strips * call->parts), words = AF_SHARED_WORDS / AF_WARPS, guard = 64;
    const long long last = (planes / call->channels - 1) * call->x_batch + (call->channels - 1) * call->x_channel +
                           (call->h - 1) * call->x_row + (call->w - 1) * call->x_column;
    af_low = static_cast<const char*>(call->x);
    af_high = af_low + 2 * (last + 1);
    af_strayed = false;
    std::vector<Sixteen> memory((words + guard) / 4);
    unsigned* const ring = memory[0].words;
    if (blocks * AF_WARPS < call->tasks || (blocks - 1) * AF_WARPS >= call->tasks) return 2;
    for (int step = 0; step < call->tasks; ++step) {
        for (int i = 0; i < words; ++i) ring[i] = 0x7fff7fffu;
        for (int i = words; i < words + guard; ++i) ring[i] = 0x12345678u;
        af_copies.assign(1, {});
        banded(*call, ring, order == 1 ? call->tasks - 1 - step : step);
        if (af_strayed) return 4;
        for (int i = words; i < words + guard; ++i)
            if (ring[i] != 0x12345678u) return 1;
    }
    return 0;
}

extern "C" int emulated_call_bytes(int) { return sizeof(BandedCall); }

#else

namespace {

constexpr int GUARD = 1024;

template <class T, int MODE> int run_resample(const ResampleCall& call, int blocks, int shared_bytes) {
    const int count = shared_bytes / 4, planes = blocks / (call.tiles_x * call.tiles_y);
    const long long last = (planes / call.channels - 1) * call.x_batch + (call.channels - 1) * call.x_channel + (call.h - 1) * call.x_row +
                           (call.w - 1) * call.x_column;
    af_low = static_cast<const char*>(call.x);
    af_high = af_low + (last + 1) * sizeof(typename T::Raw);
    af_strayed = false;
    std::vector<float> shared(count + GUARD);
    for (int step = 0; step < blocks; ++step) {
        const int block = af_order == 1 ? blocks - 1 - step : step;
        for (int i = 0; i < count; ++i) shared[i] = NAN;
        for (int i = count; i < count + GUARD; ++i) shared[i] = 12345.0f;
        af_in_phase = af_missed_barrier = false;
        resample<T, MODE>(call, shared.data(), block);
        if (af_missed_barrier) return 3;
        if (af_strayed) return 4;
        for (int i = count; i < count + GUARD; ++i)
            if (shared[i] != 12345.0f) return 1;
    }
    return 0;
}

#ifndef AF_FIXED
template <class T> int run_mode(const ResampleCall& call, int mode, int blocks, int shared_bytes) {
    switch (mode) {
        case AF_LINEAR: return run_resample<T, AF_LINEAR>(call, blocks, shared_bytes);
        case AF_ACTIVATE: return run_resample<T, AF_ACTIVATE>(call, blocks, shared_bytes);
        case AF_ACTIVATE_AND_MARK: return run_resample<T, AF_ACTIVATE_AND_MARK>(call, blocks, shared_bytes);
        case AF_SCALE_AS_MARKED: return run_resample<T, AF_SCALE_AS_MARKED>(call, blocks, shared_bytes);
        default: return 2;
    }
}

template <class T> int run_bias_act(const BiasActCall& call, int blocks) {
    af_low = nullptr;
    af_strayed = false;
    for (int block = 0; block < blocks; ++block) bias_act<T>(call, block);
    return af_strayed ? 4 : 0;
}
#endif

}  // namespace

extern "C" int emulate_resample(const ResampleCall* call, int type, int mode, int blocks, int shared_bytes, int order) {
    af_order = order;
#ifdef AF_FIXED
    return run_resample<AF_TYPE, AF_MODE>(*call, blocks, shared_bytes);
#else
    ResampleCall copy = *call;
    if (!copy.filters) copy.filters = copy.taps;
    return type == 0   ? run_mode<Float32>(copy, mode, blocks, shared_bytes)
           : type == 1 ? run_mode<Float16>(copy, mode, blocks, shared_bytes)
                       : run_mode<Bfloat16>(copy, mode, blocks, shared_bytes);
#endif
}

#ifndef AF_FIXED
extern "C" int emulate_bias_act(const BiasActCall* call, int type, int blocks, int order) {
    af_order = order;
    return type == 0 ? run_bias_act<Float32>(*call, blocks) : type == 1 ? run_bias_act<Float16>(*call, blocks) : run_bias_act<Bfloat16>(*call, blocks);
}

extern "C" float emulate_conversion(unsigned short half) { return half_to_float(half); }
extern "C" unsigned short emulate_narrowing(float value) { return float_to_half(value); }
#endif

extern "C" int emulated_call_bytes(int which) { return which == 0 ? sizeof(ResampleCall) : sizeof(BiasActCall); }

#endif
