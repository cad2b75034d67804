// Entry points of the filters, and the working memory of each thread.
#include <new>

#include <stdlib.h>
#include <string.h>

#include "isa.h"
#include "pages.h"
#include "resample.h"

namespace {

// Kept between calls: fresh pages cost more than the work done in them.
struct Scratch {
    void *memory = nullptr;
    uint64_t bytes = 0;
    ~Scratch() { free(memory); }
};

thread_local Scratch scratch;

}  // namespace

extern "C" __attribute__((visibility("hidden"))) void *af_scratch(uint64_t bytes) {
    if (scratch.bytes < bytes) {
        free(scratch.memory);
        scratch = {};
        void *memory = nullptr;
        bytes = whole_pages(bytes);
        if (posix_memalign(&memory, LARGE_PAGE, bytes) != 0) return nullptr;
        af_large_pages(memory, bytes);
        memset(memory, 0, bytes);  // lanes beyond a row's end are computed and dropped: they must not be denormal numbers
        scratch.memory = memory;
        scratch.bytes = bytes;
    }
    return scratch.memory;
}

AF_DISPATCH(int, af_resample, (const AfResample *call), (call))
AF_DISPATCH(int, af_direct, (const AfDirect *call), (call))
