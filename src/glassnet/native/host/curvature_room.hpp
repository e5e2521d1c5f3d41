// The layout of a curvature kernel's scratch and of the sums of the Gauss-Newton matrix, from the network's
// shape alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "host/plan.hpp"

namespace glassnet {

// The sums of few parameters are the matrix, of which the lower triangle counts; those of many are blocks, of
// every pair of layers, in which each different entry is there once. Rows of sums lie one behind the other.
class CurvatureSums {
  std::vector<std::size_t> widths, starts;

 public:
  // Parameters above which there are blocks.
  static constexpr std::size_t MANY = 48;
  // Pairs of errors take the longest to make, so these lie in the lanes, where they are made once, if there are
  // so many that the lanes are filled.
  static constexpr std::size_t ENOUGH = 128;

  std::size_t parameters = 0, rows = 0, size = 0;
  std::vector<CurvatureBlock> blocks;

  explicit CurvatureSums(const std::vector<std::size_t>& widths) : widths(widths) {
    for (std::size_t l = 1; l < widths.size(); ++l) {
      starts.push_back(parameters);
      parameters += (widths[l - 1] + 1) * widths[l];
    }
    if (!many()) {
      rows = parameters;
      size = rows * parameters;
      return;
    }
    for (std::size_t l = 1; l < widths.size(); ++l)
      for (std::size_t m = 1; m <= l; ++m) {
        const std::size_t inputs = pairs(widths[l - 1] + 1, widths[m - 1] + 1, l == m);
        const std::size_t errors = pairs(widths[l], widths[m], l == m);
        const bool across = errors >= inputs || errors >= ENOUGH;
        blocks.push_back({l, m, across ? inputs : errors, across ? errors : inputs, across, rows, size});
        rows += blocks.back().rows;
        size += inputs * errors;
      }
  }

  bool many() const { return parameters > MANY; }

  // Where a row's sums begin.
  std::size_t offset(std::size_t row) const {
    if (!many()) return row * parameters;
    for (const CurvatureBlock& block : blocks)
      if (row < block.first_row + block.rows) return block.first + (row - block.first_row) * block.columns;
    return size;
  }

  // How many sets of them are summed apart: 8 MiB of them, and one at least.
  std::size_t sets(std::size_t chunks) const {
    return std::clamp<std::size_t>((std::size_t(1) << 20) / size, 1, chunks);
  }
  // Bands of each set of sums, so that threads have enough to divide where there are few sets.
  static std::size_t bands(std::size_t sets) { return sets >= 8 ? 1 : (7 + sets) / sets; }

  // The row where band number `band` of rows begin .. end begins; all `count` bands have about as many sums.
  std::size_t edge(std::size_t begin, std::size_t end, std::size_t band, std::size_t count) const {
    if (band == 0 || band >= count) return band == 0 ? begin : end;
    const std::size_t first = offset(begin), target = first + (offset(end) - first) * band / count;
    std::size_t low = begin, high = end;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (offset(middle) < target) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // The lower triangle [parameters][parameters], from all sums.
  void expand(const double* sums, double* G) const {
    const std::size_t n = parameters;
    if (!many()) {
      std::copy_n(sums, n * n, G);
      return;
    }
    for (const CurvatureBlock& block : blocks) {
      const std::size_t l = block.layer, m = block.before, wl = widths[l], wm = widths[m];
      const bool same = l == m;
      for (std::size_t i = 0; i <= widths[l - 1]; ++i)
        for (std::size_t j = 0; j <= (same ? i : widths[m - 1]); ++j) {
          const std::size_t inputs = same ? i * (i + 1) / 2 + j : i * (widths[m - 1] + 1) + j;
          for (std::size_t o = 0; o < wl; ++o) {
            double* const to = G + (starts[l - 1] + i * wl + o) * n + starts[m - 1] + j * wm;
            const std::size_t last = same && i == j ? o + 1 : wm;
            for (std::size_t p = 0; p < last; ++p) {
              const std::size_t errors = !same ? o * wm + p : o >= p ? o * (o + 1) / 2 + p : p * (p + 1) / 2 + o;
              to[p] = sums[block.first + (block.errors_in_lanes ? inputs * block.columns + errors
                                                                : errors * block.columns + inputs)];
            }
          }
        }
    }
  }

 private:
  static std::size_t pairs(std::size_t a, std::size_t b, bool same) { return same ? a * (a + 1) / 2 : a * b; }
};

struct CurvatureRoom {
  std::vector<std::size_t> hidden, slopes, deltas;
  std::size_t rows = 0;
  CurvaturePlan plan{};

  // For products with vectors where there are no sums.
  CurvatureRoom(const std::vector<std::size_t>& widths, std::size_t factors, std::size_t block, std::size_t bytes,
                std::size_t lanes, const CurvatureSums* sums) {
    const std::size_t layers = widths.size() - 1, outputs = widths.back();
    const std::size_t widest = *std::max_element(widths.begin() + 1, widths.end());
    auto take = [this](std::size_t count) {
      const std::size_t first = rows;
      rows += count;
      return first;
    };
    for (std::size_t l = 0; l < layers; ++l) {
      plan.parameters += (widths[l] + 1) * widths[l + 1];
      hidden.push_back(take(widths[l] + 1));
      slopes.push_back(l > 0 ? take(widths[l]) : 0);
    }
    plan.output = take(outputs);
    plan.tails = take(outputs);
    plan.weight = take(1);
    for (std::size_t& error : plan.errors) error = take(widest);
    plan.spare = take(widest);
    plan.many = sums && sums->many();
    if (plan.many) {
      plan.blocks = sums->blocks.data();
      plan.n_blocks = sums->blocks.size();
      deltas.push_back(0);
      for (std::size_t l = 1; l <= layers; ++l) deltas.push_back(take(factors * widths[l]));
      plan.tile = take(CURVATURE_ROWS);
      plan.lanes = take(CURVATURE_GROUPS * lanes);
      plan.panels = take(CURVATURE_GROUPS * lanes);
    } else if (sums) {
      plan.jacobian = take(plan.parameters);
    }
    // Of few parameters, and of products, what is taken through at once fits a second-level cache; of many it
    // pays for adding to the sums. Parts of a block as equal as can be.
    const std::size_t most = std::size_t(plan.many ? 4096 : 256) << 10, least = plan.many ? 32 : 64;
    const std::size_t fit = std::clamp<std::size_t>(most / (rows * bytes), least, 256);
    const std::size_t parts = (block + fit - 1) / fit, even = (block + parts - 1) / parts;
    plan.stride = (even + lanes - 1) / lanes * lanes;
    plan.hidden = hidden.data();
    plan.slopes = slopes.data();
    plan.deltas = deltas.data();
  }
  CurvatureRoom(const CurvatureRoom&) = delete;
};

}  // namespace glassnet
