// The Python bindings that problems, partial problems and batches have in common: construction, filling, checks.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "bindings/interpreter.hpp"

namespace glassnet {

namespace nb = nanobind;

template <class T> using Vector = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T> using Matrix = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <class E, std::size_t n>
E named(const char* kind, const std::string& name, const char* const (&names)[n]) {
  for (std::size_t i = 0; i < n; ++i)
    if (name == names[i]) return E(i);
  throw std::invalid_argument(std::string("the native engine has no ") + kind + " '" + name + "'");
}

inline void expect(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

// Checks a network of these sizes, over so many samples.
inline void expect_network(const std::vector<std::size_t>& sizes, std::size_t n_hidden, std::size_t n_samples) {
  expect(sizes.size() >= 2 && n_hidden == sizes.size() - 2, "one activation per hidden layer");
  double total = 0;
  for (std::size_t l = 0; l < sizes.size(); ++l) {
    expect(sizes[l] > 0, "a layer needs a width of 1 or more");
    total += double(sizes[l]) * (double(n_samples) + (l > 0 ? double(sizes[l - 1]) : 0));
  }
  // Far more than any machine holds, far less than overflows when it is counted in bytes.
  expect(total < 0x1p50, "the network or its data are too large");
}

// A Problem, a PartialProblem or Batches.
template <class Net>
Net make_net(std::vector<std::size_t> sizes, const std::vector<std::string>& hidden, const std::string& loss,
             std::size_t n_samples, bool labels, bool weighted, const std::string& isa, double loss_setting,
             std::vector<double> dropout, std::size_t whole) {
  expect_network(sizes, hidden.size(), std::max(n_samples, whole));
  expect(whole == 0 || n_samples <= whole, "a partial problem is no larger than the whole problem");
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

// Binds how a Problem, a PartialProblem and Batches are constructed and filled.
template <class T, class Net> nb::class_<Net> bind_net(nb::module_& m, const char* name) {
  return nb::class_<Net>(m, name)
      .def(nb::new_(&make_net<Net>), nb::arg("sizes"), nb::arg("hidden"), nb::arg("loss"), nb::arg("n_samples"),
           nb::arg("labels"), nb::arg("weighted"), nb::arg("isa"), nb::arg("loss_setting") = 0.0,
           nb::arg("dropout") = std::vector<double>(), nb::arg("whole") = 0)
      .def_prop_ro("isa", &Net::isa_name)
      .def("put", &put<T, Net>, nb::arg("start"), nb::arg("X").noconvert(), nb::arg("y"),
           nb::arg("weights").noconvert().none());
}

}  // namespace glassnet
