// The Python module: problems over data that engine.py has checked.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "batches.hpp"
#include "part.hpp"
#include "predictor.hpp"
#include "problem.hpp"
#include "quasi_newton.hpp"

namespace nb = nanobind;
using namespace glassnet;

namespace {

template <class T> using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T> using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class E, std::size_t n>
E named(const char* kind, const std::string& name, const char* const (&names)[n]) {
  for (std::size_t i = 0; i < n; ++i)
    if (name == names[i]) return E(i);
  throw std::invalid_argument(std::string("the native engine has no ") + kind + " '" + name + "'");
}

void expect(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

bool finalizing() {
#if PY_VERSION_HEX >= 0x030d0000
  return Py_IsFinalizing();
#else
  return _Py_IsFinalizing();
#endif
}

[[noreturn]] void stop_for_good() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

// Other Python threads may run while it lives. Where the interpreter ends meanwhile, which does not wait for
// daemon threads, this one stops for good, as all do from Python 3.14 on: before that, asking for the
// interpreter unwinds the stack, which C++ answers by aborting the process.
class Unlocked {
  PyThreadState* const state = PyEval_SaveThread();

 public:
  Unlocked() = default;
  Unlocked(const Unlocked&) = delete;
  ~Unlocked() {
    if (finalizing()) stop_for_good();
    try {
      PyEval_RestoreThread(state);
    } catch (...) {  // the interpreter ended while this waited for it
      stop_for_good();
    }
  }
};

Rule make_rule(const std::string& kind, const std::vector<double>& coefficients, bool flag,
               double weight_decay, double clip_value, double clip_norm, double l1, double l2,
               double max_norm, double average, bool shared, double floor, double part) {
  Rule rule{named<Optimizer>("optimizer", kind, OPTIMIZER_NAMES), {}, flag, weight_decay, clip_value,
            clip_norm, l1, l2, max_norm, average, shared, floor, part};
  expect(coefficients.size() <= std::size(rule.coefficients), "too many coefficients");
  std::copy(coefficients.begin(), coefficients.end(), rule.coefficients);
  return rule;
}

// Checks a network of these sizes, over so many samples.
void expect_network(const std::vector<std::size_t>& sizes, std::size_t n_hidden, std::size_t n_samples) {
  expect(sizes.size() >= 2 && n_hidden == sizes.size() - 2, "one activation per hidden layer");
  double total = 0;
  for (std::size_t l = 0; l < sizes.size(); ++l) {
    expect(sizes[l] > 0, "a layer needs a width of 1 or more");
    total += double(sizes[l]) * (double(n_samples) + (l > 0 ? double(sizes[l - 1]) : 0));
  }
  // Far more than any machine holds, far less than overflows when it is counted in bytes.
  expect(total < 0x1p50, "the network or its data are too large");
}

// A Problem, a Part or Batches.
template <class Net>
Net make_net(std::vector<std::size_t> sizes, const std::vector<std::string>& hidden, const std::string& loss,
             std::size_t n_samples, bool labels, bool weighted, const std::string& isa, double loss_setting,
             std::vector<double> dropout, std::size_t whole) {
  expect_network(sizes, hidden.size(), std::max(n_samples, whole));
  expect(whole == 0 || n_samples <= whole, "a part is no larger than the whole");
  expect(dropout.empty() || dropout.size() == hidden.size(), "one probability per hidden layer");
  for (double p : dropout) expect(p >= 0 && p < 1, "a probability of dropout is from 0 to below 1");
  Shape shape{std::move(sizes), {}, named<Loss>("loss", loss, LOSS_NAMES), n_samples, labels,
              weighted, loss_setting, std::move(dropout), whole};
  for (const std::string& name : hidden)
    shape.activations.push_back(named<Activation>("activation", name, ACTIVATION_NAMES));
  expect(!labels || shape.loss == Loss::cross_entropy, "only cross_entropy takes class numbers");
  return Net(std::move(shape), isa);
}

// Checks targets and weights of so many rows and hands them to `put`.
template <class T, class Net, class Put>
void checked_put(const Net& problem, std::size_t start, std::size_t rows, std::size_t inputs, nb::object y,
                 const std::optional<Vector<const T>>& weights, const Put& put) {
  const Shape& shape = problem.description();
  expect(inputs == shape.sizes[0] && start <= shape.samples && rows <= shape.samples - start,
         "X does not fit");
  expect(weights.has_value() == shape.weighted && (!weights || weights->shape(0) == rows),
         "weights do not fit");
  const T* w = weights ? weights->data() : nullptr;
  if (shape.labels) {
    Vector<const std::int64_t> numbers;
    expect(nb::try_cast(y, numbers, false) && numbers.shape(0) == rows, "y does not fit");
    put(numbers.data(), nullptr, w);
  } else {
    Matrix<const T> targets;
    expect(nb::try_cast(y, targets, false) && targets.shape(0) == rows &&
               targets.shape(1) == shape.sizes.back(),
           "y does not fit");
    put(nullptr, targets.data(), w);
  }
}

template <class T, class Net>
void put(Net& problem, std::size_t start, Matrix<const T> X, nb::object y,
         std::optional<Vector<const T>> weights) {
  const std::size_t rows = X.shape(0);
  checked_put<T>(problem, start, rows, X.shape(1), y, weights,
                 [&](const std::int64_t* labels, const T* targets, const T* w) {
                   Unlocked unlocked;
                   problem.put(start, rows, X.data(), labels, targets, w);
                 });
}

// Rows first, first + 1, ... of columns: as many as y has.
template <class T>
void put_columns(Part<T>& part, std::size_t start, const std::vector<Vector<const T>>& columns, std::size_t first,
                 nb::object y, std::optional<Vector<const T>> weights) {
  const std::size_t rows = nb::len(y);
  std::vector<const T*> from;
  for (const Vector<const T>& column : columns) {
    expect(first <= column.shape(0) && rows <= column.shape(0) - first, "a column is too short");
    from.push_back(column.data() + first);
  }
  checked_put<T>(part, start, rows, columns.size(), y, weights,
                 [&](const std::int64_t* labels, const T* targets, const T* w) {
                   Unlocked unlocked;
                   part.put_columns(start, rows, from.data(), labels, targets, w);
                 });
}

// Sums of a part of more samples: see Part::add.
template <class T>
void add(Part<T>& part, Vector<const T> theta, Vector<double> sums, std::size_t rows, const Rule& rule,
         bool slope) {
  expect(theta.shape(0) == part.parameters() && sums.shape(0) == part.sums_size(), "parameters do not fit");
  expect(rows <= part.description().samples, "there are fewer rows");
  Unlocked unlocked;
  part.add(theta.data(), sums.data(), rows, rule, slope);
}

template <class T>
double finish(const Part<T>& part, Vector<const T> theta, Matrix<const double> sums,
              std::optional<Vector<T>> gradient, const Rule& rule, double divisor) {
  const std::size_t n = part.parameters();
  expect(theta.shape(0) == n && (!gradient || gradient->shape(0) == n), "parameters do not fit");
  expect(sums.shape(0) == part.chunk_count() && sums.shape(1) == part.sums_size(), "the sums do not fit");
  return part.finish(theta.data(), sums.data(), gradient ? gradient->data() : nullptr, rule, divisor);
}

template <class T>
void add_gauss_newton(Part<T>& part, Vector<const T> theta, Vector<double> sums, std::size_t rows, std::size_t begin,
                      std::size_t end, int threads) {
  const CurvatureSums all = part.curvature_sums();
  expect(theta.shape(0) == part.parameters(), "parameters do not fit");
  expect(begin <= end && end <= all.rows && sums.shape(0) == all.offset(end) - all.offset(begin),
         "the sums do not fit");
  expect(rows <= part.description().samples, "there are fewer rows");
  Unlocked unlocked;
  part.add_gauss_newton(theta.data(), sums.data(), rows, begin, end, threads);
}

template <class T> void expand(const Part<T>& part, Vector<const double> sums, Matrix<double> G) {
  const CurvatureSums all = part.curvature_sums();
  expect(sums.shape(0) == all.size && G.shape(0) == all.parameters && G.shape(1) == all.parameters,
         "the matrix does not fit");
  Unlocked unlocked;
  all.expand(sums.data(), G.data());
}

template <class T>
void add_gauss_newton_product(Part<T>& part, Vector<const T> theta, Vector<const T> vector, Vector<double> sums,
                              std::size_t rows) {
  const std::size_t n = part.parameters();
  expect(theta.shape(0) == n && vector.shape(0) == n, "parameters do not fit");
  expect(sums.shape(0) == part.curvature_parameters(), "the sums do not fit");
  expect(rows <= part.description().samples, "there are fewer rows");
  Unlocked unlocked;
  part.add_gauss_newton_product(theta.data(), vector.data(), sums.data(), rows);
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

// Lets Python's signal handlers run; one of them may set `stop`, or raise.
Poll polling(bool& failed, const std::uint8_t* stop) {
  return [&failed, stop] {
    if (finalizing()) return true;
    nb::gil_scoped_acquire held;
    failed = failed || PyErr_CheckSignals() != 0;
    return failed || is_set(stop);
  };
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

// What a Problem, a Part and Batches are made and filled by.
template <class T, class Net> nb::class_<Net> bind_net(nb::module_& m, const char* name) {
  return nb::class_<Net>(m, name)
      .def(nb::new_(&make_net<Net>), nb::arg("sizes"), nb::arg("hidden"), nb::arg("loss"), nb::arg("n_samples"),
           nb::arg("labels"), nb::arg("weighted"), nb::arg("isa"), nb::arg("loss_setting") = 0.0,
           nb::arg("dropout") = std::vector<double>(), nb::arg("whole") = 0)
      .def_prop_ro("isa", &Net::isa_name)
      .def("put", &put<T, Net>, nb::arg("start"), nb::arg("X").noconvert(), nb::arg("y"),
           nb::arg("weights").noconvert().none());
}

// Steps of L-BFGS: how many, with how many evaluations, the rows of pairs in use, and why it has ended.
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

template <class T> void bind_part(nb::module_& m, const char* name) {
  const auto exact = nb::arg().noconvert();
  const nb::arg number;
  bind_net<T, Part<T>>(m, name)
      .def("put_columns", &put_columns<T>, nb::arg("start"), nb::arg("columns").noconvert(), nb::arg("first"), nb::arg("y"),
           nb::arg("weights").noconvert().none())
      .def_prop_ro("block_rows", &Part<T>::block_rows)
      .def_prop_ro("chunk_rows", &Part<T>::chunk_rows)
      .def_prop_ro("chunk_count", &Part<T>::chunk_count)
      .def_prop_ro("sums_size", &Part<T>::sums_size)
      .def("add", &add<T>, exact, exact, number, number, number)
      .def("finish", &finish<T>, exact, exact, exact.none(), number, number)
      .def_prop_ro("curvature_parameters", &Part<T>::curvature_parameters)
      .def_prop_ro("curvature_slots", &Part<T>::curvature_slots)
      .def("curvature_shares", &Part<T>::curvature_shares)
      .def("expand", &expand<T>, exact, exact)
      .def("add_gauss_newton", &add_gauss_newton<T>, exact, exact, number, number, number, number)
      .def("add_gauss_newton_product", &add_gauss_newton_product<T>, exact, exact, exact, number);
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

// Rows of predictions, or None where the arrays are not of one precision, contiguous and finite.
nb::object call_predictor(const Predictor& predictor, nb::handle theta, nb::handle X, int threads) {
  Vector<const float> narrow;
  if (nb::try_cast(theta, narrow, false)) return predict<float>(predictor, narrow, X, threads);
  Vector<const double> wide;
  if (nb::try_cast(theta, wide, false)) return predict<double>(predictor, wide, X, threads);
  return nb::none();
}

// Epochs made, and whether the next one blew up. `position` is the row and the updates so far; `sum` the
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
           nb::arg("l2"), nb::arg("max_norm"), nb::arg("average") = 0.0, nb::arg("shared") = false,
           nb::arg("floor") = 0.0, nb::arg("part") = 1.0)
      .def_prop_ro("state_rows", &Rule::state_rows);
  const auto exact = nb::arg().noconvert();
  m.def("mirror", &mirror, exact);
  m.def("dot", &inner_product<double, double>, exact, exact);
  m.def("dot", &inner_product<float, float>, exact, exact);
  m.def("dot", &inner_product<double, float>, exact, exact);
  m.def("dot", &inner_product<float, double>, exact, exact);
  bind<float>(m, "Problem32");
  bind<double>(m, "Problem64");
  bind_part<float>(m, "Part32");
  bind_part<double>(m, "Part64");
  bind_batches<float>(m, "Batches32");
  bind_batches<double>(m, "Batches64");
}
