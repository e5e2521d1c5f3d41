// A partial problem: some of the samples of a larger one (see Shape::whole), which arrive block by block.
#pragma once

#include "host/curvature_room.hpp"
#include "host/samples.hpp"

namespace glassnet {

// Blocks, chunks and the order of every sum are those of all samples: `add`, called for a chunk's blocks one
// after the other, and `finish`, called for the chunks, give the bits of Problem::loss_and_gradient.
template <class T> class PartialProblem : public Samples<T> {
  using Samples<T>::block, Samples<T>::blocks_per_chunk, Samples<T>::chunks, Samples<T>::isa;
  using Samples<T>::kernel_parameters, Samples<T>::mask, Samples<T>::n_parameters, Samples<T>::pair;
  using Samples<T>::panels, Samples<T>::shape, Samples<T>::target_rows, Samples<T>::updates;
  using Samples<T>::weights, Samples<T>::widths, Samples<T>::X, Samples<T>::Y;
  using Samples<T>::from_kernel, Samples<T>::to_kernel;

 public:
  using Samples<T>::Samples;

  std::size_t block_rows() const { return block; }
  std::size_t chunk_rows() const { return block * blocks_per_chunk; }
  std::size_t chunk_count() const { return chunks; }
  std::size_t sums_size() const { return kernel_parameters + 1; }

  // Adds the gradient of the first `rows` samples that are packed here to a chunk's `sums`, and their loss to
  // its last place; without `slope` the loss alone. Only the last of all samples may leave a block unfilled.
  void add(const T* theta, double* sums, std::size_t rows, const Rule& rule, bool slope) {
    FlushSubnormals flush;
    clear_behind(rows);
    Aligned<T> scratch(panels.back() * block), converted(pair ? kernel_parameters : 0);
    const T* const parameters = to_kernel(theta, converted.get());
    const Plan<T> plan = plan_of(rows, rule.min_probability);
    const Pass<T> pass = isa.template kernels<T>().pass;
    double& loss = sums[kernel_parameters];
    for (std::size_t b = 0; b * block < rows; ++b)
      loss += pass(plan, parameters, b, scratch.get(), slope ? sums : nullptr);
  }

  std::size_t curvature_parameters() const { return kernel_parameters; }
  CurvatureSums curvature_sums() const { return CurvatureSums(widths); }

  // The chunks that the sets of Curved::gauss_newton begin with, and where the last one ends.
  std::vector<std::size_t> curvature_chunk_edges() const {
    const std::size_t sets = CurvatureSums(widths).sets(chunks);
    std::vector<std::size_t> edges;
    for (std::size_t j = 0; j <= sets; ++j) edges.push_back(chunks * j / sets);
    return edges;
  }

  // The rows of a set's sums where `count` bands of about the same size begin, and where their sums do; the
  // last ones are the end.
  std::vector<std::pair<std::size_t, std::size_t>> curvature_row_edges(std::size_t count) const {
    const CurvatureSums all(widths);
    std::vector<std::pair<std::size_t, std::size_t>> edges;
    for (std::size_t band = 0; band <= count; ++band) {
      const std::size_t row = all.edge(0, all.rows, band, count);
      edges.push_back({row, all.offset(row)});
    }
    return edges;
  }

  // Adds what the first `rows` samples make of rows begin .. end of a set's sums to these, `sums`. The
  // threads divide them as in Curved::gauss_newton.
  void add_gauss_newton(const T* theta, double* sums, std::size_t rows, std::size_t begin, std::size_t end,
                        int threads) {
    clear_behind(rows);
    const CurvatureSums all(widths);
    const CurvatureRoom room(widths, this->factors(), block, sizeof(T), LANES<T>, &all);
    const std::size_t count = std::size_t(std::max(threads, 1));
    std::vector<Aligned<T>> scratch;
    for (std::size_t t = 0; t < count; ++t) scratch.emplace_back(room.rows * room.plan.stride);
    Aligned<T> converted(pair ? kernel_parameters : 0);
    const T* const parameters = to_kernel(theta, converted.get());
    const Plan<T> plan = plan_of(rows, 0);
    const auto kernel = isa.template kernels<T>().curvature.matrix;
    run_team(int(count), [&](int thread, Barrier&) {
      FlushSubnormals flush;
      const std::size_t from = all.edge(begin, end, thread, count), to = all.edge(begin, end, thread + 1, count);
      if (from == to) return;
      for (std::size_t b = 0; b * block < rows; ++b)
        kernel(plan, room.plan, parameters, b, from, to, scratch[thread].get(),
               sums + all.offset(from) - all.offset(begin));
    });
  }

  // Adds the same matrix times a vector to a chunk's `sums` [the kernel's parameters].
  void add_gauss_newton_product(const T* theta, const T* vector, double* sums, std::size_t rows) {
    FlushSubnormals flush;
    clear_behind(rows);
    const std::size_t n = kernel_parameters;
    const CurvatureRoom room(widths, this->factors(), block, sizeof(T), LANES<T>, nullptr);
    Aligned<T> scratch(room.rows * room.plan.stride), converted[2] = {Aligned<T>(pair ? n : 0), Aligned<T>(pair ? n : 0)};
    const T* const parameters = to_kernel(theta, converted[0].get());
    const T* const direction = to_kernel(vector, converted[1].get());
    const Plan<T> plan = plan_of(rows, 0);
    const auto kernel = isa.template kernels<T>().curvature.product;
    for (std::size_t b = 0; b * block < rows; ++b)
      kernel(plan, room.plan, parameters, direction, b, scratch.get(), sums);
  }

  // The loss over `divisor` with the rule's penalties and, unless it is null, its gradient, from the sums
  // [chunks][sums_size()] of all chunks.
  double finish(const T* theta, const double* sums, T* gradient, const Rule& rule, double divisor) const {
    FlushSubnormals flush;
    std::vector<double> total(sums, sums + sums_size());
    for (std::size_t c = 1; c < chunks; ++c)
      for (std::size_t p = 0; p < sums_size(); ++p) total[p] += sums[c * sums_size() + p];
    double loss = rule.loss_scale * total[kernel_parameters] / divisor;
    if (gradient) from_kernel(total.data(), divisor, gradient);
    if (rule.penalizes())
      loss += sum_over_ranges(n_parameters, [&](std::size_t begin, std::size_t end) {
        return updates().penalize(rule, theta, mask.get(), gradient, begin, end);
      });
    return loss;
  }

 private:
  Plan<T> plan_of(std::size_t rows, double min_probability) const {
    Plan<T> plan = this->plan({}, min_probability);
    plan.samples = rows;
    return plan;
  }

  // What is left of an unfilled block is as empty as where all samples are packed at once.
  void clear_behind(std::size_t rows) {
    const std::size_t last = rows / block, begun = rows % block;
    if (begun == 0) return;
    auto clear = [&](T* panel, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i)
        std::fill_n(panel + (last * count + i) * block + begun, block - begun, T(0));
    };
    clear(X.get(), widths[0]);
    clear(Y.get(), target_rows);
    if (shape.weighted) clear(weights.get(), 1);
  }
};

}  // namespace glassnet
