// SPDX-License-Identifier: MIT
// include/bookend/assert.hpp — broken promises. Bad input is a refusal (refusal.hpp); this is for bugs in the caller.
#pragma once

/// Called with a condition that the caller promised. Point it at your panic before the first bookend header:
///   #define BOOKEND_ASSERT(condition, text) ((condition) ? void() : panic("bookend: " text))
/// The default stops at the broken line. It may be reached from any context, NMI included.
#ifndef BOOKEND_ASSERT
#define BOOKEND_ASSERT(condition, text) ((condition) ? void() : __builtin_trap())
#endif

/// 1: destroying a registered breakpoint is an assertion. Its price is a destructor that is not trivial, for which a static
/// breakpoint asks the C++ runtime for __cxa_atexit; so a freestanding build leaves it out unless told otherwise.
#ifndef BOOKEND_CHECK_DESTRUCTION
#define BOOKEND_CHECK_DESTRUCTION __STDC_HOSTED__
#endif
