// SPDX-License-Identifier: MIT
// tests/fail/mask_of_no_cpus.cpp — a mask that can hold no CPU would refuse everything, later and somewhere else.
// EXPECT: a cpumask needs at least one CPU
#include <bookend/cpumask.hpp>

#ifdef CURED
constexpr unsigned cpus = 1;
#else
constexpr unsigned cpus = 0;
#endif
bool any(const bookend::cpumask<cpus>& m) { return m.any(); }
