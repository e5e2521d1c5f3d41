// A network with its packed data: computes loss and gradient over all samples, and descends by any optimizer,
// many iterations per call.
#pragma once

#include <chrono>
#include <deque>
#include <functional>

#include "host/curved.hpp"

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

template <class T> class Problem : public Curved<T> {
  using Curved<T>::block, Curved<T>::blocks_per_chunk, Curved<T>::chunks, Curved<T>::isa;
  using Curved<T>::kernel_parameters, Curved<T>::mask, Curved<T>::n_parameters, Curved<T>::pair;
  using Curved<T>::panels, Curved<T>::shape, Curved<T>::updates, Curved<T>::chunk_stride;
  using Curved<T>::from_kernel, Curved<T>::members_for, Curved<T>::to_kernel;

  struct Work;
  mutable Crowd crowd;
  mutable Spare<Work> spare;  // of the last single evaluation, which may take less time than making one

 public:
  using Curved<T>::Curved;

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
    const Plan<T> plan = this->plan({}, rule.min_probability);
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
    loss = rule.loss_scale * loss / divisor;
    FlushSubnormals flush;
    if (rule.penalizes())
      loss += sum_over_ranges(n_parameters, [&](std::size_t begin, std::size_t end) {
        return updates().penalize(rule, theta, mask.get(), nullptr, begin, end);
      });
    return loss;
  }

  // Up to `iterations` updates by the rule, each followed by a pass at the new theta. `state` is
  // [the rule's state_rows][parameters]. On entry and on return `gradient` belongs to `theta`. An update
  // whose loss is above the limit or not a number, or whose pass was cut short, is taken back.
  Outcome descend(T* theta, T* state, T* gradient, double* losses, std::size_t iterations,
                  const Descent& descent, int threads, const Poll& poll) const {
    const std::size_t rows = descent.rule.state_rows();
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
        me.update(descent.rule, descent.rates[std::min(k, descent.n_rates - 1)], descent.first + std::int64_t(k));
        const std::uint64_t number = descent.masks.number;
        const Draw masks{descent.masks.seed, number > 0 ? number + k + 1 : 0};
        const Order order =
            me.evaluate(me.theta.data(), descent.rule, descent.divisor, masks, barrier, [&] {
              // Within an iteration only a slow one looks at the clock, block by block.
              return slow && clock.seconds() - began > 0.02 && flush.pause(poll);
            }, clock.seconds() > descent.seconds || is_set(descent.stop));
        const bool bad = !(me.loss <= descent.limit);
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
  // its core's own cache; a thread that is done helps another with what is left of its range.
  struct alignas(64) Range {
    std::size_t begin = 0, end = 0;
    std::atomic<std::size_t> next{0};
  };

  struct Side {
    Aligned<double> sums;  // each chunk's gradient, then its loss
    std::vector<Range> ranges;
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

    // Update number t, by the gradient that the last pass left.
    void update(const Rule& rule, double rate, std::int64_t t) {
      problem.update(rule, rate, t, theta.data(), state.data(), gradient.data(), squares.data());
    }

    // This thread's range of a pass over all samples; then, the same on every thread, its loss and
    // gradient. `interrupted` is asked by thread 0 after each of its blocks.
    //
    // Chunks' results and orders alternate between two sides, which is why one barrier is enough: a
    // thread that is already in the next pass writes to the other side, and nobody is two ahead.
    template <class Interrupted>
    Order evaluate(const T* at, const Rule& rule, double divisor, const Draw& masks, Barrier& barrier,
                   const Interrupted& interrupted, bool last = false) {
      Side& mine = sides[side];
      side = !side;
      const Plan<T> plan = problem.plan(masks, rule.min_probability);
      const Pass<T> pass = problem.isa.template kernels<T>().pass;
      const T* parameters = problem.to_kernel(at, kernel_theta.get());
      Order order = last ? Order::leave : Order::go;
      if (thread == 0) {
        mine.order.store(order, std::memory_order_relaxed);
        for (Range& range : sides[side].ranges) range.next.store(range.begin, std::memory_order_relaxed);
      }
      const std::size_t stride = problem.chunk_stride(), count = problem.kernel_parameters;
      double* const chunk_sums = mine.sums.get();
      const std::size_t members = mine.ranges.size();
      for (std::size_t m = 0; m < members; ++m) {
        Range& range = mine.ranges[(thread + m) % members];
        for (std::size_t c; (c = range.next.fetch_add(1, std::memory_order_relaxed)) < range.end;) {
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
      loss = rule.loss_scale * loss / divisor;
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
        side.ranges = std::vector<Range>(count);
        for (int thread = 0; thread < count; ++thread) {
          Range& range = side.ranges[thread];
          range.begin = range.next = problem.chunks * thread / count;
          range.end = problem.chunks * (thread + 1) / count;
        }
      }
      for (int thread = 0; thread < count; ++thread) members.emplace_back(problem, sides, thread, rows);
    }
  };
};

}  // namespace glassnet
