// The entry of one variant: AF_TYPE (Float16 or Bfloat16) of images, AF_UP_X, AF_UP_Y (2 or 4), AF_RANK of the fall, AF_GROUPS of 8 columns
// a warp, AF_GRAIN of its reads, AF_MODE.
#include "banded.cuh"

extern "C" __global__ void __launch_bounds__(32 * AF_WARPS, AF_RESIDENT) af_banded(AF_CONSTANT BandedCall call) {
    __shared__ __align__(16) unsigned shared[AF_SHARED_WORDS];
    const int warp = threadIdx.x / 32, task = blockIdx.x * AF_WARPS + warp;
    if (task < call.tasks) banded(call, shared + warp * (AF_SHARED_WORDS / AF_WARPS), task);
}
