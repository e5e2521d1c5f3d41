// The order of an epoch against a plain one: words from the standard library's generator, one jump each.
#include "host/shuffle.hpp"

#include <numeric>
#include <random>

#include "checks.hpp"

namespace glassnet {

namespace {

void plain_shuffle(std::mt19937& generator, std::vector<std::uint32_t>& values) {
  for (std::size_t i = values.size(); i-- > 1;) {
    std::uint32_t mask = 1;
    while (mask < i) mask = 2 * mask + 1;
    std::uint32_t drawn;
    do drawn = std::uint32_t(generator()) & mask;
    while (drawn > i);
    std::swap(values[i], values[drawn]);
  }
}

// The generator's first state (Matsumoto and Nishimura, 2002).
std::vector<std::uint32_t> key_of(std::uint32_t seed) {
  std::vector<std::uint32_t> key{seed};
  for (std::uint32_t i = 1; i < 624; ++i) key.push_back(1812433253u * (key.back() ^ key.back() >> 30) + i);
  return key;
}

std::uint64_t shuffle_some(std::size_t n) {
  const std::uint32_t seed = std::uint32_t(n) + 5;
  std::mt19937 generator(seed);
  std::vector<std::uint32_t> key = key_of(seed), values(n), expected(n);
  std::int64_t used = 624;
  std::iota(values.begin(), values.end(), 0);
  expected = values;
  Hash hash;
  // Each goes on where the one before it left the state, within its words or at their end.
  for (int round = 0; round < 5; ++round) {
    MersenneTwister(key.data(), used).shuffle(values.data(), n);
    plain_shuffle(generator, expected);
    require(values == expected, "not the order of the plain shuffle");
    hash.add(values);
  }
  hash.add(key);
  return hash.value();
}

}  // namespace

std::vector<Check> shuffles() {
  std::vector<Check> all;
  for (std::size_t n : {0, 1, 2, 3, 4, 5, 8, 9, 63, 64, 65, 311, 312, 313, 623, 624, 625, 1024, 1025, 70001})
    all.push_back({"shuffle n=" + std::to_string(n), [n](const char*, int, int) { return shuffle_some(n); }});
  return all;
}

}  // namespace glassnet
