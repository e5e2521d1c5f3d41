// Every activation at every kind of number, the check for finite numbers at every place, and a look at
// the rates, whose numbers nobody can foretell.
#include <cmath>

#include "networks.hpp"

namespace glassnet {

namespace {

template <class T> std::uint64_t activate_all(Activation activation, const char* isa) {
  using Limits = std::numeric_limits<T>;
  // No subnormal number: sums and products leave none, and which functions flush what they only compare
  // and pass on is up to the processor.
  std::vector<T> some{0, Limits::min(), Limits::epsilon(), Limits::max(), Limits::infinity(),
                      Limits::quiet_NaN()};
  for (int power = -30; power <= 30; ++power)
    for (double part : {1.0, 1.3, 1.9}) some.push_back(T(std::ldexp(part, power)));
  Random random(7);
  for (int i = 0; i < 300; ++i) some.push_back(T(100 * random.uniform()));
  const std::size_t each = some.size(), lanes = LANES<T>;
  for (std::size_t i = 0; i < each; ++i) some.push_back(-some[i]);
  Hash hash;
  // One group, two, three: the steps of a loop are put together in different ways.
  for (std::size_t n : {lanes, 2 * lanes, 3 * lanes, some.size() / lanes * lanes}) {
    Aligned<T> values(n), slopes(n);
    std::copy_n(some.data(), n, values.get());
    {
      FlushSubnormals flush;
      choose_isa(isa).kernels<T>().activate(activation, n, values.get(), slopes.get());
    }
    hash.add(std::vector<T>(values.get(), values.get() + n));
    hash.add(std::vector<T>(slopes.get(), slopes.get() + n));
  }
  return hash.value();
}

template <class T> std::uint64_t look_for_finite(const char* isa) {
  const auto& kernels = choose_isa(isa).kernels<T>();
  for (std::size_t n = 0; n < 40; ++n) {
    std::vector<T> x(n, std::numeric_limits<T>::max());
    require(kernels.all_finite(x.data(), n), "finite numbers are not");
    for (T& at : x)
      for (T bad : {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                    std::numeric_limits<T>::quiet_NaN()}) {
        at = bad;
        require(!kernels.all_finite(x.data(), n), "a number that is not finite is overlooked");
        at = -1;
      }
  }
  return 0;
}

}  // namespace

std::vector<Check> functions() {
  std::vector<Check> all;
  for (std::size_t f = 0; f < std::size(ACTIVATION_NAMES); ++f)
    in_both(all, [&]<class T>(T) -> Check {
      return {std::string(precision<T>()) + " activation " + ACTIVATION_NAMES[f],
              [f](const char* isa, int, int) { return activate_all<T>(Activation(f), isa); }};
    });
  in_both(all, []<class T>(T) -> Check {
    return {std::string(precision<T>()) + " all_finite",
            [](const char* isa, int, int) { return look_for_finite<T>(isa); }};
  });
  in_both(all, []<class T>(T) -> Check {
    return {std::string(precision<T>()) + " rates", [](const char* isa, int threads, int) -> std::uint64_t {
              const Isa chosen = choose_isa(isa);
              if (threads == 1) (sizeof(T) == 8 ? chosen.rates64 : chosen.rates32)(1e-4);
              return 0;
            }};
  });
  return all;
}

}  // namespace glassnet
