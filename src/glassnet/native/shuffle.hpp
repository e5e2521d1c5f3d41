// NumPy's shuffle: the stream of numpy.random.RandomState, the Mersenne Twister of Matsumoto and
// Nishimura (1998), and the order that its shuffle of a vector draws from it.
#pragma once

#include <cstddef>
#include <cstdint>

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
  // In pieces whose steps do not wait for each other.
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

}  // namespace glassnet
