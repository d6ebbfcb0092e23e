// SPDX-License-Identifier: MIT
// tests/fail/answer_of_a_switch_that_cannot_fail.cpp — only where loading watches can fail does the switch have an answer.
// EXPECT: (conversion from .void.|no viable conversion from 'void')
#include <bookend/bookend.hpp>
#include <bookend/mock/platform.hpp>

#ifdef CURED
constexpr bool fallible = true;
#else
constexpr bool fallible = false;  // and then there is nothing to look at
#endif
using slot_manager = bookend::slot_manager<bookend::mock::system<1, 4, 1, fallible>>;
bool switch_to(slot_manager& slots, slot_manager::task& prev, slot_manager::task& next) {
  const bookend::refusal no = slots.here().switch_to(prev, next);
  return !no;
}
