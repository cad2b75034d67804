// The entry of one variant: AF_TYPE is Float32, Float16 or Bfloat16, the type of the weight that is made.
#include "modulate.cuh"

extern "C" __global__ void __launch_bounds__(AF_THREADS, AF_BLOCKS) af_modulate(AF_CONSTANT ModulateCall call) {
    __shared__ float sums[AF_THREADS];
    modulate<AF_TYPE>(call, sums, blockIdx.x);
}
