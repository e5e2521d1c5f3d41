// Predicts by a network without data. Nothing of it changes, so any number of threads may call it.
#pragma once

#include "host/net.hpp"

namespace glassnet {

class Predictor {
  std::vector<std::size_t> widths;
  std::vector<Activation> activations;
  Link link;
  std::size_t count = 0;
  Isa isa;

 public:
  Predictor(std::vector<std::size_t> sizes, std::vector<Activation> hidden, Link link, const std::string& isa)
      : widths(std::move(sizes)), activations(std::move(hidden)), link(link), isa(choose_isa(isa)) {
    for (std::size_t l = 1; l < widths.size(); ++l) count += (widths[l - 1] + 1) * widths[l];
  }

  std::size_t inputs() const { return widths.front(); }
  std::size_t outputs() const { return widths.back(); }
  std::size_t parameters() const { return count; }

  template <class T> bool all_finite(const T* x, std::size_t n) const {
    return isa.kernels<T>().all_finite(x, n);
  }

  template <class T>
  void predict(const T* parameters, const T* X, std::size_t n, T* out, int threads) const {
    const std::size_t widest = *std::max_element(widths.begin(), widths.end()), lanes = LANES<T>;
    const ForwardPlan<T> plan{widths.size() - 1,  widths.data(), activations.data(), link,
                              (widest + lanes - 1) / lanes * lanes, parameters};
    const Forward<T> forward = isa.kernels<T>().forward;
    const std::size_t blocks = (n + FORWARD_BLOCK - 1) / FORWARD_BLOCK;
    const double operations = double(n) * (2.0 * double(count) + 40.0 * double(widest));
    const int most = int(std::min<double>(double(blocks), std::min(double(threads), operations / 2e6)));
    if (most <= 1) {
      // Kept from call to call: one row takes less time than an allocation of this size.
      thread_local Aligned<T> room;
      thread_local std::size_t size = 0;
      const std::size_t needed = forward_scratch(plan, n);
      if (size < needed) {
        room = Aligned<T>(needed);
        size = needed;
      }
      FlushSubnormals flush;
      forward(plan, X, n, out, room.get());
      return;
    }
    std::vector<Aligned<T>> rooms;
    for (int t = 0; t < most; ++t) rooms.emplace_back(forward_scratch(plan, n));
    run_team(most, [&](int thread, Barrier& barrier) {
      FlushSubnormals flush;
      const std::size_t members = std::size_t(barrier.members), me = std::size_t(thread);
      const std::size_t begin = blocks * me / members * FORWARD_BLOCK;
      const std::size_t end = std::min(n, blocks * (me + 1) / members * FORWARD_BLOCK);
      if (begin < end)
        forward(plan, X + begin * inputs(), end - begin, out + begin * outputs(), rooms[me].get());
    });
  }
};

}  // namespace glassnet
