// What the driver's checks are made of: numbers that are the same on every machine, a hash of results,
// and the lists of checks.
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "host/plan.hpp"

namespace glassnet {

// splitmix64 (Steele, Lea and Flood, 2014).
class Random {
  std::uint64_t state;

 public:
  explicit Random(std::uint64_t seed) : state(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double uniform() { return double(bits() >> 11) * 0x1p-53; }  // from 0 to 1
};

// FNV-1a.
class Hash {
  std::uint64_t state = 0xcbf29ce484222325;

 public:
  template <class T> void add(const std::vector<T>& values) {
    for (T value : values) {
      // Which of the many NaN comes out is nobody's promise.
      if constexpr (std::is_floating_point_v<T>)
        if (value != value) value = 0;
      const auto* bytes = reinterpret_cast<const unsigned char*>(&value);
      for (std::size_t i = 0; i < sizeof(T); ++i) state = (state ^ bytes[i]) * 0x100000001b3;
    }
  }
  std::uint64_t value() const { return state; }
};

// Data for a network, and parameters to begin with.
template <class T> struct Data {
  std::vector<T> X, Y, w;
  std::vector<std::int64_t> labels;

  template <class Shape> Data(const Shape& shape, Random& random) {
    const std::size_t n = shape.samples, inputs = shape.sizes[0], outputs = shape.sizes.back();
    X.resize(n * inputs), Y.resize(n * outputs), w.resize(n), labels.resize(n);
    for (T& x : X) x = T(4 * random.uniform() - 2);
    for (T& y : Y) y = T(random.uniform() / double(outputs));
    for (T& x : w) x = T(2 * random.uniform());
    for (auto& label : labels) label = std::int64_t(random.bits() % outputs);
  }
  template <class Shape, class Net>
  void put(const Shape& shape, Net& net, std::size_t start, std::size_t rows) const {
    net.put(start, rows, X.data() + start * shape.sizes[0], shape.labels ? labels.data() + start : nullptr,
            Y.data() + start * shape.sizes.back(), shape.weighted ? w.data() + start : nullptr);
  }
};

template <class T> std::vector<T> some_parameters(std::size_t n, double scale, Random& random) {
  std::vector<T> theta(n);
  for (T& value : theta) value = T(scale * (2 * random.uniform() - 1));
  return theta;
}

// One thing to compare: its results' hash is to be the same for every instruction set and number of
// threads. It throws where it sees by itself that something is wrong.
struct Check {
  std::string name;
  std::function<std::uint64_t(const char* isa, int threads, int iterations)> run;
};

inline void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

// The same in both precisions: make(T()) gives a check for T.
template <class Make> void in_both(std::vector<Check>& all, const Make& make) {
  all.push_back(make(double()));
  all.push_back(make(float()));
}
template <class T> const char* precision() { return sizeof(T) == 8 ? "float64" : "float32"; }

// Each list is a file.
std::vector<Check> descents();
std::vector<Check> curvatures();
std::vector<Check> searches();
std::vector<Check> batches();
std::vector<Check> predictions();
std::vector<Check> functions();
std::vector<Check> shuffles();
std::vector<Check> teams();

}  // namespace glassnet
