// SPDX-License-Identifier: MIT
// examples/kernel/kernel/bookend.hpp — the one place that includes bookend, so that its assertions are our panic everywhere.
#pragma once
#include "panic.hpp"

#define BOOKEND_ASSERT(condition, text) ((condition) ? void() : ::kernel::panic("bookend: " text, __FILE__, __LINE__))
#include <bookend/bookend.hpp>
#include <bookend/native.hpp>
#include <bookend/x86/virtual_registers.hpp>

#include "../machine/cpu.hpp"

namespace kernel {

using cpu_mask = bookend::cpumask<max_cpus>;

}  // namespace kernel
