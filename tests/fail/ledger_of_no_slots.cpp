// SPDX-License-Identifier: MIT
// tests/fail/ledger_of_no_slots.cpp — a shelf without slots would refuse everything, later and somewhere else.
// EXPECT: a ledger counts 1 to 255 slots
#include <bookend/ledger.hpp>

#ifdef CURED
constexpr unsigned slots = 1;
#else
constexpr unsigned slots = 0;
#endif
bool empty(const bookend::ledger<slots, 8>& l) { return l.empty(); }
