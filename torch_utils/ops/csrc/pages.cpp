#include "pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

extern "C" void af_large_pages([[maybe_unused]] void *memory, [[maybe_unused]] uint64_t bytes) {
#if defined(MADV_HUGEPAGE)
    const uint64_t address = (uint64_t)(uintptr_t)memory, first = whole_pages(address), end = (address + bytes) / LARGE_PAGE * LARGE_PAGE;
    if (first < end) madvise((void *)(uintptr_t)first, end - first, MADV_HUGEPAGE);
#endif
}
