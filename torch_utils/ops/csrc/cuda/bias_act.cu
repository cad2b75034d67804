// The entry of one variant: AF_TYPE is Float32, Float16 or Bfloat16, AF_ACTIVATION an Activation.
#include "bias_act.cuh"

extern "C" __global__ void __launch_bounds__(AF_THREADS, AF_BLOCKS) af_bias_act(AF_CONSTANT BiasActCall call) { bias_act<AF_TYPE>(call, blockIdx.x); }
