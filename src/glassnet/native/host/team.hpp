// Starts threads that live for one call, and holds the barrier where they meet.
//
// No thread outlives the call that started it: a process may fork between calls, and several Python
// threads may each be in a call of their own.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace glassnet {

// Between two looks of a thread that spins.
inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Spins, since an iteration is shorter than a sleep; yields when the others seem to lack a core.
class Barrier {
  std::atomic<int> waiting{0}, round{0};
  std::atomic<std::int64_t> yielded{0};  // nanoseconds

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
    for (int spins = 0; spins < 300; ++spins) {
      if (round.load(std::memory_order_acquire) != mine) return;
      relax();
    }
    const auto began = std::chrono::steady_clock::now();
    while (round.load(std::memory_order_acquire) == mine) std::this_thread::yield();
    if (mine == 0) return;  // a core that slept may take milliseconds to wake: nobody else has it
    yielded.fetch_add((std::chrono::steady_clock::now() - began) / std::chrono::nanoseconds(1),
                      std::memory_order_relaxed);
  }

  // The seconds that its members have yielded, all of them together, but for the first wait.
  double seconds_yielded() const { return 1e-9 * double(yielded.load()); }
};

// How many threads to take where other programs want the cores too. Threads that wait for one which has
// no core lose more than they give; a call that did is followed by some on one thread, ever more of
// them, until a call goes well.
class Crowd {
  std::atomic<int> alone{0}, patience{0};

 public:
  Crowd() = default;
  Crowd(const Crowd&) noexcept {}  // whoever holds one can be moved; it has seen nothing then
  int allow(int wanted) {
    if (wanted == 1 || alone.load(std::memory_order_relaxed) <= 0) return wanted;
    alone.fetch_sub(1, std::memory_order_relaxed);
    return 1;
  }
  // A call of so many threads and seconds, of which they yielded some together.
  void report(int threads, double seconds, double yielded) {
    if (threads == 1) return;
    const bool crowded = yielded > 0.2 * seconds * threads;
    const int next = crowded ? std::min(31, 2 * patience.load(std::memory_order_relaxed) + 1) : 0;
    patience.store(next, std::memory_order_relaxed);
    alone.store(next, std::memory_order_relaxed);
  }
};

// How many threads to take where they meet several times in each update: all that are wanted, then one,
// then whichever was faster, and ever more rarely the other one again; one thread is not tried again where it is
// clearly slower, since no other program can make it faster. Whether threads pay there depends on how
// fast cores reach each other's caches, which nothing tells but the clock.
class Contest {
  // Seconds of an update by one thread and by all; 0: not known yet.
  std::atomic<double> alone{0}, together{0};
  std::atomic<int> patience{1}, left{1};

 public:
  Contest() = default;
  Contest(const Contest&) noexcept {}  // as Crowd's
  int allow(int wanted) {
    const double one = alone.load(std::memory_order_relaxed), all = together.load(std::memory_order_relaxed);
    if (wanted == 1 || all == 0) return wanted;
    if (one == 0) return 1;
    bool take_all = all <= one;
    if (one > 1.15 * all) return wanted;
    if (left.fetch_sub(1, std::memory_order_relaxed) <= 0) {
      const int next = std::min(64, 2 * patience.load(std::memory_order_relaxed));
      patience.store(next, std::memory_order_relaxed);
      left.store(next, std::memory_order_relaxed);
      take_all = !take_all;
    }
    return take_all ? wanted : 1;
  }
  // A call by as many threads as were allowed. One whose core was taken for once tells little.
  void report(bool by_all, double seconds, double updates) {
    if (updates <= 0) return;
    std::atomic<double>& pace = by_all ? together : alone;
    const double now = seconds / updates, before = pace.load(std::memory_order_relaxed);
    pace.store(before == 0 ? now : std::min(now, 1.25 * before), std::memory_order_relaxed);
  }
};

// Treats subnormal numbers as 0 while it lives: near saturation they cost far more than they tell.
// The thread's own setting comes back afterwards.
class FlushSubnormals {
#if defined(__x86_64__)
  using Setting = unsigned;
  static constexpr Setting FLUSH = 0x8040;
  static Setting get() { return _mm_getcsr(); }
  static void set(Setting to) { _mm_setcsr(to); }
#elif defined(__aarch64__)
  using Setting = std::uint64_t;
  static constexpr Setting FLUSH = 1u << 24;
  static Setting get() {
    Setting now;
    asm volatile("mrs %0, fpcr" : "=r"(now));
    return now;
  }
  static void set(Setting to) { asm volatile("msr fpcr, %0" ::"r"(to)); }
#else
  using Setting = int;
  static constexpr Setting FLUSH = 0;
  static Setting get() { return 0; }
  static void set(Setting) {}
#endif
  const Setting own = get();

 public:
  FlushSubnormals() { set(own | FLUSH); }
  ~FlushSubnormals() { set(own); }
  FlushSubnormals(const FlushSubnormals&) = delete;

  // f() with the thread's own setting: f is not the engine's, and does not throw.
  template <class F> auto pause(const F& f) const {
    set(own);
    const auto result = f();
    set(own | FLUSH);
    return result;
  }
};

// Runs body(thread, barrier) on up to `wanted` threads, the caller being thread 0. Where the system has no
// more threads, or no memory for one, fewer run. `body` must not throw. Gives the seconds that threads yielded.
template <class Body> double run_team(int wanted, const Body& body) {
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
    } catch (const std::exception&) {
      break;
    }
  }
  barrier.members = int(threads.size()) + 1;
  go = true;
  go.notify_all();
  body(0, barrier);
  for (auto& thread : threads) thread.join();
  return barrier.seconds_yielded();
}

}  // namespace glassnet
