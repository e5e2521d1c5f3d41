// L-BFGS, many steps per call: the operations of training/steppers/lbfgs.py and line_search.py in the same order,
// so that both give the same bits for the same gradients.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "host/net.hpp"
#include "host/rules.hpp"

namespace glassnet {

// The inner product in float64. Lanes of its own and not the processor's: the same bits everywhere.
template <class A, class B> double dot(const A* a, const B* b, std::size_t n) {
  constexpr std::size_t lanes = 8;
  double sums[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (std::size_t j = 0; j < lanes; ++j) sums[j] += double(a[i + j]) * double(b[i + j]);
  for (std::size_t j = 0; i < n; ++i, ++j) sums[j] += double(a[i]) * double(b[i]);
  for (std::size_t half = lanes / 2; half > 0; half /= 2)
    for (std::size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
  return sums[0];
}

// What a search must obey.
struct Quest {
  std::size_t memory;
  double decrease, curvature;           // the strong Wolfe conditions
  double gradient_tolerance, tolerance;  // when it ends
  double seconds;                       // the call returns soon after
  const std::uint8_t* stop;             // or when this is set
};

// Trials, after which a search gives up; as in training/steppers/line_search.py.
inline constexpr int MOST_TRIALS = 25;

// Why it has ended, in the order of training/steppers/solver.py's REASONS.
enum class Reason { none, flat, slow, stuck };

struct Searched {
  std::size_t steps = 0, evaluations = 0, rows = 0;  // rows of pairs that are in use
  Reason reason = Reason::none;
};

template <class T> class QuasiNewton {
 public:
  using Evaluate = std::function<double(const T* theta, T* gradient)>;
  using Poll = std::function<bool()>;

  // `theta`, its `gradient` and `loss`, and the pairs s, y [2 memory][n], the oldest first, of which `rows` are
  // in use, are changed step by step. `poll` is asked now and then; true ends the call after the last whole step.
  QuasiNewton(std::size_t n, const Quest& quest, T* theta, T* gradient, double loss, T* pairs,
              std::size_t rows, Evaluate evaluate, Poll poll)
      : n(n), quest(quest), theta(theta), gradient(gradient), pairs(pairs), loss(loss), rows(rows),
        evaluate(std::move(evaluate)), poll(std::move(poll)), direction(n), rhos(quest.memory),
        coefficients(quest.memory), pair(2 * n), now(n), best(n) {}

  // Up to `steps` steps, whose losses go into `losses`.
  Searched run(double* losses, std::size_t steps) {
    Searched found;
    while (found.steps < steps && found.reason == Reason::none) {
      tried = 0;
      Step made;
      try {
        made = step();
      } catch (...) {
        if (found.steps == 0) throw;
        break;  // what was done counts; the next call meets it again
      }
      if (made == Step::cut) break;
      found.evaluations += tried;
      if (made == Step::none) {
        found.reason = Reason::stuck;
        break;
      }
      const double before = loss;
      loss = losses[found.steps++] = now.loss;
      if (std::all_of(gradient, gradient + n, [&](T g) { return std::abs(double(g)) <= quest.gradient_tolerance; }))
        found.reason = Reason::flat;
      else if (before - loss <= quest.tolerance * std::abs(before))
        found.reason = Reason::slow;
      if (is_set(quest.stop) || elapsed() >= quest.seconds) break;
    }
    found.rows = rows;
    return found;
  }

 private:
  enum class Step { made, none, cut };

  struct Trial {
    double alpha = 0, loss = 0, slope = 0;
  };

  struct Point : Trial {
    std::vector<T> theta, gradient;
    explicit Point(std::size_t n) : theta(n), gradient(n) {}
  };

  const std::size_t n;
  const Quest quest;
  T *const theta, *const gradient, *const pairs;
  double loss;
  std::size_t rows;
  const Evaluate evaluate;
  const Poll poll;
  std::vector<double> direction, rhos, coefficients;
  std::vector<T> pair;
  Point now, best;
  std::size_t tried = 0;
  double polled = 0;
  const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  double elapsed() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); }

  Step step() {
    std::size_t used = rows;
    Step made = search(used);
    if (made == Step::none && used > 0) {
      used = 0;  // what the pairs show is wrong here: once more without
      made = search(used);
    }
    if (made != Step::made) return made;
    rows = used;
    for (std::size_t i = 0; i < n; ++i) {
      pair[i] = now.theta[i] - theta[i];
      pair[n + i] = now.gradient[i] - gradient[i];
    }
    const double bend = dot(pair.data(), pair.data() + n, n);
    const double least = std::numeric_limits<double>::epsilon() * dot(pair.data() + n, pair.data() + n, n);
    if (bend > least && least > 0) {  // else H would not stay positive
      if (rows == 2 * quest.memory) {
        std::copy(pairs + 2 * n, pairs + rows * n, pairs);
        rows -= 2;
      }
      std::copy(pair.begin(), pair.end(), pairs + rows * n);
      rows += 2;
    }
    std::copy(now.theta.begin(), now.theta.end(), theta);
    std::copy(now.gradient.begin(), now.gradient.end(), gradient);
    return Step::made;
  }

  // Leaves the next point in `now`, from the first `used` rows of pairs.
  Step search(std::size_t used) {
    downhill(used);
    const Trial start{0, loss, dot(direction.data(), gradient, n)};
    if (!(start.slope < 0)) return Step::none;
    const double length = std::sqrt(dot(gradient, gradient, n));
    return wolfe_step(start, used > 0 || length <= 1 ? 1.0 : 1.0 / length);
  }

  // -H g into `direction`, by the two loops: from the newest pair to the oldest and back.
  void downhill(std::size_t used) {
    double* const q = direction.data();
    for (std::size_t i = 0; i < n; ++i) q[i] = double(gradient[i]);
    double rho = 1, square = 1;
    for (std::size_t r = used; r > 0; r -= 2) {
      const T *const s = pairs + (r - 2) * n, *const y = s + n;
      rhos[r / 2 - 1] = 1.0 / dot(s, y, n);
      const double coefficient = coefficients[r / 2 - 1] = rhos[r / 2 - 1] * dot(s, q, n);
      for (std::size_t i = 0; i < n; ++i) q[i] -= coefficient * double(y[i]);
      if (r == used) rho = rhos[r / 2 - 1], square = dot(y, y, n);
    }
    if (used > 0) {
      const double scale = 1.0 / (rho * square);
      for (std::size_t i = 0; i < n; ++i) q[i] *= scale;
    }
    for (std::size_t r = 0; r < used; r += 2) {
      const T *const s = pairs + r * n, *const y = s + n;
      const double coefficient = coefficients[r / 2] - rhos[r / 2] * dot(y, q, n);
      for (std::size_t i = 0; i < n; ++i) q[i] += coefficient * double(s[i]);
    }
    for (std::size_t i = 0; i < n; ++i) q[i] = -q[i];
  }

  // False where Ctrl-C has been pressed.
  bool try_at(double alpha) {
    for (std::size_t i = 0; i < n; ++i) now.theta[i] = T(double(theta[i]) + alpha * direction[i]);
    now.alpha = alpha;
    now.loss = evaluate(now.theta.data(), now.gradient.data());
    now.slope = dot(direction.data(), now.gradient.data(), n);
    ++tried;
    if (elapsed() - polled > 0.02) {
      if (poll()) return false;
      polled = elapsed();
    }
    return !is_set(quest.stop);
  }

  Step wolfe_step(const Trial& start, double alpha) {
    best.loss = start.loss;
    Trial low = start, high, before = start;
    bool lower = false, bracketed = false;  // whether `best` is a trial; whether `high` is one
    for (int number = 0; number < MOST_TRIALS; ++number) {
      if (!try_at(alpha)) return Step::cut;
      const Trial here = now;
      const bool enough = here.loss <= start.loss + quest.decrease * alpha * start.slope;
      if (enough && std::abs(here.slope) <= -quest.curvature * start.slope) return Step::made;
      if (here.loss < best.loss) {
        std::swap(now, best);
        lower = true;
      }
      if (!bracketed) {  // still on the way out
        if (!enough || (number > 0 && here.loss >= before.loss)) {
          low = before, high = here;
          bracketed = true;
        } else if (here.slope >= 0) {
          low = here, high = before;
          bracketed = true;
        } else {
          before = here;
        }
      } else if (!enough || here.loss >= low.loss) {
        high = here;
      } else {
        if (here.slope * (high.alpha - low.alpha) >= 0) high = low;
        low = here;
      }
      const double after = bracketed ? between(low, high) : further(before, start);
      const bool used_up = bracketed && (after == low.alpha || after == high.alpha);
      if (used_up || !std::isfinite(after)) break;
      alpha = after;
    }
    if (!lower) return Step::none;
    std::swap(now, best);
    return Step::made;
  }

  // Outward, by the parabola through both slopes, at least twice and at most ten times as far.
  static double further(const Trial& here, const Trial& start) {
    const double bend = (here.slope - start.slope) / here.alpha;
    const double guess = bend > 0 ? here.alpha - here.slope / bend : INFINITE;
    return std::min(std::max(guess, 2 * here.alpha), 10 * here.alpha);
  }

  // The minimum of the cubic through both, kept off the ends by a tenth of what lies between.
  static double between(const Trial& low, const Trial& high) {
    const double width = high.alpha - low.alpha;
    if (!(std::isfinite(high.loss) && std::isfinite(high.slope))) return low.alpha + 0.1 * width;
    const double d1 = low.slope + high.slope - 3 * (high.loss - low.loss) / width;
    const double inside = d1 * d1 - low.slope * high.slope;
    double fraction = 0.5;
    if (inside >= 0) {
      const double d2 = std::copysign(std::sqrt(inside), width);
      const double below = high.slope - low.slope + 2 * d2;
      if (below != 0) fraction = 1 - (high.slope + d2 - d1) / below;
    }
    return low.alpha + std::min(std::max(fraction, 0.1), 0.9) * width;
  }
};

}  // namespace glassnet
