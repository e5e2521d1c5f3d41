// Training on batches, whole epochs per call: a network and its data, which lie by sample.
//
// Each update has two barriers. Between them the threads divide the batch's samples, then the parameters: each
// thread sums the gradient of its own rows of weights over the whole batch and moves them. Nothing is
// summed across threads but the loss, loss block by loss block, so results do not depend on their number.
#pragma once

#include "host/net.hpp"
#include "host/rules.hpp"
#include "host/shuffle.hpp"

namespace glassnet {

// Where training stands within an epoch.
struct Position {
  std::int64_t row;      // samples of the epoch that are done
  std::int64_t updates;  // since the very start
  double loss;           // of the epoch's batches so far, each times its samples
};

// What training on batches must obey.
struct Epochs {
  const Rule& rule;
  const double* rates;  // for each update of the call, or one for all
  std::size_t n_rates;
  std::size_t batch;
  bool mean;     // the loss and gradient of a batch are over its weights
  double limit;  // of a batch's loss
  double seconds;
  const std::uint8_t* stop;
  std::uint32_t* order;  // null: the samples as they come
  std::uint32_t* key;    // null: the order is not shuffled here
  std::int64_t* used;
  std::uint64_t seed;  // of the masks, where there is dropout; update t draws mask t
};

template <class T> class Batches : public Net<T> {
  using Net<T>::drops, Net<T>::isa, Net<T>::mask, Net<T>::n_parameters, Net<T>::offsets;
  using Net<T>::pair, Net<T>::shape, Net<T>::target_rows, Net<T>::widths;
  using Net<T>::last_of_pair, Net<T>::layers, Net<T>::loss_kind, Net<T>::updates;

  std::size_t columns;
  Aligned<T> data;
  mutable Contest contest;

 public:
  Batches(Shape given, const std::string& isa_name) : Net<T>(std::move(given), isa_name) {
    columns = target_rows + (shape.weighted ? 1 : 0) + widths[0];
    data = Aligned<T>(shape.samples * columns + BEYOND<T>);
  }

  // As Problem's.
  void put(std::size_t start, std::size_t rows, const T* x, const std::int64_t* labels, const T* y,
           const T* w) {
    const std::size_t inputs = widths[0];
    const PackedTargets<T> target(shape, pair, labels, y);
    for (std::size_t r = 0; r < rows; ++r) {
      T* to = data.get() + (start + r) * columns;
      for (std::size_t k = 0; k < target_rows; ++k)
        *to++ = target(r, k);
      if (w) *to++ = w[r];
      std::copy_n(x + r * inputs, inputs, to);
    }
  }

  // Trains for up to `epochs` epochs from where `position` stands. Returns when they are over, when
  // the rates are used up, or soon after the time is; within an epoch as well. `good` keeps the
  // parameters, and then their mean where there is one, that the last epoch whose first batch went well
  // began with. A batch's loss above the limit, or a parameter that is not finite at an epoch's end,
  // ends the call: the outcome says so, the position where, and theta is what is kept.
  Outcome train(T* theta, T* state, T* good, double* losses, std::size_t epochs, const Epochs& how,
                Position& position, int threads) const {
    Outcome outcome;
    if (epochs == 0) return outcome;
    const bool one = threads == 1;
    threads = contest.allow(threads);
    Work work(*this, how, threads);
    const auto began = std::chrono::steady_clock::now();
    const std::int64_t before = position.updates;
    Course course{theta, state, good, losses, epochs, how, position, outcome, {how.order, how.key, how.key ? *how.used : 0}};
    const bool helped =
        work.members.size() == 1 && threads > 1 && how.key && epochs > 1 && Ahead::worthwhile(shape.samples);
    if (helped) {
      Ahead ahead(shape.samples);
      run_team(2, [&](int thread, Barrier& barrier) {
        if (thread == 1) return ahead.serve();
        FlushSubnormals flush;
        if (barrier.members > 1) course.ahead = &ahead;
        Barrier own;
        divide(work, 0, 1);
        follow(course, work, 0, own);
        ahead.end();
      });
      own_order(course);
    } else {
      run_team(int(work.members.size()), [&](int thread, Barrier& barrier) {
        FlushSubnormals flush;
        // As many as the system gave, which may be fewer than wanted.
        divide(work, std::size_t(thread), std::size_t(barrier.members));
        follow(course, work, std::size_t(thread), barrier);
      });
    }
    using Seconds = std::chrono::duration<double>;
    const double seconds = Seconds(std::chrono::steady_clock::now() - began).count();
    if (!one)
      contest.report(helped || work.members.size() > 1, seconds, double(position.updates - before));
    return outcome;
  }

 private:
  // One call's course; thread 0 writes it, between barriers.
  struct Course {
    T *theta, *state, *good;
    double* losses;
    std::size_t epochs;
    const Epochs& how;
    Position& position;
    Outcome& outcome;
    Order order;
    Ahead* ahead = nullptr;  // where the next order is drawn before it is due
  };

  struct Rows {
    std::size_t layer, begin, end;
  };

  // What one thread does of each batch.
  struct alignas(64) Member {
    std::vector<Rows> rows;                 // of the layers' gradients
    std::size_t first = 0, last = 0;        // the parameters of these rows
    std::vector<const T*> layers;           // each layer's parameters, from 1
    std::vector<T> pair;                    // the last one's, where it is a pair of classes
    std::size_t begin_range = 0, end_range = 0;  // of RANGE parameters each
  };

  // What one call needs, all of it taken before its threads start.
  struct Work {
    std::size_t block, loss_block, loss_blocks;
    std::vector<Aligned<T>> panels;
    std::vector<T*> hidden, slopes, errors, by_sample;
    Aligned<T> zeros;
    BatchPlan<T> plan;
    Aligned<T> gradient, pair_gradient;
    std::vector<double> losses, penalties, squares;
    std::vector<std::vector<double>> norms;  // of each layer's columns
    std::vector<Member> members;
    alignas(64) std::atomic<bool> leave{false};

    Work(const Batches& net, const Epochs& how, int threads) {
      const std::vector<std::size_t>& widths = net.widths;
      const std::size_t layers = widths.size() - 1, lanes = LANES<T>;
      auto whole = [&](std::size_t n) { return (n + lanes - 1) / lanes * lanes; };
      std::size_t rows = widths[0], units = 0;
      for (std::size_t l = 1; l <= layers; ++l) rows += 2 * widths[l], units += widths[l];
      // A batch whose panels leave the second-level cache is taken in several blocks.
      std::size_t most = (std::size_t(1) << 20) / (rows * sizeof(T)) / lanes * lanes;
      most = std::clamp<std::size_t>(most, 256, sizeof(T) == 8 ? 512 : 1024);
      const std::size_t batch = std::min(how.batch, net.shape.samples);
      const std::size_t blocks = (batch + most - 1) / most;
      block = whole((batch + blocks - 1) / blocks);
      // An odd number of cache lines between the rows of a panel: they then use all of the cache.
      const std::size_t stride = block / lanes % 2 ? block : block + lanes;
      auto panel = [&](std::size_t elements) {
        panels.emplace_back(elements);
        return panels.back().get();
      };
      errors.push_back(nullptr);
      slopes.push_back(nullptr);
      by_sample.push_back(nullptr);
      for (std::size_t l = 0; l < layers; ++l) {
        const std::size_t before = l == 0 ? net.columns - widths[0] : 0;  // targets and weights
        hidden.push_back(panel((before + widths[l] + 1) * stride) + before * stride);
        std::fill_n(hidden[l] + widths[l] * stride, stride, T(1));
        const bool stored = l > 0 && net.shape.keeps_slope(l);
        if (l > 0) slopes.push_back(stored ? panel(widths[l] * stride) : nullptr);
        errors.push_back(panel(widths[l + 1] * stride));
        by_sample.push_back(widths[l + 1] > 4 ? panel(block * whole(widths[l + 1])) : nullptr);
      }
      T* const targets = panels.front().get();
      zeros = Aligned<T>(net.columns + BEYOND<T>);
      plan = {layers, widths.data(), net.shape.activations.data(),
              net.loss_kind(), net.shape.loss_setting,
              net.shape.labels, stride, hidden.data(), slopes.data(), errors.data(), by_sample.data(), targets,
              net.shape.weighted ? targets + net.target_rows * stride : nullptr, net.data.get(),
              net.columns, zeros.get(), how.rule.min_probability};
      gradient = Aligned<T>(net.n_parameters);
      pair_gradient = Aligned<T>(widths[layers - 1] + 1);
      const std::size_t ranges = (net.n_parameters + RANGE - 1) / RANGE;
      penalties.assign(ranges, 0.0);
      squares.assign(ranges, 0.0);
      for (std::size_t size : net.shape.sizes) norms.emplace_back(size);

      // Where a second thread would have too little work, one thread takes all, without loss blocks.
      const double operations = double(batch) * (6.0 * double(net.n_parameters) + 60.0 * double(units));
      const bool alone = operations < 1.5e6;
      loss_block = alone ? block : lanes;
      loss_blocks = block / loss_block;
      losses.assign((batch + loss_block - 1) / loss_block + blocks, 0.0);
      const int count = alone ? 1 : std::clamp(threads, 1, int(std::min<std::size_t>(loss_blocks, 1024)));
      members.resize(count);
      for (Member& member : members) {
        member.rows.reserve(layers);
        member.layers.assign(layers + 1, nullptr);
        if (net.pair) member.pair.assign(widths[layers - 1] + 1, T(0));
      }
    }
  };

  // Thread t's rows of the gradients, by their work, and its ranges; `count` threads divide them.
  void divide(Work& work, std::size_t t, std::size_t count) const {
    Member& me = work.members[t];
    const std::size_t layers = widths.size() - 1, ranges = work.penalties.size();
    std::size_t total = 0, done = 0;
    for (std::size_t l = 1; l <= layers; ++l) total += (widths[l - 1] + 1) * widths[l];
    for (std::size_t l = 1; l <= layers; ++l) {
      const std::size_t inputs = widths[l - 1] + 1, outputs = widths[l];
      auto row = [&](std::size_t thread) {
        const std::size_t target = total * thread / count;
        return target <= done ? 0 : std::min(inputs, (target - done + outputs / 2) / outputs);
      };
      const std::size_t begin = row(t), end = t + 1 == count ? inputs : row(t + 1);
      if (begin < end) me.rows.push_back({l, begin, end});
      done += inputs * outputs;
    }
    if (!me.rows.empty()) {
      me.first = at(me.rows.front().layer, me.rows.front().begin);
      me.last = at(me.rows.back().layer, me.rows.back().end);
    }
    me.begin_range = ranges * t / count;
    me.end_range = ranges * (t + 1) / count;
  }

  // The parameter that layer l's row i begins with.
  std::size_t at(std::size_t l, std::size_t i) const { return offsets[l] + i * shape.sizes[l]; }

  void follow(Course& course, Work& work, std::size_t thread, Barrier& barrier) const {
    Member& me = work.members[thread];
    const Epochs& how = course.how;
    const BatchKernels<T>& kernels = isa.template kernels<T>().batch;
    const Updates<T>& updates = this->updates();
    const std::size_t layers = widths.size() - 1, n = shape.samples, count = std::size_t(barrier.members);
    const bool penalized = how.rule.penalizes(), clipped = how.rule.clips();
    const auto began = std::chrono::steady_clock::now();
    std::size_t row = std::size_t(course.position.row), epoch = 0, made = 0;
    std::int64_t t = course.position.updates;
    double sum = course.position.loss;
    for (std::size_t l = 1; l <= layers; ++l) me.layers[l] = course.theta + offsets[l];
    if (pair) me.layers[layers] = me.pair.data();
    if (thread == 0 && row == 0) begin_epoch(course, 0);
    barrier.wait();
    while (!work.leave.load(std::memory_order_relaxed)) {
      const std::size_t rows = std::min(how.batch, n - row);
      if (pair) last_of_pair(course.theta, me.pair.data());
      const double weight = how.mean ? weight_of(course.order.rows, row, rows) : 1;
      const T scale = weight > 0 ? T(1 / weight) : T(0);
      Rule rule = how.rule;
      if (rule.average_penalties && weight > 0) rule.l1 /= weight, rule.l2 /= weight;
      const Masks masks{drops.empty() ? nullptr : drops.data(), how.seed, std::uint64_t(t + 1), rows};
      double loss = 0;
      for (std::size_t done = 0; done < rows; done += work.block) {
        const BatchRows some{course.order.rows, row + done, std::min(work.block, rows - done), done, masks};
        const std::size_t padded = (some.rows + LANES<T> - 1) / LANES<T> * LANES<T>;
        const std::size_t loss_blocks = (padded + work.loss_block - 1) / work.loss_block;
        const std::size_t begin = loss_blocks * thread / count * work.loss_block;
        const std::size_t end = std::min(padded, loss_blocks * (thread + 1) / count * work.loss_block);
        double* const losses = work.losses.data() + done / work.loss_block;
        if (begin < end) kernels.errors(work.plan, some, me.layers.data(), begin, end, work.loss_block, losses);
        if (penalized && done == 0)
          for (std::size_t r = me.begin_range; r < me.end_range; ++r)
            work.penalties[r] = updates.penalize(rule, course.theta, mask.get(), nullptr, r * RANGE,
                                                 std::min(n_parameters, (r + 1) * RANGE));
        barrier.wait();
        for (std::size_t g = 0; g < loss_blocks; ++g) loss += losses[g];
        for (const Rows& mine : me.rows) {
          T* to = pair && mine.layer == layers ? work.pair_gradient.get() : work.gradient.get() + offsets[mine.layer];
          kernels.gradient(work.plan, mine.layer, mine.begin, mine.end, padded, scale, done > 0, to);
        }
        if (done + work.block < rows) barrier.wait();  // before the panels are filled again
      }
      loss *= weight > 0 ? rule.loss_scale / weight : 0;
      if (penalized)
        for (double penalty : work.penalties) loss += penalty;
      if (!(loss <= how.limit)) {  // the same on every thread
        if (thread == 0) spoil(course, row, t, sum, epoch);
        return;
      }
      if (row == 0) keep(course, me);
      if (pair) both_of_pair(work, me);
      if (penalized)
        updates.penalize(rule, course.theta, mask.get(), work.gradient.get(), me.first, me.last);
      Step<T> step{&how.rule, how.rates[how.n_rates > 1 ? made : 0], t + 1, 1.0, course.theta,
                   course.state, n_parameters, work.gradient.get(), mask.get()};
      if (clipped) step.scale = clip(work, me, how.rule, updates, barrier);
      updates.update(step, me.first, me.last);
      if (how.rule.max_norm < INFINITE) constrain(course, work, thread, barrier);
      else if (how.rule.averages()) updates.average(how.rule, course.theta, mean(course), me.first, me.last);
      sum += loss * double(rows);
      row += rows;
      ++t, ++made;
      const bool turn = row == n;
      if (thread == 0) {
        const bool over = turn && epoch + 1 == course.epochs;
        bool leave = over || (how.n_rates > 1 && made == how.n_rates) || is_set(how.stop);
        if (!leave && (made % 16 == 0 || work.loss_block == LANES<T>)) {
          using Seconds = std::chrono::duration<double>;
          leave = Seconds(std::chrono::steady_clock::now() - began).count() > how.seconds;
        }
        if (leave) work.leave.store(true, std::memory_order_relaxed);
      }
      barrier.wait();
      if (!turn) continue;
      if (thread == 0) {
        course.losses[epoch] = sum / double(n);
        course.outcome.updates = epoch + 1;
        if (!all_finite(course.theta)) {
          spoil(course, n, t, 0, epoch);
          work.leave.store(true, std::memory_order_relaxed);
        }
      }
      row = 0, sum = 0, ++epoch;
      if (thread == 0 && !work.leave.load(std::memory_order_relaxed)) begin_epoch(course, epoch);
      barrier.wait();
    }
    if (thread == 0 && !course.outcome.diverged) course.position = {std::int64_t(row), t, sum};
  }

  void begin_epoch(Course& course, std::size_t epoch) const {
    const Epochs& how = course.how;
    if (!how.key) return;
    if (!course.ahead || !course.ahead->take(course.order)) {
      own_order(course);
      MersenneTwister(how.key, *how.used).shuffle(how.order, shape.samples);
      course.order.used = *how.used;
    }
    if (course.ahead && epoch + 1 < course.epochs) course.ahead->ask(course.order);
  }

  // Brings the order to where the caller keeps it.
  void own_order(Course& course) const {
    const Epochs& how = course.how;
    if (course.order.rows == how.order) return;
    std::copy_n(course.order.rows, shape.samples, how.order);
    std::copy_n(course.order.key, 624, how.key);
    *how.used = course.order.used;
    course.order = {how.order, how.key, *how.used};
  }

  // A thread's own parameters, which nobody has moved yet.
  void keep(Course& course, const Member& me) const {
    std::copy(course.theta + me.first, course.theta + me.last, course.good + me.first);
    if (course.how.rule.averages())
      std::copy(mean(course) + me.first, mean(course) + me.last, course.good + n_parameters + me.first);
  }

  // Back to what is kept.
  void spoil(Course& course, std::size_t row, std::int64_t t, double sum, std::size_t epoch) const {
    std::copy_n(course.good, n_parameters, course.theta);
    if (course.how.rule.averages()) std::copy_n(course.good + n_parameters, n_parameters, mean(course));
    course.position = {std::int64_t(row), t, sum};
    course.outcome.diverged = true;
    course.outcome.updates = epoch;
  }

  // The running mean of the parameters, behind the optimizer's own state.
  T* mean(const Course& course) const {
    return course.state + (course.how.rule.state_rows() - 1) * n_parameters;
  }

  bool all_finite(const T* theta) const {
    T sum = 0;
    for (std::size_t p = 0; p < n_parameters; ++p) sum += theta[p] - theta[p];
    return sum == 0;
  }

  double weight_of(const std::uint32_t* order, std::size_t start, std::size_t rows) const {
    if (!shape.weighted) return double(rows);
    double sum = 0;
    for (std::size_t s = start; s < start + rows; ++s) sum += double(data.get()[(order ? order[s] : s) * columns + target_rows]);
    return sum;
  }

  void both_of_pair(Work& work, const Member& me) const {
    T* to = work.gradient.get() + offsets[layers()];
    const T* from = work.pair_gradient.get();
    for (const Rows& mine : me.rows)
      if (mine.layer + 1 == widths.size())
        for (std::size_t i = mine.begin; i < mine.end; ++i) to[2 * i + 1] = from[i], to[2 * i] = -from[i];
  }

  // Layers to threads, whole: a column of W crosses all of its rows. What is averaged is what is left.
  void constrain(Course& course, Work& work, std::size_t thread, Barrier& barrier) const {
    const Rule& rule = course.how.rule;
    const Updates<T>& updates = this->updates();
    barrier.wait();
    for (std::size_t l = 1 + thread; l < shape.sizes.size(); l += std::size_t(barrier.members)) {
      updates.constrain(course.theta + offsets[l], shape.sizes[l - 1], shape.sizes[l], rule.max_norm,
                        work.norms[l].data());
      if (rule.averages())
        updates.average(rule, course.theta, mean(course), at(l, 0), at(l, shape.sizes[l - 1] + 1));
    }
  }

  // By value, then by the norm of what is left: the scale that is to be applied.
  double clip(Work& work, const Member& me, const Rule& rule, const Updates<T>& updates,
              Barrier& barrier) const {
    barrier.wait();
    for (std::size_t r = me.begin_range; r < me.end_range; ++r)
      work.squares[r] = updates.clip(rule, work.gradient.get(), r * RANGE,
                                     std::min(n_parameters, (r + 1) * RANGE));
    barrier.wait();
    double squares = 0;
    for (double range : work.squares) squares += range;
    return clip_scale(rule, squares);
  }

};

}  // namespace glassnet
