// Dropout: hidden units are left out at random, by masks that a counter tells (see Masks in plan.hpp).
//
// The generator is Philox4x64-10 (Salmon, Moraes, Dror and Shaw, 2011), as numpy.random.Philox has it: a
// block of eight words is a function of key and counter alone, so that every block of samples, on any
// thread, draws its own rows of a mask.
#pragma once

#include "kernels/math.hpp"

namespace glassnet::GLASSNET_ISA {

// Words of a block: four of 64 bits, each the lower half first.
inline constexpr std::size_t MASK_WORDS = 8;

GLASSNET_INLINE std::uint64_t multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& high) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  high = std::uint64_t(product >> 64);
  return std::uint64_t(product);
}

// The block of the counter (c0, c1, c2, 0) under the key (key, 0).
GLASSNET_INLINE void philox(std::uint64_t key, std::uint64_t c0, std::uint64_t c1, std::uint64_t c2,
                            std::uint32_t* words) {
  std::uint64_t c3 = 0, other = 0;
  for (int round = 0; round < 10; ++round) {
    std::uint64_t high0, high2;
    const std::uint64_t low0 = multiply(0xD2E7470EE14C6C93, c0, high0);
    const std::uint64_t low2 = multiply(0xCA5A826395121157, c2, high2);
    c0 = high2 ^ c1 ^ key;
    c1 = low2;
    c2 = high0 ^ c3 ^ other;
    c3 = low0;
    key += 0x9E3779B97F4A7C15;
    other += 0xBB67AE8584CAA73B;
  }
  const std::uint64_t all[] = {c0, c1, c2, c3};
  for (int i = 0; i < 4; ++i) {
    words[2 * i] = std::uint32_t(all[i]);
    words[2 * i + 1] = std::uint32_t(all[i] >> 32);
  }
}

// A unit's n outputs h and derivatives `slope`, from sample `first` of the batch on, times its mask.
template <class T>
void drop(const Masks& masks, std::size_t layer, std::size_t unit, std::size_t first, std::size_t n, T* h,
          T* slope) {
  constexpr std::size_t room = 32 * MASK_WORDS;
  std::uint32_t words[room];
  const Drop& layer_drop = masks.layers[layer - 1];
  const std::uint32_t last_dropped = std::uint32_t(layer_drop.threshold - 1);
  const T scale = T(layer_drop.scale);
  std::uint64_t at = std::uint64_t(unit) * masks.samples + first;
  for (std::size_t s = 0; s < n;) {
    const std::size_t skip = at % MASK_WORDS;
    const std::size_t count = n - s < room - skip ? n - s : room - skip;
    for (std::size_t w = 0; w < skip + count; w += MASK_WORDS)
      philox(masks.seed, (at + w) / MASK_WORDS + 1, layer, masks.number, words + w);
    for (std::size_t i = 0; i < count; ++i) {
      const T factor = words[skip + i] > last_dropped ? scale : T(0);
      h[s + i] *= factor;
      slope[s + i] *= factor;
    }
    s += count;
    at += count;
  }
}

}  // namespace glassnet::GLASSNET_ISA
