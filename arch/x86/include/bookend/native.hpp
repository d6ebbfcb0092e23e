// SPDX-License-Identifier: MIT
// arch/x86/include/bookend/native.hpp — the machine that arch/x86/include on the include path picks: ring 0 on x86-64.
#pragma once
#include <bookend/x86/backend.hpp>
#include <bookend/x86/registers.hpp>

namespace bookend {

using native_backend = x86::backend<x86::registers>;
static_assert(backend<native_backend> && !can_fail<native_backend>);

}  // namespace bookend
