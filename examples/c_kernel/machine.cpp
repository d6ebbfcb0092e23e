// SPDX-License-Identifier: MIT
// examples/c_kernel/machine.cpp — the one C++ file: bookend for this kernel, on a simulated machine. For x86-64 itself a kernel
// compiles include/bookend/c/bookend.cpp as it is.
#include <bookend/mock/backend.hpp>

namespace simulated {

/// Four slots, and as on x86 none of them watches reading alone.
struct registers : bookend::mock::backend<BOOKEND_MAX_CPUS, 4> {
  static constexpr bookend::result<setting> encode(bookend::request r) noexcept {
    if (r.on == bookend::access::read) return bookend::reason::unsupported;
    return backend::encode(r);
  }
};

}  // namespace simulated

#define BOOKEND_BACKEND simulated::registers
#include <bookend/c/bookend.cpp>  // NOLINT(bugprone-suspicious-include): compiled here

#include "machine.h"

bool machine_touches(unsigned cpu, bookend_access how, std::uint64_t address, std::uint64_t length) {
  using bookend::mock::touch;
  const touch what = how == BOOKEND_EXECUTE ? touch::execute : how == BOOKEND_READ ? touch::read : touch::write;
  return bookend::c::slots.system().bank(cpu).touched(what, {address, length});
}
