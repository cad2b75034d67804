// The entry points of GCC's OpenMP library that the kernels use, in C++ threads that the thread sanitizer understands.
//
// It does not know the real library's barriers and would report every parallel region. Linked into a driver, these serve instead. Nothing
// orders two threads here but what OpenMP promises: the start and end of a region and its barriers. Iterations are dealt without order.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr int MOST_LOOPS = 16;  // in one region

struct Team {
    explicit Team(int size) : size(size) {
        for (auto &next : dealt) next.store(0, std::memory_order_relaxed);
    }
    const int size;
    std::atomic<long> dealt[MOST_LOOPS];  // iterations of each loop that some thread has taken
    std::mutex mutex;
    std::condition_variable complete;
    int waiting = 0;
    long barriers = 0;

    void barrier() {
        std::unique_lock<std::mutex> lock(mutex);
        const long mine = barriers;
        if (++waiting == size) {
            waiting = 0, barriers++;
            complete.notify_all();
        } else {
            complete.wait(lock, [&] { return barriers != mine; });
        }
    }
};

struct Loop {
    long start, end, step, chunk;
};

// A thread's place: its team, how many loops it has met there, and the bounds of the one it is in.
thread_local Team *team = nullptr;
thread_local int loops = 0;
thread_local Loop loop;

bool take(long *first, long *last) {
    const long count = (loop.end - loop.start + loop.step - 1) / loop.step;
    const long at = team->dealt[loops - 1].fetch_add(loop.chunk, std::memory_order_relaxed);
    if (at >= count) return false;
    *first = loop.start + at * loop.step;
    *last = loop.start + (at + loop.chunk < count ? at + loop.chunk : count) * loop.step;
    return true;
}

void run(void (*body)(void *), void *data, unsigned size, int first_loop, Loop bounds) {
    Team *const outer = team;
    const int outer_loops = loops;
    const Loop outer_loop = loop;
    Team here((int)size);
    const auto work = [&] {
        team = &here, loops = first_loop, loop = bounds;
        body(data);
    };
    std::vector<std::thread> others;
    for (unsigned t = 1; t < size; t++) others.emplace_back(work);
    work();
    for (std::thread &other : others) other.join();
    team = outer, loops = outer_loops, loop = outer_loop;
}

}  // namespace

#pragma GCC visibility push(default)  // so that they come before the library's
extern "C" {

void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned) { run(body, data, threads == 0 ? 1 : threads, 0, {}); }

void GOMP_parallel_loop_nonmonotonic_dynamic(
    void (*body)(void *), void *data, unsigned threads, long start, long end, long step, long chunk, unsigned) {
    run(body, data, threads == 0 ? 1 : threads, 1, {start, end, step, chunk});
}

bool GOMP_loop_nonmonotonic_dynamic_start(long start, long end, long step, long chunk, long *first, long *last) {
    if (++loops > MOST_LOOPS) __builtin_trap();
    loop = {start, end, step, chunk};
    return take(first, last);
}

bool GOMP_loop_nonmonotonic_dynamic_next(long *first, long *last) { return take(first, last); }

void GOMP_loop_end() { team->barrier(); }

void GOMP_loop_end_nowait() {}

void GOMP_barrier() { team->barrier(); }
}
