// The entry of one variant: AF_TYPE is Float32, Float16 or Bfloat16, the type of the weight that is made.
#include "fragments.cuh"

extern "C" __global__ void __launch_bounds__(AF_THREADS, AF_BLOCKS) af_fragments(AF_CONSTANT ModulateCall call) {
    __shared__ float sums[AF_THREADS], weights[AF_PORTION];
    make_fragments<AF_TYPE>(call, sums, weights, blockIdx.x);
}
