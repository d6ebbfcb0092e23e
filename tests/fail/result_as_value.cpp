// SPDX-License-Identifier: MIT
// tests/fail/result_as_value.cpp — a result is no setting until somebody has asked whether it is one.
// EXPECT: (could not convert|no viable conversion).*result<.*setting
#include <bookend/mock/backend.hpp>

using machine = bookend::mock::backend<1, 1>;
machine::setting aim(const bookend::request& r) {
#ifdef CURED
  const auto encoded = machine::encode(r);
  return encoded ? encoded.value() : machine::setting{};
#else
  return machine::encode(r);
#endif
}
