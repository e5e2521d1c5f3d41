// Training on all samples at once.
#include "networks.hpp"

namespace glassnet {

namespace {

struct Case {
  Shape shape;
  double scale = 1;       // of the first parameters
  double rate = 0.1;      // of learning
  double iterations = 1;  // a multiple of those asked for
  Rule rule{Optimizer::sgd, {0.9}};
};

std::string name_of(const Case& one, const char* precision) {
  std::ostringstream name;
  name << precision << ' ' << name_of(one.shape);
  if (one.scale != 1) name << " scale=" << one.scale;
  name << ' ' << name_of(one.rule);
  return name.str();
}

template <class T>
std::uint64_t train(const Case& one, const char* isa, int threads, int iterations) {
  Problem<T> problem(one.shape, isa);
  const std::size_t n = one.shape.samples;
  Random random(n + 1000 * one.shape.sizes[0] + one.shape.sizes.back());
  const Data<T> data(one.shape, random);
  data.put(one.shape, problem, 0, n);
  std::vector<T> theta = some_parameters<T>(problem.parameters(), one.scale, random);
  std::vector<T> state(STATE_ROWS[int(one.rule.kind)] * theta.size()), gradient(theta.size());
  std::vector<double> losses(std::size_t(iterations * one.iterations) + 2);
  losses[0] =
      problem.loss_and_gradient(theta.data(), gradient.data(), one.rule, double(n), threads);
  Hash hash;
  hash.add(gradient);
  // In two calls, which are to be as one: the expected hash is of one thread, which makes one.
  const std::size_t updates = losses.size() - 1, first = threads == 1 ? updates : updates / 2;
  for (std::size_t done = 0; done < updates;) {
    const std::size_t some = done == 0 && first > 0 ? first : updates - done;
    const Outcome outcome =
        problem.descend(theta.data(), state.data(), gradient.data(), losses.data() + 1 + done, some,
                        {one.rule, &one.rate, 1, std::int64_t(done) + 1, double(n), INFINITE, INFINITE,
                         nullptr, {7, done + 1}},
                        threads, [] { return false; });
    done += outcome.updates;
    require(outcome.updates == some && losses[done] < INFINITE, "diverged");
  }
  hash.add(losses);
  hash.add(theta);
  hash.add(state);
  hash.add(gradient);
  return hash.value();
}

std::vector<Case> cases() {
  using enum Activation;
  using enum Loss;
  std::vector<Case> all;
  // Every activation with every loss, through narrow layers and wide ones, and an odd last group.
  for (std::size_t f = 0; f < std::size(ACTIVATION_NAMES); ++f)
    for (std::size_t l = 0; l < std::size(LOSS_NAMES); ++l) {
      const Loss loss = Loss(l);
      const double setting = setting_of(loss), rate = rate_for(loss);
      all.push_back({{{3, 5, 4}, {Activation(f)}, loss, 257, false, false, setting}, 1, rate});
      all.push_back({{{6, 9, 5}, {Activation(f)}, loss, 131, false, true, setting}, 1, rate});
    }
  for (std::size_t classes : {2, 3}) {
    all.push_back({{{3, 4, classes}, {gelu}, cross_entropy, 257, true, false, 0.1}});
    all.push_back({{{3, 4, classes}, {silu}, cross_entropy, 257, false, true, 0.1}});
  }
  // Every width that tiles and groups treat in a way of its own.
  for (std::size_t width = 1; width <= 20; ++width) {
    const Shape shape{{width, 21 - width, width}, {tanh}, squared_error, 3 * width, false, false};
    all.push_back({shape, 1, 1e-3, 0.2});
  }
  all.push_back({{{100, 100, 100}, {elu}, squared_error, 100, false, false}, 0.1, 1e-4, 0.2});
  // Chunks and blocks enough for three threads.
  all.push_back({{{2, 3, 2}, {logistic}, cross_entropy, 10007, true, false}});
  // What a pass of its own takes: units in tiles, pipelines that never fill, and one shape too many of each kind.
  for (const Activation activation : {logistic, tanh})
    for (std::size_t inputs : {1, 2, 4, 5})
      for (std::size_t units : {1, 2, 4, 8, 64, 65})
        all.push_back({{{inputs, units, 2}, {activation}, cross_entropy, 11 * units + 8 * inputs, true, false}});
  all.push_back({{{2, 3, 1}, {logistic}, binary_cross_entropy, 4099, false, false}});
  all.push_back({{{2, 3, 2}, {tanh}, cross_entropy, 997, true, false}, 3000, 1e-3});
  all.push_back({{{5, 7, 3, 4}, {tanh, tanh}, cross_entropy, 2003, true, true}});
  all.push_back({{{20, 33, 5}, {relu}, cross_entropy, 1500, true, false}});
  const Shape deep{{3, 17, 9, 33, 5}, {tanh, relu, identity, logistic}, squared_error, 700, false, false};
  all.push_back({deep, 1, 1e-3});
  all.push_back({{{4, 3}, {}, cross_entropy, 7, true, false}});
  all.push_back({{{1, 1, 1}, {tanh}, squared_error, 1, false, false}});
  all.push_back({{{1, 2, 2}, {relu}, cross_entropy, 2, false, true}});
  // Layers that drop units, beside one that does not; masks that begin within a block of words.
  all.push_back({{{5, 7, 3, 4}, {tanh, gelu}, cross_entropy, 2003, true, true, 0, {0.25, 0.5}}});
  const Shape dropped{{3, 17, 9, 5}, {tanh, silu}, squared_error, 701, false, false, 0, {0, 0.9}};
  all.push_back({dropped, 1, 1e-3});
  // Outputs that saturate; and parameters whose products are subnormal.
  all.push_back({{{2, 3, 2}, {logistic}, cross_entropy, 500, true, false}, 3000, 1e-3});
  all.push_back({{{3, 5, 4}, {tanh}, cross_entropy, 500, true, false}, 3000, 1e-3});
  all.push_back({{{3, 5, 4}, {tanh}, binary_cross_entropy, 500, false, false}, 3000, 1e-3});
  for (double least : {1e-307, 1e-37}) {
    all.push_back({{{3, 4, 3}, {tanh}, squared_error, 500, false, false}, least, 0.01});
    all.push_back({{{3, 4, 3}, {identity}, cross_entropy, 500, false, true}, least, 0.01});
  }
  for (const Rule& rule : every_rule()) {
    all.push_back({{{5, 7, 3, 4}, {tanh, tanh}, cross_entropy, 403, true, true}, 1, 1e-2, 1, rule});
    all.push_back({{{20, 333, 5}, {relu}, cross_entropy, 31, true, false}, 1, 1e-2, 0.2, rule});
  }
  // So many classes and samples that a block takes several logarithms of its running product.
  all.push_back({{{2, 10}, {}, cross_entropy, 33000, true, false}, 1, 0.1, 0.1});
  all.push_back({{{2, 70}, {}, cross_entropy, 20000, true, false}, 1, 0.1, 0.1});
  all.push_back({{{2, 1100}, {}, cross_entropy, 300, true, false}, 1, 0.1, 0.1});
  return all;
}

}  // namespace

std::vector<Check> descents() {
  std::vector<Check> all;
  for (const Case& one : cases())
    in_both(all, [&]<class T>(T) -> Check {
      return {name_of(one, precision<T>()), [one](const char* isa, int threads, int iterations) {
                return train<T>(one, isa, threads, iterations);
              }};
    });
  return all;
}

}  // namespace glassnet
