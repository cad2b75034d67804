// Runs one variant of the convolution for tensor cores on a CPU: as cuda_emulator.cpp does the others. Blocks and the warps of each run
// one after the other, in either order; between two meetings of its warps a block's shared memory must not depend on that.
#include <cmath>
#include <vector>

#include "conv.cuh"

thread_local int af_order = 0, af_warp = 0;
thread_local bool af_in_phase = false, af_missed_barrier = false, af_strayed = false;
thread_local const char *af_low = nullptr, *af_high = nullptr, *af_second_low = nullptr, *af_second_high = nullptr;
thread_local std::vector<std::vector<AfCopy>> af_copies;
thread_local std::vector<std::vector<std::vector<AfCopy>>> af_kept_copies;

extern "C" int emulate_conv(const ConvCall* call, int blocks, int shared_bytes, int order) {
    const int images = blocks / (call->blocks_m * call->blocks_x * call->blocks_y), guard = 1024;
    if (shared_bytes != AF_SHARED_BYTES || blocks != images * call->blocks_m * call->blocks_x * call->blocks_y) return 2;
    af_order = order;
    af_strayed = false;
    af_low = static_cast<const char*>(call->x);
    af_high = af_low + images * call->x_image * sizeof(AfRaw);
    af_second_low = static_cast<const char*>(call->weight);
    af_second_high = af_second_low + 512 * images * call->weight_image;
    std::vector<Sixteen> memory((shared_bytes + guard) / 16);
    for (int step = 0; step < blocks; ++step) {
        for (auto& each : memory)
            for (unsigned& word : each.words) word = 0x7fff7fffu;
        af_copies.assign(1, {});
        af_kept_copies.assign(AF_WARPS, {{}});
        af_in_phase = af_missed_barrier = false;
        af_warp = 0;
        conv(*call, reinterpret_cast<char*>(memory.data()), order == 1 ? blocks - 1 - step : step);
        if (af_missed_barrier) return 3;
        if (af_strayed) return 4;
        for (int i = shared_bytes / 16; i < (shared_bytes + guard) / 16; ++i)
            for (unsigned word : memory[i].words)
                if (word != 0x7fff7fffu) return 1;
    }
    return 0;
}

extern "C" int conv_call_bytes() { return sizeof(ConvCall); }
