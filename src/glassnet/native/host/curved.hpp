// Computes the Gauss-Newton matrix of all samples, and its product with a vector.
#pragma once

#include "host/curvature_room.hpp"
#include "host/samples.hpp"

namespace glassnet {

template <class T> class Curved : public Samples<T> {
 protected:
  using Samples<T>::block, Samples<T>::blocks_per_chunk, Samples<T>::chunks, Samples<T>::isa;
  using Samples<T>::kernel_parameters, Samples<T>::n_parameters, Samples<T>::pair, Samples<T>::shape;
  using Samples<T>::widths, Samples<T>::chunk_stride, Samples<T>::members_for;
  using Samples<T>::to_kernel;

 public:
  using Samples<T>::Samples;

  // The parameters that gauss_newton's matrix is of.
  std::size_t curvature_parameters() const { return kernel_parameters; }

  // The lower triangle of sum w J^T H J at theta, into G [kernel's parameters][same], of which a pair of
  // classes has fewer (see `pair`). Threads take chunks of samples, and bands of the sums where these are
  // many; which thread takes which has no influence, since each has a place of its own and they are
  // added in order.
  void gauss_newton(const T* theta, double* G, int threads) const {
    const CurvatureSums sums(widths);
    const CurvatureRoom room(widths, this->factors(), block, sizeof(T), LANES<T>, &sums);
    const std::size_t sets = sums.sets(chunks), bands = CurvatureSums::bands(sets);
    Aligned<double> all(sets * sums.size);
    const double work = double(shape.samples) * double(sums.size + 20 * kernel_parameters);
    const int count = int(std::clamp(work / 1e6, 1.0, std::clamp(double(threads), 1.0, double(sets * bands))));
    std::vector<Aligned<T>> scratch;
    for (int thread = 0; thread < count; ++thread) scratch.emplace_back(room.rows * room.plan.stride);
    Aligned<T> converted(pair ? kernel_parameters : 0);
    const T* const parameters = to_kernel(theta, converted.get());
    const Plan<T> plan = this->plan({}, 0);
    const auto kernel = isa.template kernels<T>().curvature.matrix;
    std::atomic<std::size_t> next{0};
    run_team(count, [&](int thread, Barrier&) {
      FlushSubnormals flush;
      for (std::size_t t; (t = next.fetch_add(1, std::memory_order_relaxed)) < sets * bands;) {
        const std::size_t j = t / bands, band = t % bands;
        const std::size_t begin = sums.edge(0, sums.rows, band, bands), end = sums.edge(0, sums.rows, band + 1, bands);
        const std::size_t first = chunks * j / sets * blocks_per_chunk;
        const std::size_t last = chunks * (j + 1) / sets * blocks_per_chunk;
        for (std::size_t b = first; b < last && begin < end; ++b)
          kernel(plan, room.plan, parameters, b, begin, end, scratch[thread].get(),
                 all.get() + j * sums.size + sums.offset(begin));
      }
    });
    for (std::size_t j = 1; j < sets; ++j)
      for (std::size_t p = 0; p < sums.size; ++p) all.get()[p] += all.get()[j * sums.size + p];
    sums.expand(all.get(), G);
  }

  // The same matrix, or rather the network's, times a vector of the network's parameters, into `sums` [kernel's
  // parameters]; a pair's first class has what the second one has, with the other sign.
  void gauss_newton_product(const T* theta, const T* vector, double* sums, int threads) const {
    const std::size_t n = kernel_parameters;
    const CurvatureRoom room(widths, this->factors(), block, sizeof(T), LANES<T>, nullptr);
    Aligned<double> chunk_sums(chunks * chunk_stride());
    const int count = members_for(threads, 5e5);
    std::vector<Aligned<T>> scratch;
    for (int thread = 0; thread < count; ++thread) scratch.emplace_back(room.rows * room.plan.stride);
    Aligned<T> converted[2] = {Aligned<T>(pair ? n : 0), Aligned<T>(pair ? n : 0)};
    const T* const parameters = to_kernel(theta, converted[0].get());
    const T* const direction = to_kernel(vector, converted[1].get());
    const Plan<T> plan = this->plan({}, 0);
    const auto kernel = isa.template kernels<T>().curvature.product;
    std::atomic<std::size_t> next{0};
    run_team(count, [&](int thread, Barrier&) {
      FlushSubnormals flush;
      for (std::size_t c; (c = next.fetch_add(1, std::memory_order_relaxed)) < chunks;)
        for (std::size_t b = 0; b < blocks_per_chunk; ++b)
          kernel(plan, room.plan, parameters, direction, c * blocks_per_chunk + b, scratch[thread].get(),
                 chunk_sums.get() + c * chunk_stride());
    });
    for (std::size_t c = 1; c < chunks; ++c)
      for (std::size_t p = 0; p < n; ++p) chunk_sums.get()[p] += chunk_sums.get()[c * chunk_stride() + p];
    std::copy_n(chunk_sums.get(), n, sums);
  }
};

}  // namespace glassnet
