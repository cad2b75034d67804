// How a convolution's pixels (or tiles) are cut into blocks, and the blocks dealt to threads.
#pragma once

#include "conv_vector.h"

namespace {

// Blocks are whole vectors of one image and differ by one vector at most. Usually each thread takes a block and runs it alone, without a
// barrier. Where blocks are too few to keep all threads busy, the threads first prepare the input of all blocks together and then share out
// (block, group of output channels): `shared`. That costs a barrier, and input that comes from other cores' caches.
struct Blocks {
    int64_t vectors, per_image, count, threads;
    bool shared;

    int64_t image(int64_t block) const { return block / per_image; }
    int64_t first_vector(int64_t block) const { return vectors * (block % per_image) / per_image; }
    int64_t vector_count(int64_t block) const { return vectors * (block % per_image + 1) / per_image - first_vector(block); }
    int64_t width() const { return ceil_div(vectors, per_image) * LANES; }  // samples of the widest
};

CONV_INLINE bool keeps_busy(int64_t blocks, int64_t threads) { return blocks * 5 >= round_up(blocks, threads) * 4; }

// `block_vectors` is the width that suits the caches; narrower blocks are taken where that evens out the threads' work.
CONV_INLINE Blocks cut_blocks(int64_t samples, int64_t block_vectors, int64_t batch, int64_t threads) {
    constexpr int64_t LEAST_VECTORS = 2;
    Blocks b;
    b.vectors = ceil_div(samples, LANES);
    b.threads = larger(1, threads);
    b.per_image = larger(1, (b.vectors + block_vectors / 2) / block_vectors);
    if (!keeps_busy(b.per_image * batch, b.threads)) {
        const int64_t even = ceil_div(round_up(b.per_image * batch, b.threads), batch);
        if (even * LEAST_VECTORS <= b.vectors) b.per_image = even;
    }
    b.count = b.per_image * batch;
    b.shared = !keeps_busy(b.count, b.threads);
    return b;
}

}  // namespace
