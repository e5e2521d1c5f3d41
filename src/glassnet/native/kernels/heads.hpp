// The output layer: from its Z to the samples' loss and the error delta = dJ/dZ, side by side.
//
// Each head reads Z at the panel `Z` and leaves delta there. A sample's loss is a linear part plus
// the logarithm of a factor; unweighted, the factors are multiplied up in each lane and one
// logarithm serves many samples. Samples with weights, and the last line where it is not full
// (weight 0 for what is missing), take a logarithm each.
#pragma once

#include "kernels/functions_of_z.hpp"
#include "kernels/matrix.hpp"

namespace glassnet::GLASSNET_ISA {

template <class T> struct Samples {
  std::size_t begin, end;  // whole lines
  const T* weights;        // from sample `origin` on; null where unweighted
  std::size_t origin;

  const T* weights_at(std::size_t s) const { return weights + (s - origin); }
};

// Sums of linear parts and of logarithms of factors, per lane.
template <class T> class LossSum {
  Pack<T, 1> linear = Pack<T, 1>::all(0), product = Pack<T, 1>::all(1);
  int room, used = 0;

 public:
  // `bits`: no factor is above 2^bits. The room is a multiple of every WIDE and ABREAST, so that each
  // instruction set takes its logarithms after the same lines. A room below 12 is one of every WIDE alone:
  // factors of so many bits come in wide packs.
  explicit LossSum(double bits) : room(int(Constants<T>::product_bits / bits)) { room -= room % (room < 12 ? 4 : 12); }
  template <int N> GLASSNET_INLINE void add(Pack<T, N> part, Pack<T, N> factor) {
    if (used + N > room) flush();
    used += N;
    for (int i = 0; i < part.vectors; ++i) {
      Vec<T>&sum = linear.v[i % GROUP<T>], &p = product.v[i % GROUP<T>];
      sum = sum + part.v[i];
      p = p * factor.v[i];
    }
  }
  template <int N> GLASSNET_INLINE void add_weighted(Pack<T, N> weight, Pack<T, N> part, Pack<T, N> factor) {
    Pack<T, N> whole = part + log(factor);
    for (int i = 0; i < part.vectors; ++i)
      linear.v[i % GROUP<T>] = fma(weight.v[i], whole.v[i], linear.v[i % GROUP<T>]);
  }
  void flush() {
    linear = linear + log(product);
    product = Pack<T, 1>::all(1);
    used = 0;
  }
  double total() {
    flush();
    return double(lane_sum(linear.v));
  }
};

// The loops below add into a copy of the sum of errors: one behind a reference would go through memory
// with every vector.

// Binary cross-entropy over the logistic function, for one output:
//   xi = max(z, 0) - y z + log(1 + e^-|z|),   delta = 1 / (1 + e^-z) - y.
template <class T, bool weighted>
double binary_cross_entropy(T* Z, const T* y, Samples<T> samples, LaneSum<T>& bias) {
  LossSum<T> loss(1.0);
  LaneSum<T> errors = bias;
  for_chains<T, ABREAST>(
      samples.begin, samples.end,
      [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
        return reduce_negative(bit_or(pack.load(Z + s), pack.all(T(-0.0))));  // of -|z|
      },
      [](const auto& x) GLASSNET_LAMBDA { return ratio(x); },
      [&](const auto& x, std::size_t s) GLASSNET_LAMBDA {
        using P = std::decay_t<decltype(x.r)>;
        const P zero = P::all(0), one = P::all(1), z = P::load(Z + s), target = P::load(y + s);
        P e = x.scale * (x.R + x.r) / (x.R - x.r), factor = one + e;
        P d = if_ge(z, zero, one, e) / factor - target;
        P part = fnma(target, z, max(zero, z));
        if constexpr (weighted) {
          P w = P::load(samples.weights_at(s));
          d = w * d;
          loss.add_weighted(w, part, factor);
        } else {
          loss.add(part, factor);
        }
        d.store(Z + s);
        errors.add(d);
      });
  bias = errors;
  return loss.total();
}

// Half the squared error, for one output: xi = 1/2 (z - y)^2, delta = z - y.
template <class T, bool weighted>
double squared_error(T* Z, const T* y, Samples<T> samples, LaneSum<T>& bias) {
  LaneSum<T> loss, errors = bias;
  for_packs<T>(samples.begin, samples.end, [&](auto pack, std::size_t at) GLASSNET_LAMBDA {
    using P = decltype(pack);
    P error = P::load(Z + at) - P::load(y + at), d = error;
    if constexpr (weighted) d = P::load(samples.weights_at(at)) * error;
    loss.add_product(d, error * P::all(T(0.5)));
    d.store(Z + at);
    errors.add(d);
  });
  bias = errors;
  return loss.total();
}

// Losses of one output that need no logarithm: value and delta at z and y.

// above |z - y| where z is above y, below |z - y| where it is below. Both 1: the absolute error;
// 1 - level and level: a quantile's.
template <class T> struct Pinball {
  T above, below;
  template <class P> GLASSNET_INLINE void operator()(const P& z, const P& y, P& value, P& delta) const {
    const P zero = P::all(0), error = z - y;
    value = max(P::all(above) * error, P::all(-below) * error);
    delta = if_gt(error, zero, P::all(above), if_gt(zero, error, P::all(-below), zero));
  }
};

// 1/2 (z - y)^2 up to |z - y| = bound, and its tangent from there on.
template <class T> struct Huber {
  T bound;
  template <class P> GLASSNET_INLINE void operator()(const P& z, const P& y, P& value, P& delta) const {
    P error = z - y;
    delta = clip(error, bound);
    value = delta * (error - delta * P::all(T(0.5)));
  }
};

// e^z - y z.
struct Poisson {
  template <class P> GLASSNET_INLINE void operator()(const P& z, const P& y, P& value, P& delta) const {
    P rate = exp_anywhere(z);
    value = fnma(y, z, rate);
    delta = rate - y;
  }
};

template <class T, class F> void with_simple_loss(Loss loss, double setting, F f) {
  switch (loss) {
    case Loss::absolute_error: return f(Pinball<T>{1, 1});
    case Loss::quantile: return f(Pinball<T>{T(1 - setting), T(setting)});
    case Loss::huber: return f(Huber<T>{T(setting)});
    case Loss::poisson: return f(Poisson());
    case Loss::cross_entropy:
    case Loss::binary_cross_entropy:
    case Loss::squared_error: break;  // these have heads of their own
  }
}

template <class T, bool weighted, class F>
double simple_loss(const F& f, T* Z, const T* y, Samples<T> samples, LaneSum<T>& bias) {
  LaneSum<T> loss, errors = bias;
  for_packs<T>(samples.begin, samples.end, [&](auto pack, std::size_t at) GLASSNET_LAMBDA {
    using P = decltype(pack);
    P value, delta;
    f(P::load(Z + at), P::load(y + at), value, delta);
    if constexpr (weighted) {
      // What is missing counts for nothing even where its value is infinite.
      P w = P::load(samples.weights_at(at)), zero = P::all(0);
      value = if_gt(w, zero, w * value, zero);
      delta = if_gt(w, zero, w * delta, zero);
    }
    loss.add(value);
    delta.store(Z + at);
    errors.add(delta);
  });
  bias = errors;
  return loss.total();
}

// A class number's target is `on` at that class and `off` at the others: 1 and 0 without smoothing.
template <class T> struct ClassTargets {
  const T* Y;
  T on, off;
  ClassTargets(const T* Y, double smoothing, std::size_t classes)
      : Y(Y),
        on(T(1 - smoothing + smoothing / double(classes))),
        off(T(smoothing / double(classes))) {}
};

// Cross-entropy over the softmax of three classes and more:
//   xi = log sum_c e^(z_c - m) + m - sum_c y_c z_c with m = max z,   delta = softmax(z) - y.
template <class T, bool weighted>
double cross_entropy(T* Z, const ClassTargets<T>& targets, bool labels, std::size_t classes, std::size_t stride,
                     Samples<T> samples) {
  // A sum of e^(z - m) lies from 1 to the number of classes.
  LossSum<T> loss(64.0 - __builtin_clzll(classes));
  for_packs<T>(samples.begin, samples.end, [&](auto pack, std::size_t at) GLASSNET_LAMBDA {
    using P = decltype(pack);
    const P zero = P::all(0), one = P::all(1);
    const P on = P::all(targets.on), off = P::all(targets.off);
    auto target = [&](std::size_t c) {
      return labels ? if_eq(P::load(targets.Y + at), P::all(T(c)), on, off)
                    : P::load(targets.Y + c * stride + at);
    };
    T* z = Z + at;
    P m = P::load(z);
    for (std::size_t c = 1; c < classes; ++c) m = max(m, P::load(z + c * stride));
    P sum = zero, picked = zero;
    for (std::size_t c = 0; c < classes; ++c) {
      P shifted = P::load(z + c * stride) - m;
      picked = fma(target(c), shifted, picked);
      P e = exp(expand(reduce_negative(shifted)));
      sum = sum + e;
      e.store(z + c * stride);
    }
    P inverse = one / sum, w = one;
    if constexpr (weighted) {
      w = P::load(samples.weights_at(at));
      loss.add_weighted(w, zero - picked, sum);
    } else {
      loss.add(zero - picked, sum);
    }
    for (std::size_t c = 0; c < classes; ++c) {
      P d = fma(P::load(z + c * stride), inverse, zero - target(c));
      if constexpr (weighted) d = w * d;
      d.store(z + c * stride);
    }
  });
  return loss.total();
}

// Samples begin .. end, whole lines of which the first `rows` in all are there: lines that are full
// and unweighted go the fast way; the others with weights, 0 for a sample that is not there.
template <class T> struct Lines {
  Samples<T> fast, slow;
  alignas(64) T mask[LANES<T>];

  Lines(std::size_t begin, std::size_t end, std::size_t rows, const T* weights) {
    const std::size_t there = rows < begin ? begin : rows < end ? rows : end;
    const std::size_t full = weights ? begin : begin + (there - begin) / LANES<T> * LANES<T>;
    const bool masked = !weights && full < end;
    if (masked) {
      for (std::size_t i = 0; i < LANES<T>; ++i) mask[i] = full + i < there ? T(1) : T(0);
      end = full + LANES<T>;
    }
    fast = {begin, full, nullptr, 0};
    slow = {full, end, masked ? mask : weights, masked ? full : 0};
  }
};

// What the loss of samples begin .. end has above -log(min_probability) for each probability that is below
// it, from the panel of Z that a head has not been at. A label is 0 or 1, a class has a number.
template <class T, class Which>
double loss_above(const Which& which, const T* Z, const T* Y, std::size_t outputs, std::size_t stride,
                  Samples<T> samples) {
  using P = Pack<T, 1>;
  const double most = -__builtin_log(which.min_probability);
  double above = 0;
  for (std::size_t s = samples.begin; s < samples.end; ++s) {
    const double w = samples.weights ? double(*samples.weights_at(s)) : 1;
    if (which.loss == Loss::binary_cross_entropy) {
      for (std::size_t o = 0; o < outputs; ++o) {
        const double z = double(Z[o * stride + s]), wrong = Y[o * stride + s] > T(0.5) ? -z : z;
        if (wrong > most) above += w * (wrong - most);
      }
      continue;
    }
    const T* z = Z + s;
    T top = z[0];
    for (std::size_t c = 1; c < outputs; ++c) top = z[c * stride] > top ? z[c * stride] : top;
    const double of_class = double(z[std::size_t(Y[s]) * stride]);
    // The sum of e^(z - top) is below the number of classes, whose logarithm is below the number.
    if (!(double(top) - of_class > most - double(outputs))) continue;
    const T* line = Z + s / LANES<T> * LANES<T>;
    P m = P::load(line), sum = P::all(0);
    for (std::size_t c = 1; c < outputs; ++c) m = max(m, P::load(line + c * stride));
    for (std::size_t c = 0; c < outputs; ++c)
      sum = sum + exp(expand(reduce_negative(P::load(line + c * stride) - m)));
    alignas(64) T logs[LANES<T>];
    log(sum).store(logs);
    const double loss = double(top) - of_class + double(logs[s % LANES<T>]);
    if (loss > most) above += w * (loss - most);
  }
  return above;
}

// The loss of these samples, and their errors in place of Z. done(o, sum) is told each output's sum of
// errors, but by cross_entropy, whose outputs go together.
template <class T, class Which, class Done>
double output_errors(const Which& which, T* Z, const T* Y, std::size_t outputs, std::size_t stride,
                     const Lines<T>& lines, const Done& done) {
  const Samples<T>&fast = lines.fast, &slow = lines.slow;
  const bool some = slow.begin < slow.end;
  double loss = 0;
  if (which.min_probability > 0) {
    loss -= loss_above<T>(which, Z, Y, outputs, stride, fast);
    if (some) loss -= loss_above<T>(which, Z, Y, outputs, stride, slow);
  }
  if (which.loss == Loss::cross_entropy) {
    const ClassTargets<T> target(Y, which.loss_setting, outputs);
    loss += cross_entropy<T, false>(Z, target, which.labels, outputs, stride, fast);
    if (some) loss += cross_entropy<T, true>(Z, target, which.labels, outputs, stride, slow);
    return loss;
  }
  for (std::size_t o = 0; o < outputs; ++o) {
    T* z = Z + o * stride;
    const T* y = Y + o * stride;
    LaneSum<T> sum;
    if (which.loss == Loss::squared_error) {
      loss += squared_error<T, false>(z, y, fast, sum);
      if (some) loss += squared_error<T, true>(z, y, slow, sum);
    } else if (which.loss == Loss::binary_cross_entropy) {
      loss += binary_cross_entropy<T, false>(z, y, fast, sum);
      if (some) loss += binary_cross_entropy<T, true>(z, y, slow, sum);
    } else {
      with_simple_loss<T>(which.loss, which.loss_setting, [&](auto one) {
        loss += simple_loss<T, false>(one, z, y, fast, sum);
        if (some) loss += simple_loss<T, true>(one, z, y, slow, sum);
      });
    }
    done(o, sum);
  }
  return loss;
}

}  // namespace glassnet::GLASSNET_ISA
