// The measuring behind rates.hpp, compiled once per instruction set.
//
// An instruction waits for the one before it in its chain, and enough chains run side by side to keep
// every unit busy. The least of many windows of some 20 microseconds counts: other programs and the
// clock of a resting processor only ever make a window longer.
#pragma once

#include <algorithm>
#include <chrono>

#include "kernels/math.hpp"
#include "rates/rates.hpp"

namespace glassnet::GLASSNET_ISA {

// A pack of at least n vectors.
template <class T, int n> using Chains = Pack<T, (n + GROUP<T> - 1) / GROUP<T>>;

inline constexpr int TURNS = 8000;

// `turn` goes through TURNS times per window, with `instructions` of them in each turn. All values come
// from memory and go back there, so that nothing is computed in advance or left out.
template <class T, class A, class B, class Turn>
[[gnu::noinline]] void window(T* a_at, T* b_at, const T* constants, const Turn& turn) {
  const A m = A::all(constants[0]), c = A::all(constants[1]);
  const B d = B::all(constants[1]);
  A a = A::load(a_at);
  B b = B::load(b_at);
  for (int i = 0; i < TURNS; ++i) turn(a, b, m, c, d);
  a.store(a_at);
  b.store(b_at);
}

template <class T, class A, class B, class Turn>
double least_seconds(double seconds, int instructions, const Turn& turn) {
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  alignas(64) T a[A::samples], b[B::samples];
  const T constants[] = {T(0.3), T(1.7)};
  double least = 1;
  for (const auto start = Clock::now(); Seconds(Clock::now() - start).count() < seconds;) {
    std::fill_n(a, A::samples, T(1.3));
    std::fill_n(b, B::samples, T(1.3));
    const auto began = Clock::now();
    window<T, A, B>(a, b, constants, turn);
    least = std::min(least, Seconds(Clock::now() - began).count());
  }
  return least / (double(TURNS) * instructions);
}

template <class T> Rates measure(double seconds) {
  using One = Chains<T, 12>;
  // A fused multiply-add waits for 4 cycles and an addition for 3, on most processors: 3 and 4 turns of
  // 8 and 6 chains take two units each the same time, and fit into 16 registers.
  using Many = Chains<T, 8>;
  using Few = Chains<T, 6>;
  const double each = seconds / 4;
  auto alone = [&](auto step) {
    return least_seconds<T, One, Pack<T, 1>>(
        each, One::vectors,
        [step](auto& a, auto&, const auto& m, const auto& c, const auto&)
            GLASSNET_LAMBDA { a = step(a, m, c); });
  };
  return {Vec<T>::width,
          alone([](const One& a, const One& m, const One& c) GLASSNET_LAMBDA { return fma(a, m, c); }),
          alone([](const One& a, const One&, const One& c) GLASSNET_LAMBDA { return a + c; }),
          alone([](const One& a, const One&, const One& c) GLASSNET_LAMBDA { return c / a; }),
          least_seconds<T, Many, Few>(
              each, 3 * Many::vectors + 4 * Few::vectors,
              [](Many& a, Few& b, const Many& m, const Many& c, const Few& d) GLASSNET_LAMBDA {
                a = fma(a, m, c), b = b + d;
                a = fma(a, m, c), b = b + d;
                a = fma(a, m, c), b = b + d, b = b + d;
              })};
}

}  // namespace glassnet::GLASSNET_ISA
