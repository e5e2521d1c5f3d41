// The Python bindings of a partial problem, whose chunks streamed data fill and sum.
#pragma once

#include "bindings/binding.hpp"
#include "host/partial_problem.hpp"

namespace glassnet {

// Rows first, first + 1, ... of columns: as many as y has.
template <class T>
void put_columns(PartialProblem<T>& problem, std::size_t start, const std::vector<Vector<const T>>& columns, std::size_t first,
                 nb::object y, std::optional<Vector<const T>> weights) {
  const std::size_t rows = nb::len(y);
  std::vector<const T*> from;
  for (const Vector<const T>& column : columns) {
    expect(first <= column.shape(0) && rows <= column.shape(0) - first, "a column is too short");
    from.push_back(column.data() + first);
  }
  checked_put<T>(problem, start, rows, columns.size(), y, weights,
                 [&](const std::int64_t* labels, const T* targets, const T* w) {
                   Unlocked unlocked;
                   problem.put_columns(start, rows, from.data(), labels, targets, w);
                 });
}

// Adds to the sums of a chunk: see PartialProblem::add.
template <class T>
void add(PartialProblem<T>& problem, Vector<const T> theta, Vector<double> sums, std::size_t rows, const Rule& rule,
         bool slope) {
  expect(theta.shape(0) == problem.parameters() && sums.shape(0) == problem.sums_size(), "parameters do not fit");
  expect(rows <= problem.description().samples, "there are fewer rows");
  Unlocked unlocked;
  problem.add(theta.data(), sums.data(), rows, rule, slope);
}

template <class T>
double finish(const PartialProblem<T>& problem, Vector<const T> theta, Matrix<const double> sums,
              std::optional<Vector<T>> gradient, const Rule& rule, double divisor) {
  const std::size_t n = problem.parameters();
  expect(theta.shape(0) == n && (!gradient || gradient->shape(0) == n), "parameters do not fit");
  expect(sums.shape(0) == problem.chunk_count() && sums.shape(1) == problem.sums_size(), "the sums do not fit");
  return problem.finish(theta.data(), sums.data(), gradient ? gradient->data() : nullptr, rule, divisor);
}

// One update by the rule, of the arrays themselves: the gradient is clipped in place.
template <class T>
void update(const PartialProblem<T>& problem, Vector<T> theta, Matrix<T> state, Vector<T> gradient, const Rule& rule, double rate,
            std::int64_t t) {
  const std::size_t n = problem.parameters();
  expect(theta.shape(0) == n && gradient.shape(0) == n, "parameters do not fit");
  expect(state.shape(0) == rule.state_rows() && state.shape(1) == n, "the optimizer's state does not fit");
  expect(t >= 1, "updates are counted from 1");
  const std::vector<std::size_t>& sizes = problem.description().sizes;
  std::vector<double> squares(*std::max_element(sizes.begin(), sizes.end()));
  Unlocked unlocked;
  FlushSubnormals flush;
  problem.update(rule, rate, t, theta.data(), state.data(), gradient.data(), squares.data());
}

template <class T>
void add_gauss_newton(PartialProblem<T>& problem, Vector<const T> theta, Vector<double> sums, std::size_t rows, std::size_t begin,
                      std::size_t end, int threads) {
  const CurvatureSums all = problem.curvature_sums();
  expect(theta.shape(0) == problem.parameters(), "parameters do not fit");
  expect(begin <= end && end <= all.rows && sums.shape(0) == all.offset(end) - all.offset(begin),
         "the sums do not fit");
  expect(rows <= problem.description().samples, "there are fewer rows");
  Unlocked unlocked;
  problem.add_gauss_newton(theta.data(), sums.data(), rows, begin, end, threads);
}

template <class T> void expand(const PartialProblem<T>& problem, Vector<const double> sums, Matrix<double> G) {
  const CurvatureSums all = problem.curvature_sums();
  expect(sums.shape(0) == all.size && G.shape(0) == all.parameters && G.shape(1) == all.parameters,
         "the matrix does not fit");
  Unlocked unlocked;
  all.expand(sums.data(), G.data());
}

template <class T>
void add_gauss_newton_product(PartialProblem<T>& problem, Vector<const T> theta, Vector<const T> vector, Vector<double> sums,
                              std::size_t rows) {
  const std::size_t n = problem.parameters();
  expect(theta.shape(0) == n && vector.shape(0) == n, "parameters do not fit");
  expect(sums.shape(0) == problem.curvature_parameters(), "the sums do not fit");
  expect(rows <= problem.description().samples, "there are fewer rows");
  Unlocked unlocked;
  problem.add_gauss_newton_product(theta.data(), vector.data(), sums.data(), rows);
}

template <class T> void bind_partial_problem(nb::module_& m, const char* name) {
  const auto exact = nb::arg().noconvert();
  const nb::arg number;
  bind_net<T, PartialProblem<T>>(m, name)
      .def("put_columns", &put_columns<T>, nb::arg("start"), nb::arg("columns").noconvert(), nb::arg("first"), nb::arg("y"),
           nb::arg("weights").noconvert().none())
      .def_prop_ro("block_rows", &PartialProblem<T>::block_rows)
      .def_prop_ro("chunk_rows", &PartialProblem<T>::chunk_rows)
      .def_prop_ro("chunk_count", &PartialProblem<T>::chunk_count)
      .def_prop_ro("sums_size", &PartialProblem<T>::sums_size)
      .def("add", &add<T>, exact, exact, number, number, number)
      .def("finish", &finish<T>, exact, exact, exact.none(), number, number)
      .def_prop_ro("curvature_parameters", &PartialProblem<T>::curvature_parameters)
      .def_prop_ro("curvature_chunk_edges", &PartialProblem<T>::curvature_chunk_edges)
      .def("update", &update<T>, exact, exact, exact, number, number, number)
      .def("curvature_row_edges", &PartialProblem<T>::curvature_row_edges)
      .def("expand", &expand<T>, exact, exact)
      .def("add_gauss_newton", &add_gauss_newton<T>, exact, exact, number, number, number, number)
      .def("add_gauss_newton_product", &add_gauss_newton_product<T>, exact, exact, exact, number);
}

}  // namespace glassnet
