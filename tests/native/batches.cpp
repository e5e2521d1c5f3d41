// Training on batches: whole epochs, calls that end within one, and calls that are cut short.
#include "host/batches.hpp"

#include <numeric>

#include "networks.hpp"

namespace glassnet {

namespace {

struct Case {
  Shape shape;
  std::size_t batch;
  bool shuffled = true, mean = true;
  double rate = 0.01;
  Rule rule{Optimizer::sgd, {0.9}};
  std::size_t epochs = 2;
};

std::string name_of(const Case& one, const char* precision) {
  std::ostringstream name;
  name << precision << " batch=" << one.batch << ' ' << name_of(one.shape) << ' ' << name_of(one.rule);
  if (one.shuffled) name << " shuffled";
  if (one.mean) name << " mean";
  return name.str();
}

// How a run is cut into calls.
enum class Calls { one, by_epoch, by_rates, by_time, by_stop };

template <class T> class Run {
  const Case& one;
  const Batches<T>& net;
  const int threads;
  std::vector<T> theta, state, good;
  std::vector<double> rates, losses;
  std::vector<std::uint32_t> order, key;
  std::int64_t used = 624;
  Position position{0, 0, 0};

 public:
  Run(const Case& one, const Batches<T>& net, const std::vector<T>& first, int threads)
      : one(one),
        net(net),
        threads(threads),
        theta(first),
        state(STATE_ROWS[int(one.rule.kind)] * first.size()),
        good(first.size()),
        losses(one.epochs),
        order(one.shape.samples),
        key(624) {
    const std::size_t batches = (one.shape.samples + one.batch - 1) / one.batch;
    for (std::size_t t = 0; t < one.epochs * batches; ++t) rates.push_back(one.rate / (1 + 0.1 * double(t)));
    std::iota(order.begin(), order.end(), 0);
    Random random(11);
    for (std::uint32_t& word : key) word = std::uint32_t(random.bits());
  }

  std::uint64_t hash(Calls calls, double limit = INFINITE) {
    std::size_t done = 0, turn = 0;
    bool diverged = false;
    while (done < one.epochs && !diverged) {
      const std::size_t t = std::size_t(position.updates), left = rates.size() - t;
      // Two or three, for a single rate is that of every update; the last one ends with its epoch.
      const std::size_t some = calls == Calls::by_rates ? std::min(left, 2 + turn % 2) : left;
      const std::size_t epochs = calls == Calls::by_epoch ? 1 : one.epochs - done;
      const double seconds = calls == Calls::by_time && turn % 2 == 0 ? 0 : INFINITE;
      std::uint8_t stop = 0;
      Outcome outcome;
      {
        std::jthread other;
        if (calls == Calls::by_stop && turn == 0)
          other = std::jthread([&] {
            std::this_thread::sleep_for(std::chrono::microseconds(200));
            __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
          });
        outcome = net.train(theta.data(), state.data(), good.data(), losses.data() + done, epochs,
                            {one.rule, rates.data() + t, some, one.batch, one.mean, limit, seconds, &stop,
                             one.shuffled ? order.data() : nullptr, one.shuffled ? key.data() : nullptr,
                             &used, 7},
                            position, threads);
      }
      done += outcome.updates, ++turn;
      diverged = outcome.diverged;
      const bool over = diverged || done == one.epochs;
      require(over || std::size_t(position.updates) > t, "a call without an update");
      require(over || calls != Calls::one, "a call without its epochs");
    }
    require(diverged == (limit < INFINITE), diverged ? "diverged" : "did not diverge");
    Hash hash;
    hash.add(std::vector<double>(losses.begin(), losses.begin() + std::ptrdiff_t(done)));
    hash.add(std::vector<double>{position.loss});
    hash.add(std::vector<std::int64_t>{position.row, position.updates});
    hash.add(theta);
    hash.add(order);
    hash.add(key);
    if (!diverged) hash.add(state);
    return hash.value();
  }
};

template <class T> struct Ready {
  Batches<T> net;
  std::vector<T> theta;

  Ready(const Case& one, const char* isa) : net(one.shape, isa) {
    const std::size_t n = one.shape.samples, half = n / 2;
    Random random(n + 1000 * one.shape.sizes[0] + one.shape.sizes.back());
    Data<T> data(one.shape, random);
    // Whole batches of no weight.
    std::fill_n(data.w.begin(), std::min<std::size_t>(n, 9), T(0));
    data.put(one.shape, net, half, n - half);
    data.put(one.shape, net, 0, half);
    const double widest = double(*std::max_element(one.shape.sizes.begin(), one.shape.sizes.end()));
    theta = some_parameters<T>(net.parameters(), 1 / std::sqrt(widest), random);
  }
  std::uint64_t run(const Case& one, int threads, Calls calls) const {
    return Run<T>(one, net, theta, threads).hash(calls);
  }
};

template <class T> std::uint64_t train(const Case& one, const char* isa, int threads) {
  const Ready<T> ready(one, isa);
  const std::uint64_t whole = ready.run(one, threads, Calls::one);
  if (threads != 3) return whole;  // one number of them is enough, and more threads than cores wait long
  for (Calls calls : {Calls::by_epoch, Calls::by_rates, Calls::by_time, Calls::by_stop})
    require(ready.run(one, threads, calls) == whole, "calls add up to something else");
  return whole;
}

// A rate that throws the loss over its limit, within the second epoch and then in the first.
template <class T> std::uint64_t diverge(const Case& one, const char* isa, int threads) {
  const Ready<T> ready(one, isa);
  Hash hash;
  for (double limit : {1e12, 1e3, 1e-9}) {
    Run<T> run(one, ready.net, ready.theta, threads);
    hash.add(std::vector<std::uint64_t>{run.hash(Calls::one, limit)});
  }
  return hash.value();
}

// Several callers train with one net's data.
template <class T> std::uint64_t train_at_once(const Case& one, const char* isa, int threads) {
  const Ready<T> ready(one, isa);
  std::vector<std::uint64_t> hashes(3);
  {
    std::vector<std::jthread> callers;
    for (std::uint64_t& hash : hashes)
      callers.emplace_back([&] { hash = ready.run(one, threads, Calls::one); });
  }
  require(hashes[0] == hashes[1] && hashes[1] == hashes[2], "callers disturb each other");
  return hashes[0];
}

// Enough of a batch for several threads, several blocks, and an odd end of both.
Case large(bool weighted = false) {
  using enum Activation;
  return {{{20, 33, 12, 5}, {tanh, gelu}, Loss::cross_entropy, 4001, true, weighted}, 1500};
}

std::vector<Case> cases() {
  using enum Activation;
  using enum Loss;
  std::vector<Case> all;
  // Every optimizer, on one thread's batches and on those that threads share.
  for (const Rule& rule : every_rule()) {
    all.push_back({{{5, 7, 3, 4}, {tanh, tanh}, cross_entropy, 103, true, true}, 7, true, true, 0.01, rule});
    all.push_back({{{30, 70, 2}, {relu}, cross_entropy, 403, true, false}, 200, true, true, 0.01, rule});
  }
  for (std::size_t f = 0; f < std::size(ACTIVATION_NAMES); ++f)
    for (std::size_t l = 0; l < std::size(LOSS_NAMES); ++l) {
      const Loss loss = Loss(l);
      const Shape shape{{6, 9, 5}, {Activation(f)}, loss, 57, false, f % 2 == 1, setting_of(loss)};
      all.push_back({shape, 25, l % 2 == 1, f % 3 == 0, rate_for(loss)});
    }
  // Every width; batches of one, of some, of a few blocks, and larger than the data.
  for (std::size_t width = 1; width <= 20; ++width) {
    const Shape shape{{width, 21 - width, width}, {silu}, squared_error, 3 * width, false, false};
    for (std::size_t batch : {1, 7, 200}) all.push_back({shape, batch, width % 2 == 0, true, 1e-3});
  }
  all.push_back({{{100, 100, 100}, {elu}, squared_error, 150, false, false}, 33, true, true, 1e-3});
  all.push_back({{{100, 100, 100}, {relu}, huber, 150, false, true, 0.5}, 1000, false, false, 1e-4});
  for (std::size_t classes : {2, 3})
    for (bool labels : {false, true})
      for (bool weighted : {false, true}) {
        const Shape shape{{3, 4, classes}, {gelu}, cross_entropy, 61, labels, weighted, 0.1};
        all.push_back({shape, 8, labels, weighted});
      }
  all.push_back({{{4, 3}, {}, cross_entropy, 7, true, false}, 3});
  all.push_back({{{4, 2}, {}, cross_entropy, 1, true, false}, 1});
  all.push_back({{{1, 1, 1}, {tanh}, squared_error, 2, false, false}, 1});
  all.push_back(large());
  all.push_back(large(true));
  all.push_back({{{40, 60, 2}, {logistic}, cross_entropy, 2500, true, false}, 1100});
  // Enough samples, and small enough a network, for a thread that draws the orders ahead.
  all.push_back({{{2, 3, 2}, {logistic}, cross_entropy, 5003, true, false}, 200, true, true, 0.01, {Optimizer::sgd, {0.9}}, 6});
  return all;
}

// A step that makes it worse and worse.
Case too_fast() {
  return {{{20, 33, 5}, {Activation::identity}, Loss::squared_error, 601, false, false}, 200, true, true, 1.0,
          {Optimizer::sgd, {0.9}}, 50};
}

}  // namespace

std::vector<Check> batches() {
  std::vector<Check> all;
  for (const Case& one : cases())
    in_both(all, [&]<class T>(T) -> Check {
      return {name_of(one, precision<T>()),
              [one](const char* isa, int threads, int) { return train<T>(one, isa, threads); }};
    });
  in_both(all, []<class T>(T) -> Check {
    return {name_of(too_fast(), precision<T>()) + " diverges",
            [](const char* isa, int threads, int) { return diverge<T>(too_fast(), isa, threads); }};
  });
  in_both(all, []<class T>(T) -> Check {
    return {name_of(large(), precision<T>()) + " at once",
            [](const char* isa, int threads, int) { return train_at_once<T>(large(), isa, threads); }};
  });
  return all;
}

}  // namespace glassnet
