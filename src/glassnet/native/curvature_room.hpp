// How the work of a curvature kernel is laid out, from the network's shape alone: its scratch, and the
// shares of the Gauss-Newton matrix.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "plan.hpp"

namespace glassnet {

struct CurvatureRoom {
  std::vector<std::size_t> hidden, slopes;
  std::size_t rows = 0;
  CurvaturePlan plan{};

  CurvatureRoom(const std::vector<std::size_t>& widths, std::size_t block, std::size_t bytes, std::size_t lanes,
                bool matrix) {
    const std::size_t layers = widths.size() - 1, outputs = widths.back();
    const std::size_t widest = *std::max_element(widths.begin() + 1, widths.end());
    auto take = [this](std::size_t count) {
      const std::size_t first = rows;
      rows += count;
      return first;
    };
    std::size_t n = 0;
    for (std::size_t l = 1; l <= layers; ++l) n += (widths[l - 1] + 1) * widths[l];
    for (std::size_t l = 0; l < layers; ++l) {
      hidden.push_back(take(widths[l]));
      slopes.push_back(l > 0 ? take(widths[l]) : 0);
    }
    plan.parameters = n;
    plan.output = take(outputs);
    plan.tails = take(outputs);
    plan.weight = take(1);
    for (std::size_t& error : plan.errors) error = take(widest);
    plan.spare = take(widest);
    plan.many = matrix && n > MANY;
    if (matrix) plan.jacobian = take(n);
    if (plan.many) plan.by_sample = take((n + lanes - 1) / lanes * lanes);
    // What is taken through at once fits a second-level cache; with very many rows it is what pays for
    // adding to the sums. Parts of a block as equal as can be.
    const std::size_t fit = std::clamp<std::size_t>((std::size_t(256) << 10) / (rows * bytes), 64, 256);
    const std::size_t parts = (block + fit - 1) / fit, even = (block + parts - 1) / parts;
    plan.part = (even + lanes - 1) / lanes * lanes;
    plan.hidden = hidden.data();
    plan.slopes = slopes.data();
  }
  CurvatureRoom(const CurvatureRoom&) = delete;

  // Parameters above which they go into the lanes.
  static constexpr std::size_t MANY = 48;

  // How many matrices are summed apart: 8 MiB of them, and one at least.
  static std::size_t slots(std::size_t n, std::size_t chunks) {
    return std::clamp<std::size_t>((std::size_t(1) << 20) / (n * n), 1, chunks);
  }
  // Bands of rows of each, so that there is something to share where there are few of them.
  static std::size_t bands(std::size_t slots) { return slots >= 8 ? 1 : (7 + slots) / slots; }
  // Where a band of rows begin .. end begins: bands of a triangle with about the same area.
  static std::size_t edge(std::size_t begin, std::size_t end, std::size_t band, std::size_t bands) {
    if (band == bands) return end;
    const double first = double(begin) * double(begin), all = double(end) * double(end) - first;
    return std::max(begin, std::size_t(std::sqrt(first + all * double(band) / double(bands))) / 24 * 24);
  }
};

}  // namespace glassnet
