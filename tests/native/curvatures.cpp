// The Gauss-Newton matrix, and its product with a vector: bits, and that one is the other's.
#include "networks.hpp"

namespace glassnet {

namespace {

template <class T> std::uint64_t curvature(const Shape& shape, const char* isa, int threads) {
  Problem<T> problem(shape, isa);
  Random random(shape.samples + shape.sizes[0]);
  const Data<T> data(shape, random);
  data.put(shape, problem, 0, shape.samples);
  const std::size_t n = problem.parameters(), m = problem.curvature_parameters();
  const std::vector<T> theta = some_parameters<T>(n, 1, random), along = some_parameters<T>(n, 1, random);
  std::vector<double> matrix(m * m), product(n);
  problem.gauss_newton(theta.data(), matrix.data(), threads);
  problem.gauss_newton_product(theta.data(), along.data(), product.data(), threads);
  if (m == n) {
    double largest = 0, off = 0;
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += matrix[std::max(i, j) * n + std::min(i, j)] * double(along[j]);
      largest = std::max(largest, std::abs(sum));
      off = std::max(off, std::abs(sum - product[i]));
    }
    require(off <= (sizeof(T) == 8 ? 1e-11 : 1e-3) * largest, "the product is not the matrix's");
  }
  Hash hash;
  hash.add(matrix);
  hash.add(product);
  return hash.value();
}

}  // namespace

std::vector<Check> curvatures() {
  using enum Activation;
  using enum Loss;
  std::vector<Shape> shapes;
  for (Loss loss : {cross_entropy, binary_cross_entropy, squared_error, poisson}) {
    shapes.push_back({{3, 5, 4}, {logistic}, loss, 257, false, false});
    shapes.push_back({{2, 9, 7, 3}, {gelu, relu}, loss, 131, false, true});
  }
  shapes.push_back({{4, 3}, {}, cross_entropy, 1, true, false});
  shapes.push_back({{2, 3, 2}, {logistic}, cross_entropy, 5003, true, false});
  // So many parameters that matrices are few and rows are shared out.
  shapes.push_back({{20, 25, 2}, {tanh}, squared_error, 301, false, true});
  std::vector<Check> all;
  for (const Shape& shape : shapes)
    in_both(all, [&]<class T>(T) {
      return Check{std::string(precision<T>()) + " curvature " + name_of(shape),
                   [shape](const char* isa, int threads, int) { return curvature<T>(shape, isa, threads); }};
    });
  return all;
}

}  // namespace glassnet
