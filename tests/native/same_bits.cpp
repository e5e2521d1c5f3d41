// Runs every check under every instruction set that this build and processor have, on 1, 2, 3 and 7
// threads, and prints a hash of each one's results. It fails where two of them differ; comparing its
// output between machines compares the machines.
//
//   same_bits [ITERATIONS]     (default 20, of training on all samples; an emulator may want fewer)
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "checks.hpp"
#include "host/isa.hpp"

using namespace glassnet;

int main(int argc, char** argv) {
  const int iterations = argc > 1 ? std::atoi(argv[1]) : 20;
  std::vector<Isa> usable;
  for (const Isa& isa : isas())
    if (isa.usable) usable.insert(usable.begin(), isa);  // portable, the judge, is the last of isas()
  std::map<std::string, Hash> totals;
  int differences = 0;
  for (const auto& list : {descents, curvatures, searches, batches, predictions, functions, shuffles, teams})
    for (const Check& check : list()) {
      std::uint64_t expected = 0;
      for (const Isa& isa : usable)
        for (int threads : {1, 2, 3, 7}) {
          std::uint64_t hash = 0;
          try {
            hash = check.run(isa.name, threads, iterations);
          } catch (const std::exception& error) {
            ++differences;
            std::printf("%-8s  FAILS on %d thread(s), %s: %s\n", isa.name, threads, error.what(),
                        check.name.c_str());
          }
          if (&isa == &usable[0] && threads == 1) expected = hash;
          if (threads == 1) {
            std::printf("%-8s  %016" PRIx64 "  %s\n", isa.name, hash, check.name.c_str());
            totals[isa.name].add(std::vector<std::uint64_t>{hash});
          }
          if (hash != expected) {
            ++differences;
            std::printf("%-8s  %016" PRIx64 "  DIFFERS on %d thread(s): %s\n", isa.name, hash, threads,
                        check.name.c_str());
          }
        }
      std::fflush(stdout);
    }
  for (const auto& [isa, total] : totals)
    std::printf("%-8s  %016" PRIx64 "  all\n", isa.c_str(), total.value());
  return differences > 0;
}
