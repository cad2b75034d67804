// Large pages for working memory that a thread goes through again and again. Small ones lie anywhere in physical memory, and so some sets of
// the second-level cache get more lines than they hold.
#pragma once

#include <stdint.h>

constexpr uint64_t LARGE_PAGE = 2 << 20;

inline uint64_t whole_pages(uint64_t bytes) { return (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE; }

// Asks for large pages where whole ones fit into the memory, best before it is first written. A wish: nothing happens where there are none.
extern "C" __attribute__((visibility("default"))) void af_large_pages(void *memory, uint64_t bytes);
