// Prediction: few rows and many, which are to have the same bits as one by one, and callers at once.
#include "networks.hpp"
#include "host/predictor.hpp"

namespace glassnet {

namespace {

struct Case {
  std::vector<std::size_t> sizes;
  std::vector<Activation> hidden;
  Link link;
};

std::string name_of(const Case& one) {
  std::ostringstream name;
  name << "predict ";
  for (std::size_t l = 0; l < one.sizes.size(); ++l) name << (l > 0 ? "-" : "") << one.sizes[l];
  for (Activation activation : one.hidden) name << ' ' << ACTIVATION_NAMES[int(activation)];
  name << ' ' << LINK_NAMES[int(one.link)];
  return name.str();
}

template <class T> std::uint64_t predict(const Case& one, const char* isa, int threads) {
  const Predictor predictor(one.sizes, one.hidden, one.link, isa);
  const std::size_t most = 1000, inputs = predictor.inputs(), outputs = predictor.outputs();
  Random random(inputs + 100 * outputs);
  const std::vector<T> theta = some_parameters<T>(predictor.parameters(), 1, random);
  const std::vector<T> X = some_parameters<T>(most * inputs, 2, random);
  std::vector<T> by_one(most * outputs);
  for (std::size_t s = 0; s < most; ++s)
    predictor.predict(theta.data(), X.data() + s * inputs, 1, by_one.data() + s * outputs, 1);
  for (std::size_t n : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 255, 256, 257, 511, 1000}) {
    // No element more than there are rows: one too far would show.
    const std::vector<T> some(X.begin(), X.begin() + std::ptrdiff_t(n * inputs));
    std::vector<T> out(n * outputs);
    predictor.predict(theta.data(), some.data(), n, out.data(), threads);
    require(std::equal(out.begin(), out.end(), by_one.begin()), "many rows differ from one by one");
  }
  Hash hash;
  hash.add(by_one);
  return hash.value();
}

// Several callers of one predictor, in both precisions.
std::uint64_t predict_at_once(const char* isa, int threads) {
  const Case one{{30, 60, 3}, {Activation::gelu}, Link::softmax};
  const Predictor predictor(one.sizes, one.hidden, one.link, isa);
  std::vector<std::uint64_t> hashes(4);
  const auto call = [&]<class T>(T, std::uint64_t& to) {
    Random random(3);
    const std::vector<T> theta = some_parameters<T>(predictor.parameters(), 1, random);
    const std::vector<T> X = some_parameters<T>(1000 * predictor.inputs(), 2, random);
    std::vector<T> out(1000 * predictor.outputs());
    Hash hash;
    for (std::size_t n : {1, 7, 1000, 3}) {
      predictor.predict(theta.data(), X.data(), n, out.data(), threads);
      hash.add(out);
    }
    to = hash.value();
  };
  {
    std::vector<std::jthread> callers;
    for (std::size_t i = 0; i < hashes.size(); ++i)
      callers.emplace_back([&, i] { i % 2 ? call(float(), hashes[i]) : call(double(), hashes[i]); });
  }
  require(hashes[0] == hashes[2] && hashes[1] == hashes[3], "callers disturb each other");
  Hash hash;
  hash.add(hashes);
  return hash.value();
}

std::vector<Case> cases() {
  using enum Activation;
  std::vector<Case> all;
  for (std::size_t link = 0; link < std::size(LINK_NAMES); ++link) {
    for (std::size_t width = 1; width <= 20; ++width)
      all.push_back({{width, (7 * width) % 20 + 1, (3 * width) % 20 + 1}, {silu}, Link(link)});
    all.push_back({{3, 2}, {}, Link(link)});
  }
  for (std::size_t f = 0; f < std::size(ACTIVATION_NAMES); ++f)
    all.push_back({{2, 3, 33, 5}, {Activation(f), tanh}, Link::identity});
  all.push_back({{100, 100, 100}, {relu}, Link::softmax});
  return all;
}

}  // namespace

std::vector<Check> predictions() {
  std::vector<Check> all;
  for (const Case& one : cases())
    in_both(all, [&]<class T>(T) -> Check {
      return {std::string(precision<T>()) + " " + name_of(one),
              [one](const char* isa, int threads, int) { return predict<T>(one, isa, threads); }};
    });
  all.push_back({"predict at once",
                 [](const char* isa, int threads, int) { return predict_at_once(isa, threads); }});
  return all;
}

}  // namespace glassnet
