// Releases the Python interpreter's lock and takes it again, also while the interpreter ends.
#pragma once

#include <Python.h>

#include <chrono>
#include <cstdint>
#include <thread>

#include "host/problem.hpp"

namespace glassnet {

inline bool finalizing() {
#if PY_VERSION_HEX >= 0x030d0000
  return Py_IsFinalizing();
#else
  return _Py_IsFinalizing();
#endif
}

[[noreturn]] inline void stop_for_good() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

// Other Python threads may run while it lives. Where the interpreter ends meanwhile, which does not wait for
// daemon threads, this one stops for good, as all do from Python 3.14 on: before that, asking for the
// interpreter unwinds the stack, which C++ answers by aborting the process.
class Unlocked {
  PyThreadState* const state = PyEval_SaveThread();

 public:
  Unlocked() = default;
  Unlocked(const Unlocked&) = delete;
  ~Unlocked() {
    if (finalizing()) stop_for_good();
    try {
      PyEval_RestoreThread(state);
    } catch (...) {  // the interpreter ended while this waited for it
      stop_for_good();
    }
  }
};

// The interpreter, held again for a moment by a thread that let go of it.
class Locked {
  const PyGILState_STATE state = ensured();

  static PyGILState_STATE ensured() {
    try {
      return PyGILState_Ensure();
    } catch (...) {  // as above
      stop_for_good();
    }
  }

 public:
  Locked() = default;
  Locked(const Locked&) = delete;
  ~Locked() { PyGILState_Release(state); }
};

// Lets Python's signal handlers run; one of them may set `stop`, or raise.
inline Poll polling(bool& failed, const std::uint8_t* stop) {
  return [&failed, stop] {
    if (finalizing()) return true;
    Locked locked;
    failed = failed || PyErr_CheckSignals() != 0;
    return failed || is_set(stop);
  };
}

}  // namespace glassnet
