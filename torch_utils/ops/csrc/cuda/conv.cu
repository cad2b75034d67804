// The entry of one variant: AF_TYPE, AF_KERNEL (3 or 1), AF_TILES_M x AF_TILES_N products of 16 x 8 a warp, AF_WARPS_M x AF_WARPS_N warps a
// block, AF_COLUMNS of its pixels, AF_RESIDENT blocks at once, AF_AHEAD: factors come into registers a tap ahead, AF_PAIRS_IN and
// AF_PAIRS_OUT: rows lie at even elements.
#include "conv.cuh"

extern "C" __global__ void __launch_bounds__(AF_BLOCK_THREADS, AF_AT_ONCE) af_conv(AF_CONSTANT ConvCall call) {
    extern __shared__ __align__(128) char shared[];
    conv(call, shared, blockIdx.x);
}
