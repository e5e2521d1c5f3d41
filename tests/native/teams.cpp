// Teams where the system has no memory for as many threads as wanted.
#include "host/team.hpp"

#include <cstdlib>
#include <new>

#include "checks.hpp"

namespace {

// Allocations that this thread may still make; below 0, any number.
thread_local int left = -1;

}  // namespace

void* operator new(std::size_t size) {
  void* const memory = left == 0 ? nullptr : std::malloc(size > 0 ? size : 1);
  if (!memory) throw std::bad_alloc();
  if (left > 0) --left;
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace glassnet {

namespace {

std::uint64_t run_some(int threads) {
  // The team's list first, then each thread's start.
  for (int allowed = 1; allowed <= threads; ++allowed) {
    std::atomic<int> met{0};
    int members = 0;
    left = allowed;
    run_team(threads, [&](int thread, Barrier& barrier) {
      left = -1;
      if (thread == 0) members = barrier.members;
      met.fetch_add(1);
      barrier.wait();
    });
    require(members == (threads == 1 ? 1 : std::min(threads, allowed)), "not as many threads as there is memory for");
    require(met == members, "not every member ran");
  }
  return 0;
}

}  // namespace

std::vector<Check> teams() {
  return {{"team without memory", [](const char*, int threads, int) { return run_some(threads); }}};
}

}  // namespace glassnet
