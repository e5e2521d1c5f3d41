// Packs a network's samples block by block and divides them into chunks: the base of every sum over them.
#pragma once

#include "host/net.hpp"

namespace glassnet {

template <class T> class Samples : public Net<T> {
 protected:
  using Net<T>::drops, Net<T>::isa, Net<T>::n_parameters, Net<T>::offsets, Net<T>::pair, Net<T>::shape;
  using Net<T>::target_rows, Net<T>::widths, Net<T>::last_of_pair, Net<T>::last_units, Net<T>::layers;
  using Net<T>::loss_kind;

  std::vector<std::size_t> panels, slopes;
  std::size_t kernel_parameters;
  std::size_t block, blocks_per_chunk, chunks;
  Aligned<T> X, Y, weights;

 public:
  Samples(Shape given, const std::string& isa_name) : Net<T>(std::move(given), isa_name) {
    const std::size_t layers = this->layers();
    kernel_parameters = n_parameters - (pair ? last_units() : 0);
    std::size_t rows = 0;
    for (std::size_t l = 1; l <= layers; ++l) {
      panels.push_back(rows);
      rows += widths[l];
    }
    for (std::size_t l = 1; l < layers; ++l) {
      const bool stored = shape.keeps_slope(l);
      slopes.push_back(stored ? rows : NO_SLOPES);
      if (stored) rows += widths[l];
    }
    panels.push_back(rows);
    const std::size_t widest = *std::max_element(widths.begin() + 1, widths.end());
    panels.push_back(rows + widest);
    const std::size_t by_sample = widest > 4 ? (widest + LANES<T> - 1) / LANES<T> * LANES<T> : 0;
    panels.push_back(rows + widest + by_sample);
    lay_out();
    const std::size_t padded = (shape.whole ? (shape.samples + block - 1) / block : blocks()) * block;
    X = Aligned<T>(padded * widths[0]);
    Y = Aligned<T>(padded * target_rows);
    if (shape.weighted) weights = Aligned<T>(padded);
  }

  // Packs rows start, start + 1, ... of X [rows][inputs]; their targets, as class numbers or as rows
  // [rows][outputs]; their weights.
  void put(std::size_t start, std::size_t rows, const T* x, const std::int64_t* labels, const T* y, const T* w) {
    const std::size_t inputs = widths[0];
    const auto transpose = isa.template kernels<T>().transpose;
    for_blocks(start, rows, [&](std::size_t r, std::size_t some, std::size_t b, std::size_t s) {
      transpose(x + r * inputs, some, inputs, X.get() + b * inputs * block + s, block);
    });
    put_targets(start, rows, labels, y, w);
  }

  // The same of columns [inputs][rows], which may lie anywhere.
  void put_columns(std::size_t start, std::size_t rows, const T* const* columns, const std::int64_t* labels,
                   const T* y, const T* w) {
    const std::size_t inputs = widths[0];
    for_blocks(start, rows, [&](std::size_t r, std::size_t some, std::size_t b, std::size_t s) {
      for (std::size_t i = 0; i < inputs; ++i)
        std::copy_n(columns[i] + r, some, X.get() + (b * inputs + i) * block + s);
    });
    put_targets(start, rows, labels, y, w);
  }

 private:
  // Rows start, start + 1, ... by the blocks they belong to: from row r on `some` of them, at place s of block b.
  template <class F> void for_blocks(std::size_t start, std::size_t rows, const F& put) const {
    for (std::size_t r = 0, some; r < rows; r += some) {
      const std::size_t b = (start + r) / block, s = (start + r) % block;
      some = std::min(rows - r, block - s);
      put(r, some, b, s);
    }
  }

  void put_targets(std::size_t start, std::size_t rows, const std::int64_t* labels, const T* y, const T* w) {
    const PackedTargets<T> target(shape, pair, labels, y);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t b = (start + r) / block, s = (start + r) % block;
      for (std::size_t k = 0; k < target_rows; ++k) Y.get()[(b * target_rows + k) * block + s] = target(r, k);
      if (w) weights.get()[b * block + s] = w[r];
    }
  }

 protected:
  std::size_t blocks() const { return blocks_per_chunk * chunks; }

  // Chunks and blocks, from the shape and the number of samples alone.
  void lay_out() {
    const std::size_t n = std::max<std::size_t>(shape.whole ? shape.whole : shape.samples, 1);
    const std::size_t lanes = LANES<T>;
    auto ceil = [](std::size_t a, std::size_t b) { return (a + b - 1) / b; };
    // A block's panels fit in half of a small second-level cache; narrow ones in the first.
    std::size_t largest = (std::size_t(256) << 10) / ((panels.back() + widths[0]) * sizeof(T));
    largest = std::clamp<std::size_t>(largest / lanes * lanes, 64, 8192 / sizeof(T));
    // A chunk has a gradient of its own, twice; wide networks get fewer of them.
    const std::size_t most = std::clamp<std::size_t>((std::size_t(1) << 21) / kernel_parameters, 8, 32);
    chunks = std::clamp<std::size_t>(ceil(n, 256), 1, most);
    blocks_per_chunk = ceil(ceil(n, chunks), largest);
    block = ceil(ceil(n, chunks * blocks_per_chunk), lanes) * lanes;
  }

  // How many threads a pass is worth, where each is to have `worthwhile` operations.
  int members_for(int threads, double worthwhile) const {
    const double work = double(shape.samples) * double(kernel_parameters + 10 * panels.back());
    return int(std::clamp(work / worthwhile, 1.0, std::clamp(double(threads), 1.0, double(chunks))));
  }

  // The kernel's parameters: theirs, but for a pair of classes (see `pair`), which go to `to`.
  const T* to_kernel(const T* at, T* to) const {
    if (!pair) return at;
    std::copy_n(at, offsets[layers()], to);
    last_of_pair(at, to + offsets[layers()]);
    return to;
  }

  // The network's gradient from the kernel's.
  void from_kernel(const double* sums, double divisor, T* gradient) const {
    const std::size_t units = pair ? last_units() : 0, before = n_parameters - 2 * units;
    for (std::size_t p = 0; p < before; ++p) gradient[p] = T(sums[p] / divisor);
    for (std::size_t i = 0; i < units; ++i) {
      gradient[before + 2 * i + 1] = T(sums[before + i] / divisor);
      gradient[before + 2 * i] = -gradient[before + 2 * i + 1];
    }
  }

  // A chunk's gradient and loss have cache lines of their own.
  std::size_t chunk_stride() const { return (kernel_parameters + 1 + 7) / 8 * 8; }
  Plan<T> plan(const Draw& masks, double min_probability) const {
    return {layers(),
            widths.data(),
            shape.activations.data(),
            loss_kind(),
            shape.loss_setting,
            shape.labels,
            shape.weighted,
            panels.data(),
            slopes.data(),
            shape.samples,
            block,
            target_rows,
            X.get(),
            Y.get(),
            weights.get(),
            {masks.number > 0 && !drops.empty() ? drops.data() : nullptr, masks.seed, masks.number,
             shape.samples},
            min_probability};
  }
};

}  // namespace glassnet
