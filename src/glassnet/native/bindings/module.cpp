// The Python module. Its callers in glassnet/engine have validated the data.
#include <nanobind/stl/pair.h>

#include "host/batches.hpp"
#include "bindings/partial_problem_binding.hpp"
#include "host/predictor.hpp"
#include "host/quasi_newton.hpp"

using namespace glassnet;

namespace {

Rule make_rule(const std::string& kind, const std::vector<double>& coefficients, bool flag,
               double weight_decay, double clip_value, double clip_norm, double l1, double l2,
               double max_norm, double average, bool average_penalties, double min_probability, double loss_scale) {
  Rule rule{named<Optimizer>("optimizer", kind, OPTIMIZER_NAMES), {}, flag, weight_decay, clip_value,
            clip_norm, l1, l2, max_norm, average, average_penalties, min_probability, loss_scale};
  expect(coefficients.size() <= std::size(rule.coefficients), "too many coefficients");
  std::copy(coefficients.begin(), coefficients.end(), rule.coefficients);
  return rule;
}

template <class T>
double loss_and_gradient(const Problem<T>& problem, Vector<const T> theta, Vector<T> gradient,
                         const Rule& rule, double divisor, int threads, std::uint64_t seed,
                         std::uint64_t mask) {
  const std::size_t n = problem.parameters();
  expect(theta.shape(0) == n && gradient.shape(0) == n, "parameters do not fit");
  // What takes a few microseconds ends before another thread could make use of the lock.
  std::optional<Unlocked> unlocked;
  if (problem.description().samples * n > 100'000) unlocked.emplace();
  return problem.loss_and_gradient(theta.data(), gradient.data(), rule, divisor, threads, {seed, mask});
}

template <class T>
double loss(const Problem<T>& problem, Vector<const T> theta, const Rule& rule, double divisor, int threads) {
  expect(theta.shape(0) == problem.parameters(), "parameters do not fit");
  Unlocked unlocked;
  return problem.loss(theta.data(), rule, divisor, threads);
}

// The lower triangle, over the kernel's parameters.
template <class T>
void gauss_newton(const Problem<T>& problem, Vector<const T> theta, Matrix<double> sums, int threads) {
  const std::size_t n = problem.curvature_parameters();
  expect(theta.shape(0) == problem.parameters(), "parameters do not fit");
  expect(sums.shape(0) == n && sums.shape(1) == n, "the matrix does not fit");
  Unlocked unlocked;
  problem.gauss_newton(theta.data(), sums.data(), threads);
}

template <class T>
void gauss_newton_product(const Problem<T>& problem, Vector<const T> theta, Vector<const T> vector,
                          Vector<double> sums, int threads) {
  const std::size_t n = problem.parameters();
  expect(theta.shape(0) == n && vector.shape(0) == n, "parameters do not fit");
  expect(sums.shape(0) == problem.curvature_parameters(), "the sums do not fit");
  Unlocked unlocked;
  problem.gauss_newton_product(theta.data(), vector.data(), sums.data(), threads);
}

template <class T>
std::pair<std::size_t, bool> descend(const Problem<T>& problem, Vector<T> theta, Matrix<T> state,
                                     Vector<T> gradient, Vector<double> losses, const Rule& rule,
                                     Vector<const double> rates, std::int64_t first, double divisor,
                                     double limit, Vector<const std::uint8_t> stop, double seconds,
                                     int threads, std::uint64_t seed, std::uint64_t mask) {
  const std::size_t n = problem.parameters();
  expect(theta.shape(0) == n && gradient.shape(0) == n, "parameters do not fit");
  expect(state.shape(0) == rule.state_rows() && state.shape(1) == n,
         "the optimizer's state does not fit");
  expect(rates.shape(0) == 1 || rates.shape(0) >= losses.shape(0), "one rate, or one for each update");
  expect(first >= 1, "updates are counted from 1");
  expect(stop.shape(0) == 1, "stop is one byte");
  bool failed = false;
  const Poll poll = polling(failed, stop.data());
  Outcome outcome;
  {
    Unlocked unlocked;
    outcome = problem.descend(theta.data(), state.data(), gradient.data(), losses.data(), losses.shape(0),
                              {rule, rates.data(), rates.shape(0), first, divisor, limit, seconds,
                               stop.data(), {seed, mask}},
                              threads, poll);
  }
  if (failed) throw nb::python_error();
  return {outcome.updates, outcome.diverged};
}

// Makes steps of L-BFGS; returns how many, the evaluations, the rows of pairs in use, and the reason for ending.
template <class T>
nb::tuple lbfgs(const Problem<T>& problem, Vector<T> theta, Vector<T> gradient, Matrix<T> pairs,
                std::size_t rows, Vector<double> losses, double loss, double decrease, double curvature,
                double gradient_tolerance, double tolerance, Vector<const std::uint8_t> stop, double seconds,
                const Rule& rule, double divisor, int threads) {
  const std::size_t n = problem.parameters();
  expect(theta.shape(0) == n && gradient.shape(0) == n && pairs.shape(1) == n, "parameters do not fit");
  expect(rows <= pairs.shape(0) && rows % 2 == 0 && pairs.shape(0) % 2 == 0 && pairs.shape(0) > 0,
         "the pairs do not fit");
  expect(stop.shape(0) == 1, "stop is one byte");
  bool failed = false;
  const Poll poll = polling(failed, stop.data());
  Searched found;
  {
    Unlocked unlocked;
    const Quest quest{pairs.shape(0) / 2, decrease, curvature, gradient_tolerance, tolerance, seconds, stop.data()};
    const auto evaluate = [&](const T* at, T* slope) {
      return problem.loss_and_gradient(at, slope, rule, divisor, threads);
    };
    found = QuasiNewton<T>(n, quest, theta.data(), gradient.data(), loss, pairs.data(), rows, evaluate, poll)
                .run(losses.data(), losses.shape(0));
  }
  if (failed) throw nb::python_error();
  return nb::make_tuple(found.steps, found.evaluations, found.rows, int(found.reason));
}

// The upper triangle becomes what the lower one is, tile by tile: rows that are written to columns stay cached.
void mirror(Matrix<double> matrix) {
  const std::size_t n = matrix.shape(0), tile = 32;
  expect(matrix.shape(1) == n, "the matrix is not square");
  double* const a = matrix.data();
  for (std::size_t top = 0; top < n; top += tile)
    for (std::size_t left = 0; left <= top; left += tile)
      for (std::size_t i = top; i < std::min(top + tile, n); ++i)
        for (std::size_t j = left; j < std::min(left + tile, i); ++j) a[j * n + i] = a[i * n + j];
}

template <class A, class B> double inner_product(Vector<const A> a, Vector<const B> b) {
  expect(a.shape(0) == b.shape(0), "the vectors do not fit");
  return dot(a.data(), b.data(), a.shape(0));
}

template <class T> void bind(nb::module_& m, const char* name) {
  // Never a converted copy: results go into the arrays themselves.
  const auto exact = nb::arg().noconvert();
  const nb::arg number;
  bind_net<T, Problem<T>>(m, name)
      .def("loss_and_gradient", &loss_and_gradient<T>, exact, exact, number, number, number,
           nb::arg("seed") = 0, nb::arg("mask") = 0)
      .def("loss", &loss<T>, exact, number, number, number)
      .def_prop_ro("curvature_parameters", &Problem<T>::curvature_parameters)
      .def("gauss_newton", &gauss_newton<T>, exact, exact, number)
      .def("gauss_newton_product", &gauss_newton_product<T>, exact, exact, exact, number)
      .def("descend", &descend<T>, exact, exact, exact, exact, number, exact, number, number, number,
           exact, number, number, nb::arg("seed") = 0, nb::arg("mask") = 0)
      .def("lbfgs", &lbfgs<T>, exact, exact, exact, number, exact, number, number, number, number, number,
           exact, number, number, number, number);
}

Predictor make_predictor(std::vector<std::size_t> sizes, const std::vector<std::string>& hidden,
                         const std::string& link, const std::string& isa) {
  expect_network(sizes, hidden.size(), 0);
  std::vector<Activation> activations;
  for (const std::string& name : hidden)
    activations.push_back(named<Activation>("activation", name, ACTIVATION_NAMES));
  return Predictor(std::move(sizes), std::move(activations), named<Link>("output", link, LINK_NAMES), isa);
}

template <class T>
nb::object predict(const Predictor& predictor, const Vector<const T>& theta, nb::handle rows, int threads) {
  Matrix<const T> X;
  if (!nb::try_cast(rows, X, false) || X.shape(1) != predictor.inputs() ||
      theta.shape(0) != predictor.parameters())
    return nb::none();
  const std::size_t n = X.shape(0), outputs = predictor.outputs();
  const T* x = X.data();
  if (!predictor.all_finite(x, n * X.shape(1)) || !predictor.all_finite(theta.data(), theta.shape(0)))
    return nb::none();
  T* out = new T[n * outputs];
  nb::capsule owner(out, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  if (n <= FORWARD_ROWS<T>) {  // letting go of the interpreter would take as long
    predictor.predict(theta.data(), x, n, out, 1);
  } else {
    Unlocked unlocked;
    predictor.predict(theta.data(), x, n, out, threads);
  }
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<2>>(out, {n, outputs}, owner));
}

// Returns rows of predictions, or None where the arrays are not of one precision, contiguous and finite.
nb::object call_predictor(const Predictor& predictor, nb::handle theta, nb::handle X, int threads) {
  Vector<const float> narrow;
  if (nb::try_cast(theta, narrow, false)) return predict<float>(predictor, narrow, X, threads);
  Vector<const double> wide;
  if (nb::try_cast(theta, wide, false)) return predict<double>(predictor, wide, X, threads);
  return nb::none();
}

// Returns the epochs made, and whether the next one diverged. `position` is the row and the updates so far; `sum` the
// epoch's loss so far; `order` and `key`, with `used`, are null where samples are not shuffled.
template <class T>
std::pair<std::size_t, bool> train(const Batches<T>& net, Vector<T> theta, Matrix<T> state, Vector<T> good,
                                   Vector<double> losses, const Rule& rule, Vector<const double> rates,
                                   std::optional<Vector<std::uint32_t>> order,
                                   std::optional<Vector<std::uint32_t>> key, Vector<std::int64_t> used,
                                   Vector<std::int64_t> position, Vector<double> sum, std::size_t batch,
                                   bool mean, double limit, Vector<const std::uint8_t> stop, double seconds,
                                   int threads, std::uint64_t seed) {
  const std::size_t n = net.parameters();
  expect(theta.shape(0) == n && good.shape(0) == (rule.averages() ? 2 * n : n), "parameters do not fit");
  expect(state.shape(0) == rule.state_rows() && state.shape(1) == n,
         "the optimizer's state does not fit");
  expect(!order || order->shape(0) == net.description().samples, "the order does not fit");
  expect(!key || (order && key->shape(0) == 624 && used.shape(0) == 1 && used(0) >= 0 && used(0) <= 624),
         "the random state does not fit");
  expect(position.shape(0) == 2 && sum.shape(0) == 1 && stop.shape(0) == 1 && batch > 0 && rates.shape(0) > 0,
         "the arguments do not fit");
  expect(position(0) >= 0 && std::size_t(position(0)) < net.description().samples, "the row does not fit");
  if (order) {
    const std::uint32_t* const from = order->data();
    expect(*std::max_element(from, from + order->shape(0)) < order->shape(0), "the order is none of the samples");
  }
  Position where{position(0), position(1), sum(0)};
  const Epochs how{rule, rates.data(), rates.shape(0), batch, mean, limit, seconds, stop.data(),
                   order ? order->data() : nullptr, key ? key->data() : nullptr, used.data(), seed};
  Outcome outcome;
  {
    Unlocked unlocked;
    outcome = net.train(theta.data(), state.data(), good.data(), losses.data(), losses.shape(0), how, where,
                        threads);
  }
  position(0) = where.row;
  position(1) = where.updates;
  sum(0) = where.loss;
  return {outcome.updates, outcome.diverged};
}

template <class T> void bind_batches(nb::module_& m, const char* name) {
  const auto exact = nb::arg().noconvert();
  const nb::arg number;
  bind_net<T, Batches<T>>(m, name)
      .def("train", &train<T>, exact, exact, exact, exact, number, exact, exact.none(), exact.none(), exact,
           exact, exact, number, number, number, exact, number, number, nb::arg("seed") = 0);
}

nb::dict issue_rates(const std::string& isa, int bits, double seconds) {
  expect(bits == 32 || bits == 64, "bits is 32 or 64");
  const Isa chosen = choose_isa(isa);
  Rates rates;
  {
    Unlocked unlocked;
    rates = (bits == 32 ? chosen.rates32 : chosen.rates64)(seconds);
  }
  nb::dict named;
  named["lanes"] = rates.lanes;
  named["fma"] = rates.fma;
  named["add"] = rates.add;
  named["divide"] = rates.divide;
  named["mixed"] = rates.mixed;
  return named;
}

// h and dh/dz of an activation at each z.
template <class T>
nb::tuple activation(const std::string& name, Vector<const T> z, const std::string& isa) {
  const Activation which = named<Activation>("activation", name, ACTIVATION_NAMES);
  const Isa chosen = choose_isa(isa);
  const std::size_t n = z.shape(0), padded = (n + LANES<T> - 1) / LANES<T> * LANES<T>;
  Aligned<T> values(padded), slopes(padded);
  std::copy_n(z.data(), n, values.get());
  {
    FlushSubnormals flush;
    chosen.kernels<T>().activate(which, padded, values.get(), slopes.get());
  }
  const auto copy = [n](const T* from) {
    T* to = new T[n];
    std::copy_n(from, n, to);
    nb::capsule owner(to, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::ndarray<nb::numpy, T, nb::ndim<1>>(to, {n}, owner);
  };
  return nb::make_tuple(copy(values.get()), copy(slopes.get()));
}

template <std::size_t n> nb::tuple names(const char* const (&values)[n]) {
  nb::list list;
  for (const char* value : values) list.append(value);
  return nb::tuple(list);
}

}  // namespace

NB_MODULE(_native, m) {
  // A network that lives until the interpreter ends keeps its Predictor until then: no leak of ours.
  nb::set_leak_warnings(false);
  m.attr("ACTIVATIONS") = names(ACTIVATION_NAMES);
  m.attr("LOSSES") = names(LOSS_NAMES);
  m.def("isas", [] {
    nb::list usable;
    for (const Isa& isa : isas())
      if (isa.usable) usable.append(isa.name);
    return nb::tuple(usable);
  });
  m.attr("BUILD") = GLASSNET_BUILD;
  m.def("issue_rates", &issue_rates, nb::arg("isa"), nb::arg("bits"), nb::arg("seconds") = 0.04);
  m.def("activation", &activation<float>, nb::arg("name"), nb::arg("z").noconvert(), nb::arg("isa") = "");
  m.def("activation", &activation<double>, nb::arg("name"), nb::arg("z").noconvert(), nb::arg("isa") = "");
  m.attr("LINKS") = names(LINK_NAMES);
  nb::class_<Predictor>(m, "Predictor")
      .def(nb::new_(&make_predictor), nb::arg("sizes"), nb::arg("hidden"), nb::arg("link"), nb::arg("isa"))
      .def("__call__", &call_predictor);
  m.attr("OPTIMIZERS") = names(OPTIMIZER_NAMES);
  nb::class_<Rule>(m, "Rule")
      .def(nb::new_(&make_rule), nb::arg("kind"), nb::arg("coefficients"), nb::arg("flag"),
           nb::arg("weight_decay"), nb::arg("clip_value"), nb::arg("clip_norm"), nb::arg("l1"),
           nb::arg("l2"), nb::arg("max_norm"), nb::arg("average") = 0.0,
           nb::arg("average_penalties") = false, nb::arg("min_probability") = 0.0, nb::arg("loss_scale") = 1.0)
      .def_prop_ro("state_rows", &Rule::state_rows);
  const auto exact = nb::arg().noconvert();
  m.def("mirror", &mirror, exact);
  m.def("dot", &inner_product<double, double>, exact, exact);
  m.def("dot", &inner_product<float, float>, exact, exact);
  m.def("dot", &inner_product<double, float>, exact, exact);
  m.def("dot", &inner_product<float, double>, exact, exact);
  bind<float>(m, "Problem32");
  bind<double>(m, "Problem64");
  bind_partial_problem<float>(m, "PartialProblem32");
  bind_partial_problem<double>(m, "PartialProblem64");
  bind_batches<float>(m, "Batches32");
  bind_batches<double>(m, "Batches64");
}
