// A network with its data packed: the loss and gradient over all samples, and descent by any optimizer,
// many iterations per call.
#pragma once

#include <chrono>
#include <deque>
#include <functional>

#include "curvature_room.hpp"
#include "net.hpp"

namespace glassnet {

// One object that is kept from call to call. A call that finds it taken, by another thread, makes its own.
template <class Object> class Spare {
  std::atomic<Object*> kept{nullptr};

 public:
  Spare() = default;
  Spare(const Spare&) noexcept {}  // whoever holds one can be moved; there is nothing to keep yet
  ~Spare() { delete kept.load(); }
  std::unique_ptr<Object> take() { return std::unique_ptr<Object>(kept.exchange(nullptr)); }
  void keep(std::unique_ptr<Object> object) { delete kept.exchange(object.release()); }
};

// What a descent must obey.
struct Descent {
  const Rule& rule;
  const double* rates;  // the first updates'; the last of them stays
  std::size_t n_rates;
  std::int64_t first;   // the number of the first update, from 1
  double divisor;  // of the loss and the gradient
  double limit;    // of the loss
  double seconds;  // the call returns soon after
  const std::uint8_t* stop = nullptr;  // or when this is set
  Draw masks = {};  // of the pass that gave the first gradient; the next pass draws the next number
};

// Asked now and then by the calling thread; true ends the call after the last whole update.
using Poll = std::function<bool()>;

template <class T> class Problem : public Net<T> {
  using Net<T>::drops, Net<T>::isa, Net<T>::mask, Net<T>::n_parameters, Net<T>::offsets;
  using Net<T>::pair, Net<T>::shape, Net<T>::target_rows, Net<T>::widths;
  using Net<T>::last_of_pair, Net<T>::last_units, Net<T>::layers, Net<T>::loss_kind, Net<T>::updates;

  std::vector<std::size_t> panels, slopes;
  std::size_t kernel_parameters;
  std::size_t block, blocks_per_chunk, chunks;
  Aligned<T> X, Y, weights;
  struct Work;
  mutable Crowd crowd;
  mutable Spare<Work> spare;  // of the last single evaluation, which may take less time than making one

 public:
  Problem(Shape given, const std::string& isa_name) : Net<T>(std::move(given), isa_name) {
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
  // [rows][outputs]; their weights. Where `across` is not 0, a column's entries lie together, and x's columns
  // that far from each other.
  void put(std::size_t start, std::size_t rows, const T* x, const std::int64_t* labels, const T* y,
           const T* w, std::size_t across = 0) {
    const std::size_t inputs = widths[0];
    const PackedTargets<T> target(shape, pair, labels, y);
    if (across > 0)
      for (std::size_t i = 0; i < inputs; ++i)
        for (std::size_t r = 0; r < rows;) {
          const std::size_t b = (start + r) / block, s = (start + r) % block;
          const std::size_t some = std::min(rows - r, block - s);
          std::copy_n(x + i * across + r, some, X.get() + (b * inputs + i) * block + s);
          r += some;
        }
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t b = (start + r) / block, s = (start + r) % block;
      for (std::size_t i = 0; across == 0 && i < inputs; ++i)
        X.get()[(b * inputs + i) * block + s] = x[r * inputs + i];
      for (std::size_t k = 0; k < target_rows; ++k)
        Y.get()[(b * target_rows + k) * block + s] = target(r, k);
      if (w) weights.get()[b * block + s] = w[r];
    }
  }

  // The loss over `divisor` with the rule's penalties, and its gradient into `gradient`.
  double loss_and_gradient(const T* theta, T* gradient, const Rule& rule, double divisor,
                           int threads, const Draw& masks = {}) const {
    // Below this many operations a thread takes longer to start than it saves.
    std::unique_ptr<Work> work = spare.take();
    if (!work || work->threads != threads) work = std::make_unique<Work>(*this, threads, 1e6, 0);
    run_team(int(work->members.size()), [&](int thread, Barrier& barrier) {
      FlushSubnormals flush;
      work->members[thread].evaluate(theta, rule, divisor, masks, barrier, [] { return false; });
    });
    const Member& me = work->members[0];
    const double loss = me.loss;
    std::copy_n(me.gradient.data(), n_parameters, gradient);
    // Where the system gave fewer threads than wanted, the others have fallen behind.
    if (work->members.size() == 1) spare.keep(std::move(work));
    return loss;
  }

  // The loss alone, the same to the last bit, by a pass forward.
  double loss(const T* theta, const Rule& rule, double divisor, int threads) const {
    const int count = members_for(threads, 3e6);
    std::vector<double> losses(chunks);
    std::vector<Aligned<T>> scratch;
    for (int thread = 0; thread < count; ++thread) scratch.emplace_back(panels.back() * block);
    Aligned<T> room(pair ? kernel_parameters : 0);
    const T* const parameters = to_kernel(theta, room.get());
    const Plan<T> plan = this->plan({}, rule.floor);
    const Pass<T> pass = isa.template kernels<T>().pass;
    std::atomic<std::size_t> next{0};
    run_team(count, [&](int thread, Barrier&) {
      FlushSubnormals flush;
      for (std::size_t c; (c = next.fetch_add(1, std::memory_order_relaxed)) < chunks;)
        for (std::size_t b = 0; b < blocks_per_chunk; ++b)
          losses[c] += pass(plan, parameters, c * blocks_per_chunk + b, scratch[thread].get(), nullptr);
    });
    double loss = 0;
    for (double chunk : losses) loss += chunk;
    loss = rule.part * loss / divisor;
    FlushSubnormals flush;
    if (rule.penalizes())
      loss += sum_over_ranges(n_parameters, [&](std::size_t begin, std::size_t end) {
        return updates().penalize(rule, theta, mask.get(), nullptr, begin, end);
      });
    return loss;
  }

  // The lower triangle of sum w J^T H J at theta, into `sums` [kernel's parameters][same], of which a pair of
  // classes has fewer (see `pair`). Chunks of samples, and bands of rows where the matrix is large, are shared
  // out; which thread takes which has no influence, since each has a place of its own and they are
  // added in order.
  void gauss_newton(const T* theta, double* sums, int threads) const {
    const std::size_t n = kernel_parameters;
    const CurvatureRoom room(widths, block, sizeof(T), LANES<T>, true);
    const std::size_t slots = CurvatureRoom::slots(n, chunks), bands = CurvatureRoom::bands(slots);
    Aligned<double> rest((slots - 1) * n * n);
    std::fill_n(sums, n * n, 0.0);
    auto slot = [&](std::size_t j) { return j == 0 ? sums : rest.get() + (j - 1) * n * n; };
    const double work = double(shape.samples) * double(n) * double(n + 20);
    const int count = int(std::clamp(work / 1e6, 1.0, std::clamp(double(threads), 1.0, double(slots * bands))));
    std::vector<Aligned<T>> scratch;
    for (int thread = 0; thread < count; ++thread) scratch.emplace_back(room.rows * room.plan.part);
    Aligned<T> converted(pair ? n : 0);
    const T* const parameters = to_kernel(theta, converted.get());
    const Plan<T> plan = this->plan({}, 0);
    const auto kernel = isa.template kernels<T>().curvature.matrix;
    std::atomic<std::size_t> next{0};
    run_team(count, [&](int thread, Barrier&) {
      FlushSubnormals flush;
      for (std::size_t t; (t = next.fetch_add(1, std::memory_order_relaxed)) < slots * bands;) {
        const std::size_t j = t / bands, band = t % bands;
        const std::size_t first = chunks * j / slots * blocks_per_chunk;
        const std::size_t last = chunks * (j + 1) / slots * blocks_per_chunk;
        for (std::size_t b = first; b < last; ++b)
          kernel(plan, room.plan, parameters, b, CurvatureRoom::edge(n, band, bands),
                 CurvatureRoom::edge(n, band + 1, bands), scratch[thread].get(), slot(j));
      }
    });
    for (std::size_t j = 1; j < slots; ++j)
      for (std::size_t p = 0; p < n * n; ++p) sums[p] += slot(j)[p];
  }

  // The same matrix times a vector, both of the network's parameters, into `sums`.
  void gauss_newton_product(const T* theta, const T* vector, double* sums, int threads) const {
    const std::size_t n = kernel_parameters;
    const CurvatureRoom room(widths, block, sizeof(T), LANES<T>, false);
    Aligned<double> chunk_sums(chunks * chunk_stride());
    const int count = members_for(threads, 5e5);
    std::vector<Aligned<T>> scratch;
    for (int thread = 0; thread < count; ++thread) scratch.emplace_back(room.rows * room.plan.part);
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
    const std::size_t units = pair ? last_units() : 0, before = n_parameters - 2 * units;
    std::copy_n(chunk_sums.get(), before, sums);
    for (std::size_t i = 0; i < units; ++i) {
      sums[before + 2 * i + 1] = chunk_sums.get()[before + i];
      sums[before + 2 * i] = -chunk_sums.get()[before + i];
    }
  }

  // ---- A part of more samples (see Shape::whole), which come block by block ----------------------------
  //
  // Blocks and chunks are those of all samples, and so is the order of every sum: what `add` makes of a
  // chunk's blocks, one after the other, and `finish` of the chunks, has the bits of `loss_and_gradient`.

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

  // The parameters that gauss_newton's matrix is of.
  std::size_t curvature_parameters() const { return kernel_parameters; }

  // Up to `iterations` updates by the rule, each followed by a pass at the new theta. `state` is
  // [the rule's state_rows][parameters]. On entry and on return `gradient` belongs to `theta`. An update
  // whose loss is above the limit or not a number, or whose pass was cut short, is taken back.
  Outcome descend(T* theta, T* state, T* gradient, double* losses, std::size_t iterations,
                  const Descent& told, int threads, const Poll& poll) const {
    const std::size_t rows = told.rule.state_rows();
    Work work(*this, crowd.allow(threads), 1e5, rows);
    for (Member& member : work.members) {
      std::copy_n(theta, n_parameters, member.theta.data());
      std::copy_n(state, rows * n_parameters, member.state.data());
      std::copy_n(gradient, n_parameters, member.gradient.data());
    }
    Outcome outcome;
    const Clock whole;
    const double yielded = run_team(int(work.members.size()), [&](int thread, Barrier& barrier) {
      FlushSubnormals flush;
      Member& me = work.members[thread];
      const Clock clock;
      bool slow = true;
      for (std::size_t k = 0; k < iterations; ++k) {
        const double began = thread == 0 ? clock.seconds() : 0;
        if (thread == 0) {
          // The state before the update, to come back to.
          std::copy_n(me.theta.data(), n_parameters, theta);
          std::copy_n(me.state.data(), rows * n_parameters, state);
          std::copy_n(me.gradient.data(), n_parameters, gradient);
        }
        me.update(told.rule, told.rates[std::min(k, told.n_rates - 1)], told.first + std::int64_t(k));
        const std::uint64_t number = told.masks.number;
        const Draw masks{told.masks.seed, number > 0 ? number + k + 1 : 0};
        const Order order =
            me.evaluate(me.theta.data(), told.rule, told.divisor, masks, barrier, [&] {
              // Within an iteration only a slow one looks at the clock, block by block.
              return slow && clock.seconds() - began > 0.02 && flush.pause(poll);
            }, clock.seconds() > told.seconds || is_set(told.stop));
        const bool bad = !(me.loss <= told.limit);
        if (order == Order::cut || bad) {
          if (thread == 0) outcome.diverged = order != Order::cut;
          return;
        }
        if (thread == 0) {
          losses[k] = me.loss;
          outcome.updates = k + 1;
          slow = clock.seconds() - began > 0.005;
        }
        if (order == Order::leave) break;
      }
      if (thread == 0 && outcome.updates > 0) {
        std::copy_n(me.theta.data(), n_parameters, theta);
        std::copy_n(me.state.data(), rows * n_parameters, state);
        std::copy_n(me.gradient.data(), n_parameters, gradient);
      }
    });
    crowd.report(int(work.members.size()), whole.seconds(), yielded);
    return outcome;
  }

 private:
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

  class Clock {
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();

   public:
    double seconds() const {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
  };

  // What thread 0 tells the others at the barrier of an iteration: to go on, to leave after it, or
  // that it was cut short.
  enum class Order { go, leave, cut };

  // The chunks that a thread begins with. They are the same ones in every pass, so that they stay in
  // its core's own cache; a thread that is done helps another with what is left of its share.
  struct alignas(64) Share {
    std::size_t begin = 0, end = 0;
    std::atomic<std::size_t> next{0};
  };

  struct Side {
    Aligned<double> sums;  // each chunk's gradient, then its loss
    std::vector<Share> shares;
    // On a cache line of its own: all threads read it all the time.
    alignas(64) std::atomic<Order> order{Order::go};
  };

  // One thread's copy of the state, and its room.
  struct alignas(64) Member {
    const Problem& problem;
    Side* const sides;
    const int thread;
    bool side = false;
    double loss = 0;
    std::vector<T> theta, state, gradient;
    Aligned<T> scratch, kernel_theta;
    std::vector<double> sums, squares;

    Member(const Problem& problem, Side* sides, int thread, std::size_t rows)
        : problem(problem),
          sides(sides),
          thread(thread),
          theta(problem.n_parameters),
          state(rows * problem.n_parameters),
          gradient(problem.n_parameters),
          scratch(problem.panels.back() * problem.block),
          kernel_theta(problem.kernel_parameters),
          sums(problem.kernel_parameters),
          squares(*std::max_element(problem.shape.sizes.begin(), problem.shape.sizes.end())) {}

    // Update number t, by the gradient that the last pass left, which is clipped in place.
    void update(const Rule& rule, double rate, std::int64_t t) {
      const Updates<T>& updates = problem.updates();
      const std::size_t n = theta.size();
      double scale = 1;
      if (rule.clips())
        scale = clip_scale(rule, sum_over_ranges(n, [&](std::size_t begin, std::size_t end) {
          return updates.clip(rule, gradient.data(), begin, end);
        }));
      updates.update({&rule, rate, t, scale, theta.data(), state.data(), n, gradient.data(),
                      problem.mask.get()}, 0, n);
      if (rule.max_norm < INFINITE) {
        T* W = theta.data();
        const auto& sizes = problem.shape.sizes;
        for (std::size_t l = 1; l < sizes.size(); W += (sizes[l - 1] + 1) * sizes[l], ++l)
          updates.constrain(W, sizes[l - 1], sizes[l], rule.max_norm, squares.data());
      }
      if (rule.averages()) updates.average(rule, theta.data(), state.data() + state.size() - n, 0, n);
    }

    // This thread's share of a pass over all samples; then, the same on every thread, its loss and
    // gradient. `interrupted` is asked by thread 0 after each of its blocks.
    //
    // Chunks' results and orders alternate between two sides, which is why one barrier is enough: a
    // thread that is already in the next pass writes to the other side, and nobody is two ahead.
    template <class Interrupted>
    Order evaluate(const T* at, const Rule& rule, double divisor, const Draw& masks, Barrier& barrier,
                   const Interrupted& interrupted, bool last = false) {
      Side& mine = sides[side];
      side = !side;
      const Plan<T> plan = problem.plan(masks, rule.floor);
      const Pass<T> pass = problem.isa.template kernels<T>().pass;
      const T* parameters = problem.to_kernel(at, kernel_theta.get());
      Order order = last ? Order::leave : Order::go;
      if (thread == 0) {
        mine.order.store(order, std::memory_order_relaxed);
        for (Share& share : sides[side].shares) share.next.store(share.begin, std::memory_order_relaxed);
      }
      const std::size_t stride = problem.chunk_stride(), count = problem.kernel_parameters;
      double* const chunk_sums = mine.sums.get();
      const std::size_t members = mine.shares.size();
      for (std::size_t m = 0; m < members; ++m) {
        Share& share = mine.shares[(thread + m) % members];
        for (std::size_t c; (c = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;) {
          double* sum = chunk_sums + c * stride;
          std::fill_n(sum, count, 0.0);
          double loss = 0;
          for (std::size_t b = 0; b < problem.blocks_per_chunk; ++b) {
            if (mine.order.load(std::memory_order_relaxed) == Order::cut) break;
            loss += pass(plan, parameters, c * problem.blocks_per_chunk + b, scratch.get(), sum);
            if (thread == 0 && interrupted()) mine.order.store(Order::cut, std::memory_order_relaxed);
          }
          sum[count] = loss;
        }
      }
      barrier.wait();
      order = mine.order.load(std::memory_order_relaxed);
      if (order == Order::cut) return order;
      std::copy_n(chunk_sums, count, sums.data());
      loss = chunk_sums[count];
      for (std::size_t c = 1; c < problem.chunks; ++c) {
        const double* sum = chunk_sums + c * stride;
        for (std::size_t p = 0; p < count; ++p) sums[p] += sum[p];
        loss += sum[count];
      }
      loss = rule.part * loss / divisor;
      problem.from_kernel(sums.data(), divisor, gradient.data());
      if (rule.penalizes())
        loss += sum_over_ranges(gradient.size(), [&](std::size_t begin, std::size_t end) {
          return problem.updates().penalize(rule, at, problem.mask.get(), gradient.data(), begin, end);
        });
      return order;
    }
  };

  // What one call needs, all of it taken before its threads start.
  struct Work {
    Side sides[2];
    std::deque<Member> members;
    const int threads;

    Work(const Problem& problem, int threads, double worthwhile, std::size_t rows) : threads(threads) {
      const int count = problem.members_for(threads, worthwhile);
      for (Side& side : sides) {
        side.sums = Aligned<double>(problem.chunks * problem.chunk_stride());
        side.shares = std::vector<Share>(count);
        for (int thread = 0; thread < count; ++thread) {
          Share& share = side.shares[thread];
          share.begin = share.next = problem.chunks * thread / count;
          share.end = problem.chunks * (thread + 1) / count;
        }
      }
      for (int thread = 0; thread < count; ++thread) members.emplace_back(problem, sides, thread, rows);
    }
  };

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
  Plan<T> plan(const Draw& masks, double floor) const {
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
            floor};
  }
};

}  // namespace glassnet
