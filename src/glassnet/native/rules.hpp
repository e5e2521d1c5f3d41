#pragma once
#include <cstddef>
#include <cstdint>
namespace glassnet {
enum class Optimizer : std::uint8_t { sgd, adam };
inline constexpr const char* OPTIMIZER_NAMES[] = {"sgd","adam"};
struct Rule { Optimizer kind; double coefficients[6]; bool flag; double weight_decay; double clip_value, clip_norm; double l1, l2, max_norm; };
template <class T> struct Step { const Rule* rule; double rate; std::int64_t t; double scale; T* theta; T* state; std::size_t stride; const T* gradient; const T* mask; };
template <class T> struct Updates {
  void (*update)(const Step<T>&, std::size_t begin, std::size_t end);
  double (*penalize)(const Rule&, const T* theta, const T* mask, T* gradient, std::size_t begin, std::size_t end);
  double (*clip)(const Rule&, T* gradient, std::size_t begin, std::size_t end);
};
inline constexpr std::size_t RANGE = 4096;
}
