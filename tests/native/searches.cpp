// L-BFGS: the same steps at once and one by one, and what it leaves where an evaluation fails.
#include "networks.hpp"
#include "host/quasi_newton.hpp"

namespace glassnet {

namespace {

// Where a search stands.
template <class T> struct Place {
  std::vector<T> theta, gradient, pairs;
  double loss;
  std::size_t rows = 0;
  std::vector<double> losses;

  // Up to so many steps more.
  void go(const Problem<T>& problem, std::size_t steps, int threads, std::size_t fails = 0) {
    const Quest quest{3, 1e-4, 0.9, 0, 0, INFINITE, nullptr};
    const Rule rule;
    std::size_t count = 0;
    const auto evaluate = [&](const T* at, T* slope) {
      if (++count == fails) throw std::runtime_error("as asked");
      return problem.loss_and_gradient(at, slope, rule, 1.0, threads);
    };
    std::vector<double> made(steps);
    const Searched found = QuasiNewton<T>(theta.size(), quest, theta.data(), gradient.data(), loss, pairs.data(), rows,
                                          evaluate, [] { return false; })
                               .run(made.data(), steps);
    losses.insert(losses.end(), made.begin(), made.begin() + std::ptrdiff_t(found.steps));
    if (found.steps > 0) loss = losses.back();
    rows = found.rows;
  }
};

template <class T> std::uint64_t search(const char* isa, int threads) {
  const Shape shape{{3, 5, 2}, {Activation::tanh}, Loss::squared_error, 301, false, true};
  Problem<T> problem(shape, isa);
  Random random(5);
  const Data<T> data(shape, random);
  data.put(shape, problem, 0, shape.samples);
  const std::size_t n = problem.parameters();
  Place<T> start{some_parameters<T>(n, 1, random), std::vector<T>(n), std::vector<T>(6 * n), 0, 0, {}};
  start.loss = problem.loss_and_gradient(start.theta.data(), start.gradient.data(), {}, 1.0, threads);
  Place<T> whole = start, parts = start;
  whole.go(problem, 12, threads);
  require(whole.losses.size() == 12 && whole.loss < start.loss, "no step lowers the loss");
  while (parts.losses.size() < 12) parts.go(problem, 1, threads);
  require(parts.theta == whole.theta && parts.losses == whole.losses && parts.rows == whole.rows, "steps differ");
  Place<T> failed = start;
  failed.go(problem, 12, threads, 9);
  require(failed.losses.size() > 0 && failed.losses.size() < 9, "a failure loses steps");
  failed.go(problem, 12 - failed.losses.size(), threads);
  require(failed.theta == whole.theta, "a failure leaves half a step");
  Hash hash;
  hash.add(whole.theta);
  hash.add(whole.losses);
  return hash.value();
}

}  // namespace

std::vector<Check> searches() {
  std::vector<Check> all;
  in_both(all, []<class T>(T) {
    return Check{std::string(precision<T>()) + " L-BFGS",
                 [](const char* isa, int threads, int) { return search<T>(isa, threads); }};
  });
  return all;
}

}  // namespace glassnet
