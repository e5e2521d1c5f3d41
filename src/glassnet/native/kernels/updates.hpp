// The optimizers' updates, as glassnet/optim writes them: the same operations in the same order.
// Plain loops that the compiler makes vectors of; each operation is rounded by itself (contraction is
// off), so that every instruction set gives the same bits.
#pragma once

#include <cmath>

#include "host/rules.hpp"

#ifndef GLASSNET_ISA
#error "a source that names its instruction set includes this"
#endif

namespace glassnet::GLASSNET_ISA {

template <class T> static T root(T x) {
  if constexpr (sizeof(T) == 8) return __builtin_sqrt(x);
  else return __builtin_sqrtf(x);
}

template <class T> static T sign(T x) { return T(x > 0) - T(x < 0); }

// beta1 and beta2, and how much of a new value the running means take.
template <class T> struct Betas {
  T keep1, take1, keep2, take2;
  explicit Betas(const double* c)
      : keep1(T(c[0])), take1(T(1.0 - c[0])), keep2(T(c[1])), take2(T(1.0 - c[1])) {}
};

// 1 - beta^t. Since beta^t <= e^-(1 - beta) t, it is 1 to the last bit from some update on.
static double taken(double beta, double t) {
  return (1.0 - beta) * t > 38 ? 1.0 : 1.0 - std::pow(beta, t);
}

// Nadam's mu at update t.
static double mu(double beta1, double momentum_decay, std::int64_t t) {
  return beta1 * (1.0 - 0.5 * std::pow(0.96, double(t) * momentum_decay));
}

template <class T> static void update(const Step<T>& step, std::size_t begin, std::size_t end) {
  const Rule& rule = *step.rule;
  const double* c = rule.coefficients;
  const double t = double(step.t);
  const T rate = T(step.rate), scale = T(step.scale);
  T* __restrict theta = step.theta;
  const T* __restrict gradient = step.gradient;
  const T* __restrict mask = step.mask;
  const std::size_t rows = STATE_ROWS[std::size_t(rule.kind)];
  const auto row = [&](std::size_t r) { return r < rows ? step.state + r * step.stride : nullptr; };
  T* __restrict first = row(0);
  T* __restrict second = row(1);
  T* __restrict third = row(2);

  switch (rule.kind) {
    case Optimizer::sgd: {
      const T momentum = T(c[0]);
      if (rule.flag) {
        for (std::size_t p = begin; p < end; ++p) {
          const T push = rate * (gradient[p] * scale);
          first[p] = momentum * first[p] - push;
          theta[p] += momentum * first[p] - push;
        }
      } else {
        for (std::size_t p = begin; p < end; ++p) {
          first[p] = momentum * first[p] - rate * (gradient[p] * scale);
          theta[p] += first[p];
        }
      }
      break;
    }
    case Optimizer::rmsprop: {
      const T keep = T(c[0]), take = T(1.0 - c[0]), epsilon = T(c[1]), momentum = T(c[2]);
      if (rule.flag) {
        for (std::size_t p = begin; p < end; ++p) {
          const T g = gradient[p] * scale;
          first[p] = keep * first[p] + take * (g * g);
          third[p] = keep * third[p] + take * g;
          const T spread = first[p] - third[p] * third[p];
          second[p] = momentum * second[p] + g / (root(spread < 0 ? T(0) : spread) + epsilon);
          theta[p] -= rate * second[p];
        }
      } else {
        for (std::size_t p = begin; p < end; ++p) {
          const T g = gradient[p] * scale;
          first[p] = keep * first[p] + take * (g * g);
          second[p] = momentum * second[p] + g / (root(first[p]) + epsilon);
          theta[p] -= rate * second[p];
        }
      }
      break;
    }
    case Optimizer::adagrad: {
      const T epsilon = T(c[0]);
      for (std::size_t p = begin; p < end; ++p) {
        const T g = gradient[p] * scale;
        first[p] += g * g;
        theta[p] -= rate * (g / (root(first[p]) + epsilon));
      }
      break;
    }
    case Optimizer::adadelta: {
      const T keep = T(c[0]), take = T(1.0 - c[0]), epsilon = T(c[1]);
      for (std::size_t p = begin; p < end; ++p) {
        const T g = gradient[p] * scale;
        first[p] = keep * first[p] + take * (g * g);
        const T d = root(second[p] + epsilon) / root(first[p] + epsilon) * g;
        second[p] = keep * second[p] + take * (d * d);
        theta[p] -= rate * d;
      }
      break;
    }
    case Optimizer::adam:
    case Optimizer::adamw: {
      const Betas<T> beta(c);
      const double bias1 = taken(c[0], t), bias2 = __builtin_sqrt(taken(c[1], t));
      if (rule.flag) {
        // As scikit-learn does it: the step in float64, whatever the precision.
        const double hat = -(step.rate * bias2 / bias1);
        const T epsilon = T(c[2]);
        for (std::size_t p = begin; p < end; ++p) {
          const T g = gradient[p] * scale;
          first[p] = beta.keep1 * first[p] + beta.take1 * g;
          second[p] = beta.keep2 * second[p] + beta.take2 * (g * g);
          const T below = root(second[p]) + epsilon;
          theta[p] = T(double(theta[p]) + hat * double(first[p]) / double(below));
        }
        break;
      }
      const T size = T(step.rate * bias2 / bias1), epsilon = T(c[2] * bias2);
      const T kept = T(1.0 - step.rate * rule.weight_decay);
      for (std::size_t p = begin; p < end; ++p) {
        const T g = gradient[p] * scale;
        first[p] = beta.keep1 * first[p] + beta.take1 * g;
        second[p] = beta.keep2 * second[p] + beta.take2 * (g * g);
        const T before = theta[p] * (mask[p] != 0 ? kept : T(1));
        theta[p] = before - size * (first[p] / (root(second[p]) + epsilon));
      }
      break;
    }
    case Optimizer::amsgrad: {
      const Betas<T> beta(c);
      const double bias2 = __builtin_sqrt(taken(c[1], t));
      const T size = T(step.rate * bias2 / taken(c[0], t)), epsilon = T(c[2] * bias2);
      for (std::size_t p = begin; p < end; ++p) {
        const T g = gradient[p] * scale;
        first[p] = beta.keep1 * first[p] + beta.take1 * g;
        second[p] = beta.keep2 * second[p] + beta.take2 * (g * g);
        third[p] = third[p] < second[p] ? second[p] : third[p];
        theta[p] -= size * (first[p] / (root(third[p]) + epsilon));
      }
      break;
    }
    case Optimizer::nadam: {
      const Betas<T> beta(c);
      const double now = mu(c[0], c[3], step.t), ahead = mu(c[0], c[3], step.t + 1);
      double product = 1;
      for (std::int64_t i = 1; i <= step.t; ++i) {
        product *= mu(c[0], c[3], i);
        if (product < 0x1p-60) break;  // 1 - product is 1 from here on, to the last bit
      }
      const T own = T(step.rate * (1.0 - now) / (1.0 - product));
      const T next = T(step.rate * ahead / (1.0 - product * ahead));
      const T bias = T(taken(c[1], t)), epsilon = T(c[2]);
      for (std::size_t p = begin; p < end; ++p) {
        const T g = gradient[p] * scale;
        first[p] = beta.keep1 * first[p] + beta.take1 * g;
        second[p] = beta.keep2 * second[p] + beta.take2 * (g * g);
        const T below = root(second[p] / bias) + epsilon;
        theta[p] = theta[p] - own * (g / below) - next * (first[p] / below);
      }
      break;
    }
    case Optimizer::lion: {
      const Betas<T> beta(c);
      const T kept = T(1.0 - step.rate * rule.weight_decay);
      for (std::size_t p = begin; p < end; ++p) {
        const T g = gradient[p] * scale;
        const T direction = beta.keep1 * first[p] + beta.take1 * g;
        theta[p] = theta[p] * (mask[p] != 0 ? kept : T(1)) - rate * sign(direction);
        first[p] = beta.keep2 * first[p] + beta.take2 * g;
      }
      break;
    }
  }
}

// The sum of term(p) from begin to end in 16 lanes, folded in halves.
template <class Term> static double sum_in_lanes(std::size_t begin, std::size_t end, const Term& term) {
  double lanes[16] = {};
  std::size_t p = begin;
  for (; p + 16 <= end; p += 16)
    for (std::size_t lane = 0; lane < 16; ++lane) lanes[lane] += term(p + lane);
  for (std::size_t lane = 0; p < end; ++p, ++lane) lanes[lane] += term(p);
  for (std::size_t width = 8; width > 0; width /= 2)
    for (std::size_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  return lanes[0];
}

template <class T>
static double penalize(const Rule& rule, const T* __restrict theta, const T* __restrict mask,
                       T* __restrict gradient, std::size_t begin, std::size_t end) {
  const T l1 = T(rule.l1), l2 = T(rule.l2);
  if (gradient)
    for (std::size_t p = begin; p < end; ++p)
      gradient[p] += mask[p] * (l2 * theta[p] + l1 * sign(theta[p]));
  double value = 0;
  if (rule.l2 != 0)
    value += 0.5 * rule.l2 * sum_in_lanes(begin, end, [&](std::size_t p) {
      const double W = double(mask[p]) * double(theta[p]);
      return W * W;
    });
  if (rule.l1 != 0)
    value += rule.l1 * sum_in_lanes(begin, end, [&](std::size_t p) {
      return __builtin_fabs(double(mask[p]) * double(theta[p]));
    });
  return value;
}

template <class T>
static double clip(const Rule& rule, T* __restrict gradient, std::size_t begin, std::size_t end) {
  const T high = T(rule.clip_value), low = -high;
  for (std::size_t p = begin; p < end; ++p) {
    const T g = gradient[p];
    gradient[p] = g > high ? high : g < low ? low : g;
  }
  return sum_in_lanes(begin, end, [&](std::size_t p) {
    return double(gradient[p]) * double(gradient[p]);
  });
}

template <class T>
static void constrain(T* __restrict W, std::size_t inputs, std::size_t units, double max_norm,
                      double* __restrict squares) {
  for (std::size_t k = 0; k < units; ++k) squares[k] = 0;
  for (std::size_t i = 0; i < inputs; ++i)
    for (std::size_t k = 0; k < units; ++k)
      squares[k] += double(W[i * units + k]) * double(W[i * units + k]);
  for (std::size_t k = 0; k < units; ++k) {
    const double length = __builtin_sqrt(squares[k]);
    squares[k] = length > max_norm ? max_norm / length : 1.0;
  }
  for (std::size_t i = 0; i < inputs; ++i)
    for (std::size_t k = 0; k < units; ++k) W[i * units + k] *= T(squares[k]);
}

template <class T>
static void average(const Rule& rule, const T* __restrict theta, T* __restrict mean, std::size_t begin,
                    std::size_t end) {
  const T keep = T(rule.average), take = T(1.0 - rule.average);
  for (std::size_t p = begin; p < end; ++p) mean[p] = keep * mean[p] + take * theta[p];
}

template <class T>
inline constexpr Updates<T> all_updates{update<T>, penalize<T>, clip<T>, constrain<T>, average<T>};

}  // namespace glassnet::GLASSNET_ISA
