// NumPy's shuffle: the stream of numpy.random.RandomState, the Mersenne Twister of Matsumoto and
// Nishimura (1998), and the order that its shuffle of a vector draws from it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "host/team.hpp"

namespace glassnet {

// The state is the caller's, as get_state() gives it: 624 words, and how many of them are used up.
class MersenneTwister {
  static constexpr int N = 624, M = 397;
  std::uint32_t* const key;
  std::int64_t& used;
  std::uint32_t words[N];

  static std::uint32_t twist(std::uint32_t a, std::uint32_t b, std::uint32_t far) {
    const std::uint32_t mixed = (a & 0x80000000u) | (b & 0x7fffffffu);
    return far ^ (mixed >> 1) ^ (-(mixed & 1u) & 0x9908b0dfu);
  }
  // In three loops, whose steps do not wait for each other.
  void next_words() {
    for (int i = 0; i < N - M; ++i) key[i] = twist(key[i], key[i + 1], key[i + M]);
    for (int i = N - M; i < N - 1; ++i) key[i] = twist(key[i], key[i + 1], key[i + M - N]);
    key[N - 1] = twist(key[N - 1], key[0], key[M - 1]);
    used = 0;
  }
  void temper() {
    for (int i = 0; i < N; ++i) {
      std::uint32_t y = key[i];
      y ^= y >> 11;
      y ^= (y << 7) & 0x9d2c5680u;
      y ^= (y << 15) & 0xefc60000u;
      words[i] = y ^ (y >> 18);
    }
  }

 public:
  MersenneTwister(std::uint32_t* key, std::int64_t& used) : key(key), used(used) { temper(); }

  // values[0 .. n] in a new order: for i from n - 1 down to 1, swaps i with a number drawn from 0 .. i,
  // by masking words to the bits of i until one is not above it. A word that is too large swaps i with
  // itself, since a jump that half of the words take would cost more than the swap.
  void shuffle(std::uint32_t* values, std::size_t n) {
    if (n < 2) return;
    std::size_t i = n - 1;
    std::uint32_t mask = ~0u >> __builtin_clz(std::uint32_t(i));
    while (i > 0) {
      if (used >= N) {
        next_words();
        temper();
      }
      std::int64_t at = used;
      // The mask is right for all i above half of it.
      while (at < N && i > mask >> 1) {
        const std::uint32_t drawn = words[at++] & mask;
        const bool taken = drawn <= i;
        const std::size_t j = taken ? drawn : i;
        const std::uint32_t moved = values[i];
        values[i] = values[j];
        values[j] = moved;
        i -= taken;
      }
      used = at;
      if (i <= mask >> 1) mask >>= 1;
    }
  }
};

// An epoch's order, and the stream that the next one is drawn from.
struct Order {
  const std::uint32_t* rows;
  const std::uint32_t* key;
  std::int64_t used;
};

// Draws the next epoch's order on a thread that has nothing else to do, while this epoch's is in use.
// Whoever comes first draws: a thread that lacks a core holds nobody up. Orders stay where they were drawn, in
// turns in one of two places: to copy one between cores takes as long as a small network's epoch.
class Ahead {
  struct Place {
    std::vector<std::uint32_t> rows;
    std::uint32_t key[624];
    std::int64_t used = 0;
    Order order() const { return {rows.data(), key, used}; }
  };
  Place places[2];
  Order from{};  // the order that the next one is drawn from
  // The caller's own: the orders asked for, and whether the last of them is still to be taken.
  std::size_t wanted = 0;
  bool pending = false;
  std::atomic<std::size_t> asked{0}, begun{0}, drawn{0};
  static constexpr std::size_t OVER = std::size_t(-1);

  Place& other(const std::uint32_t* rows) { return places[rows == places[0].rows.data()]; }

  // What is asked for after `done`. An epoch of a small network is over before a thread that sleeps has woken.
  std::size_t next(std::size_t done) {
    using Clock = std::chrono::steady_clock;
    for (const auto began = Clock::now(); Clock::now() - began < std::chrono::milliseconds(1);)
      for (int spins = 0; spins < 100; ++spins) {
        const std::size_t number = asked.load(std::memory_order_acquire);
        if (number != done) return number;
        relax();
      }
    asked.wait(done);
    return asked.load();
  }

 public:
  explicit Ahead(std::size_t n) {
    for (Place& place : places) place.rows.resize(n);
  }

  // Few samples are shuffled sooner than handed over; of very many two orders more take memory.
  static bool worthwhile(std::size_t n) { return n >= 4096 && n <= (std::size_t(1) << 22); }

  // The helper's whole work.
  void serve() {
    for (std::size_t done = 0;;) {
      const std::size_t number = next(done);
      if (number == OVER) return;
      std::size_t expected = number - 1;
      if (begun.compare_exchange_strong(expected, number)) {
        Place& to = other(from.rows);
        std::copy_n(from.rows, to.rows.size(), to.rows.data());
        std::copy_n(from.key, 624, to.key);
        to.used = from.used;
        MersenneTwister(to.key, to.used).shuffle(to.rows.data(), to.rows.size());
        drawn.store(number, std::memory_order_release);
      }
      done = number;
    }
  }
  // For the order after this one, which stays as it is until that is taken.
  void ask(const Order& now) {
    from = now;
    pending = true;
    asked.store(++wanted);
    asked.notify_one();
  }
  void end() {
    asked.store(OVER);
    asked.notify_one();
  }
  // Whether there is the order asked for, which then takes the place of `now`. False where none was, or the
  // helper has not begun it: then the caller is to draw.
  bool take(Order& now) {
    if (!std::exchange(pending, false)) return false;
    std::size_t expected = wanted - 1;
    if (begun.compare_exchange_strong(expected, wanted)) return false;
    while (drawn.load(std::memory_order_acquire) != wanted) std::this_thread::yield();
    now = other(now.rows).order();
    return true;
  }
};

}  // namespace glassnet
