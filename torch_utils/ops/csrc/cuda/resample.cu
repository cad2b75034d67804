// The entry of one variant: AF_TYPE is Float32, Float16 or Bfloat16, AF_MODE a Mode.
#include "resample.cuh"

extern "C" __global__ void __launch_bounds__(AF_THREADS, AF_BLOCKS) af_resample(AF_CONSTANT ResampleCall call) {
    extern __shared__ float shared[];
    resample<AF_TYPE, AF_MODE>(call, shared, blockIdx.x);
}
