// The pass through networks of one hidden layer and one output that stands for two classes: few inputs, a
// logistic or tanh layer, binary cross-entropy, samples without weights.
//
// Such a network is so small that the number of operations which may wait for their operands at a time limits it. So each loop is a pipeline: one round does a step of one line, the step before of the next line, and
// so on, and what a step leaves for the next stays in registers. A store to the panels takes the place of two
// multiplications, so there are two loops: hidden units, then the output with the sums of the gradient.
//
// The arithmetic is that of the general pass in fewer operations:
//   e^x is 2^(x / ln 2), and 1 / ln 2 goes into the weights of Z: there is nothing to take off but whole numbers.
//   With a = R - r and b = 2^n (R + r), e^x = b / a and 1 / (1 + e^-x) = b / (a + b); the sum of logarithms
//   of 1 + e^-|z| is that of the products of a + b and of a.
//   For one output, dJ/dZ of a hidden unit is w delta h (1 - h): w is multiplied once, with the sums.
#pragma once

#include "kernels/heads.hpp"
#include "kernels/pipeline.hpp"

namespace glassnet::GLASSNET_ISA {

// 2^r = (R + r) / (R - r) with R = r coth(r ln(2) / 2), a polynomial in r^2.
template <class T> struct Binary;
template <> struct Binary<double> {
  static constexpr double coth[] = {2.8853900817779268147,      0.11552453009332418272,    -0.00092506847773992320846,
                                    0.000010582188777752094845, -1.2710356717175276604e-7, 1.5304696820220215740e-9};
  static constexpr double largest = 1021;
};
template <> struct Binary<float> {
  static constexpr float coth[] = {2.8853900817779268147f, 0.115524447624983165816f, -0.000922429600402806162845f};
  static constexpr float largest = 125;
};

// 2^x = scale 2^r with |r| <= 1/2, for |x| <= largest.
template <class P> GLASSNET_INLINE Reduced<P> reduce_binary(const P& x) {
  using C = Constants<typename P::Scalar>;
  P rounded = x + P::all(C::rounder);
  return {shift_left<C::mantissa>(rounded), x - (rounded - P::all(C::rounder))};
}

template <class P> GLASSNET_INLINE Ratio<P> binary_ratio(const Reduced<P>& x) {
  constexpr auto& c = Binary<typename P::Scalar>::coth;
  P t = x.r * x.r, p = P::all(c[std::size(c) - 1]);
  for (int i = int(std::size(c)) - 2; i >= 0; --i) p = fma(p, t, P::all(c[i]));
  return {x.scale, x.r, p};
}

// Sums of log((a + b) / a) and of linear parts, in units of ln 2, per lane.
template <class T> class OddsSum {
  using P = Pack<T, 1>;
  P linear = P::all(0), over = P::all(1), under = P::all(1);
  static constexpr int room = int(Constants<T>::product_bits / 2.6);  // a + b is below 2^2.6
  int left = room;

 public:
  GLASSNET_INLINE void add(const P& part, const P& above, const P& below) {
    if (left == 0) flush();
    --left;
    linear = linear + part;
    over = over * above;
    under = under * below;
  }
  void flush() {
    linear = fma(log(over / under), P::all(Constants<T>::log2e), linear);
    over = under = P::all(1);
    left = room;
  }
  double total() {
    flush();
    return double(lane_sum(linear.v)) * Constants<double>::ln2_hi;
  }
};

// The pass over one block, as BlockPass.
template <class T> class ShallowPass {
  using P = Pack<T, 1>;
  const Plan<T>& plan;
  const std::size_t inputs, units, rows, padded, full, stride;
  const T *const W, *const b, *const w, *const out;  // W1, b1, W2, b2
  const T *const X, *const Y;
  T *const H, *const D;
  double* const gradient;
  static constexpr std::size_t MOST = 64;                // units
  static constexpr int UNITS = REGISTERS >= 32 ? 3 : 1;  // that go through a loop together

 public:
  static bool takes(const Plan<T>& plan) {
    return plan.layers == 2 && plan.widths[0] <= NARROW && plan.widths[1] <= MOST && plan.widths[2] == 1 &&
           plan.loss == Loss::binary_cross_entropy && plan.activations[0] <= Activation::tanh && !plan.weighted &&
           plan.min_probability == 0 && !plan.masks.layers;
  }
  ShallowPass(const Plan<T>& plan, const T* parameters, std::size_t block, T* scratch, double* gradient)
      : plan(plan),
        inputs(plan.widths[0]),
        units(plan.widths[1]),
        rows(samples_in(plan, block)),
        padded((rows + LANES<T> - 1) / LANES<T> * LANES<T>),
        full(rows / LANES<T> * LANES<T>),
        stride(plan.block),
        W(parameters),
        b(W + inputs * units),
        w(b + units),
        out(w + units),
        X(plan.X + block * inputs * stride),
        Y(plan.Y + block * stride),
        H(scratch),
        D(scratch + units * stride),
        gradient(gradient) {}

  double run() {
    if (rows == 0) return 0;
    if (plan.activations[0] == Activation::logistic) return run<Logistic>();
    return run<Tanh>();
  }

 private:
  template <class A> double run() {
    double loss = 0;
    with_narrow(inputs, [&](auto n) {
      for (std::size_t u = 0; u < units; u += UNITS)
        with_number<UNITS>(units - u, [&](auto m) { hidden<A, n.value, m.value>(u); });
      if (gradient && units <= UNITS) {
        with_number<UNITS>(units, [&](auto m) { loss = head<A, n.value, m.value>(); });
        return;
      }
      loss = head<A, 1, 0>();
      if (gradient)
        for (std::size_t u = 0; u < units; u += UNITS)
          with_number<UNITS>(units - u, [&](auto m) { back<A, n.value, m.value>(u); });
    });
    return loss;
  }

  // h of `U` units from u on.
  template <class A, int N, int U> void hidden(std::size_t u) {
    constexpr bool logistic = std::is_same_v<A, Logistic>;
    constexpr T factor = Constants<T>::log2e * (logistic ? -1 : 2), most = Binary<T>::largest;
    using Units = Pack<T, U>;
    constexpr int G = GROUP<T>;
    Vec<T> k[U][N], c[U];
#pragma GCC unroll 4
    for (int j = 0; j < U; ++j) {
      c[j] = Vec<T>::all(b[u + j] * factor);
#pragma GCC unroll 4
      for (int i = 0; i < N; ++i) k[j][i] = Vec<T>::all(W[i * units + u + j] * factor);
    }
    Pipeline<T>::run(
        0, padded,
        [&](std::size_t s) GLASSNET_LAMBDA {
          Vec<T> x[N][G];
#pragma GCC unroll 4
          for (int i = 0; i < N; ++i)
#pragma GCC unroll 8
            for (int g = 0; g < G; ++g) x[i][g] = Vec<T>::load(X + i * stride + s + g * Vec<T>::width);
          return Units::make([&](int v) GLASSNET_LAMBDA {
            Vec<T> z = c[v / G];
#pragma GCC unroll 4
            for (int i = 0; i < N; ++i) z = fma(k[v / G][i], x[i][v % G], z);
            return min(Vec<T>::all(most), max(Vec<T>::all(-most), z));
          });
        },
        [](const Units& z, std::size_t) GLASSNET_LAMBDA { return reduce_binary(z); },
        [](const Reduced<Units>& x, std::size_t) GLASSNET_LAMBDA { return binary_ratio(x); },
        [&](const Ratio<Units>& e, std::size_t s) GLASSNET_LAMBDA {
          Units h;
          if constexpr (logistic) {
            Units below = e.R - e.r;
            h = below / fma(e.scale, e.R + e.r, below);
          } else {
            h = A::last(e);
          }
          Units::make([&](int v) GLASSNET_LAMBDA {
            return h.v[v].store(H + (u + v / G) * stride + s + v % G * Vec<T>::width), h.v[v];
          });
        });
  }

  // The sums of the gradient for units u .. u + U.
  template <class A, int N, int U> struct Sums {
    LaneSum<T> weights[N][U], bias[U], outer[U];
    GLASSNET_INLINE void add(const ShallowPass& of, std::size_t u, const P& d, std::size_t s) {
      P x[N];
#pragma GCC unroll 4
      for (int i = 0; i < N; ++i) x[i] = P::load(of.X + i * of.stride + s);
#pragma GCC unroll 4
      for (int j = 0; j < U; ++j) {
        P h = P::load(of.H + (u + j) * of.stride + s), hd = h * d;
        P e = std::is_same_v<A, Logistic> ? fnma(h, hd, hd) : fnma(h, hd, d);
        outer[j].add(hd);
        bias[j].add(e);
#pragma GCC unroll 4
        for (int i = 0; i < N; ++i) weights[i][j].add_product(x[i], e);
      }
    }
    void total(const ShallowPass& of, std::size_t u) const {
      double* const to = of.gradient + u;
#pragma GCC unroll 4
      for (int j = 0; j < U; ++j) {
        const double by = double(of.w[u + j]);
#pragma GCC unroll 4
        for (int i = 0; i < N; ++i) to[i * of.units + j] += by * weights[i][j].total();
        to[of.inputs * of.units + j] += by * bias[j].total();
        to[(of.inputs + 1) * of.units + j] += outer[j].total();
      }
    }
  };

  // The loss and the errors. Where all units are `U`, the gradient's sums as well.
  template <class A, int N, int U> double head() {
    alignas(64) T k[MOST];
    for (std::size_t u = 0; u < units; ++u) k[u] = w[u] * Constants<T>::log2e;
    const T bias = out[0] * Constants<T>::log2e;
    OddsSum<T> odds;
    LaneSum<T> errors;
    Sums<A, N, U> sums;
    struct Began {
      P z;
      Reduced<P> e;
    };
    struct Half {
      P z;
      Ratio<P> e;
    };
    struct Fraction {
      P above, below;
    };
    Pipeline<T>::run(
        0, full,
        [&](std::size_t s) GLASSNET_LAMBDA {
          P z = P::all(bias);
          if constexpr (U > 0) {
#pragma GCC unroll 4
            for (int u = 0; u < U; ++u) z = fma(P::all(k[u]), P::load(H + u * stride + s), z);
          } else {
            for (std::size_t u = 0; u < units; ++u) z = fma(P::all(k[u]), P::load(H + u * stride + s), z);
          }
          return z;
        },
        [](const P& z, std::size_t) GLASSNET_LAMBDA {
          return Began{z, reduce_binary(max(P::all(-Binary<T>::largest), bit_or(z, P::all(T(-0.0)))))};
        },
        [](const Began& x, std::size_t) GLASSNET_LAMBDA { return Half{x.z, binary_ratio(x.e)}; },
        [&](const Half& x, std::size_t s) GLASSNET_LAMBDA {
          const P zero = P::all(0), y = P::load(Y + s);
          P below = x.e.R - x.e.r, above = x.e.scale * (x.e.R + x.e.r), both = above + below;
          odds.add(fnma(y, x.z, max(zero, x.z)), both, below);
          return Fraction{if_ge(x.z, zero, below, above), both};
        },
        [&](const Fraction& x, std::size_t s) GLASSNET_LAMBDA {
          P d = x.above / x.below - P::load(Y + s);
          if constexpr (U == 0) d.store(D + s);
          return d;
        },
        [&](const P& d, std::size_t s) GLASSNET_LAMBDA {
          errors.add(d);
          if constexpr (U > 0) sums.add(*this, 0, d, s);
        });
    double loss = odds.total();
    if (full < padded) {
      P z = P::all(out[0]);
      for (std::size_t u = 0; u < units; ++u) z = fma(P::all(w[u]), P::load(H + u * stride + full), z);
      z.store(D + full);
      const Lines<T> lines(full, padded, rows, nullptr);
      loss += binary_cross_entropy<T, true>(D, Y, lines.slow, errors);
      if constexpr (U > 0) sums.add(*this, 0, P::load(D + full), full);
    }
    if constexpr (U > 0) sums.total(*this, 0);
    if (gradient) gradient[(inputs + 2) * units] += errors.total();
    return loss;
  }

  template <class A, int N, int U> void back(std::size_t u) {
    Sums<A, N, U> sums;
    for (std::size_t s = 0; s < padded; s += LANES<T>) sums.add(*this, u, P::load(D + s), s);
    sums.total(*this, u);
  }
};

}  // namespace glassnet::GLASSNET_ISA
