// A part of more samples (see Shape::whole), which come block by block.
#pragma once

#include "samples.hpp"

namespace glassnet {

// Blocks and chunks are those of all samples, and so is the order of every sum: what `add` makes of a chunk's
// blocks, one after the other, and `finish` of the chunks, has the bits of Problem::loss_and_gradient.
template <class T> class Part : public Samples<T> {
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
    const std::size_t last = rows / block, begun = rows % block;
    if (begun > 0) {  // an unfilled block is as empty as where all samples are packed at once
      auto clear = [&](T* panel, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
          std::fill_n(panel + (last * count + i) * block + begun, block - begun, T(0));
      };
      clear(X.get(), widths[0]);
      clear(Y.get(), target_rows);
      if (shape.weighted) clear(weights.get(), 1);
    }
    Aligned<T> scratch(panels.back() * block), converted(pair ? kernel_parameters : 0);
    const T* const parameters = to_kernel(theta, converted.get());
    Plan<T> plan = this->plan({}, rule.floor);
    plan.samples = rows;
    const Pass<T> pass = isa.template kernels<T>().pass;
    double& loss = sums[kernel_parameters];
    for (std::size_t b = 0; b * block < rows; ++b)
      loss += pass(plan, parameters, b, scratch.get(), slope ? sums : nullptr);
  }

  // The loss over `divisor` with the rule's penalties and, unless it is null, its gradient, from the sums
  // [chunks][sums_size()] of all chunks.
  double finish(const T* theta, const double* sums, T* gradient, const Rule& rule, double divisor) const {
    FlushSubnormals flush;
    std::vector<double> total(sums, sums + sums_size());
    for (std::size_t c = 1; c < chunks; ++c)
      for (std::size_t p = 0; p < sums_size(); ++p) total[p] += sums[c * sums_size() + p];
    double loss = rule.part * total[kernel_parameters] / divisor;
    if (gradient) from_kernel(total.data(), divisor, gradient);
    if (rule.penalizes())
      loss += sum_over_ranges(n_parameters, [&](std::size_t begin, std::size_t end) {
        return updates().penalize(rule, theta, mask.get(), gradient, begin, end);
      });
    return loss;
  }
};

}  // namespace glassnet
