// Threads that live for one call, and the barrier they meet at.
//
// No thread outlives the call that started it: a process may fork between calls, and several Python
// threads may each be in a call of their own.
#pragma once

#include <atomic>
#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace glassnet {

// Spins, since an iteration is shorter than a sleep; yields when the others seem to lack a core.
class Barrier {
  std::atomic<int> waiting{0}, round{0};

 public:
  int members = 1;  // set before the first wait

  void wait() {
    if (members == 1) return;
    const int mine = round.load(std::memory_order_relaxed);
    if (waiting.fetch_add(1, std::memory_order_acq_rel) + 1 == members) {
      waiting.store(0, std::memory_order_relaxed);
      round.store(mine + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round.load(std::memory_order_acquire) == mine; ++spins) {
      if (spins < 4000) {
#if defined(__x86_64__)
        _mm_pause();
#endif
      } else {
        std::this_thread::yield();
      }
    }
  }
};

// Treats subnormal numbers as 0 while it lives: near saturation they cost far more than they tell.
// The thread's own setting comes back afterwards.
class FlushSubnormals {
#if defined(__x86_64__)
  unsigned saved = _mm_getcsr();

 public:
  FlushSubnormals() { _mm_setcsr(saved | 0x8040); }
  ~FlushSubnormals() { _mm_setcsr(saved); }
#elif defined(__aarch64__)
  std::uint64_t saved;

 public:
  FlushSubnormals() {
    asm volatile("mrs %0, fpcr" : "=r"(saved));
    asm volatile("msr fpcr, %0" ::"r"(saved | (1u << 24)));
  }
  ~FlushSubnormals() { asm volatile("msr fpcr, %0" ::"r"(saved)); }
#endif
};

// Runs body(thread, barrier) on up to `wanted` threads, the caller being thread 0. Where the system
// gives fewer threads, fewer run. `body` must not throw.
template <class Body> void run_team(int wanted, const Body& body) {
  Barrier barrier;
  std::atomic<bool> go{false};  // once it is known how many there are
  std::vector<std::thread> threads;
  threads.reserve(wanted - 1);
  for (int t = 1; t < wanted; ++t) {
    try {
      threads.emplace_back([&, t] {
        go.wait(false);
        body(t, barrier);
      });
    } catch (const std::system_error&) {
      break;
    }
  }
  barrier.members = int(threads.size()) + 1;
  go = true;
  go.notify_all();
  body(0, barrier);
  for (auto& thread : threads) thread.join();
}

}  // namespace glassnet
