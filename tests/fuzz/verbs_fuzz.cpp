// SPDX-License-Identifier: MIT
// tests/fuzz/verbs_fuzz.cpp — verbs, contexts and accesses as the bytes say, on a mock machine and on the naive model: after each
// step the answer, every row and the registers are the model's; at the end every slot of every CPU is free.
#include <conformance/random_walk.hpp>
#include <fuzz/bytes.hpp>

namespace {

using namespace bookend::mock;

template <class Walk>
void walk(fuzz::bytes b) {
  const bool shows_disabled = (b.byte() & 1) != 0;
  Walk w(shows_disabled, [&b](unsigned below) { return b.byte() % below; });
  while (b.left()) {
    w.step();
    if (!w.check().empty()) fuzz::wrong(w.wrong);
  }
  if (!w.check_empty().empty()) fuzz::wrong(w.wrong);
}

using conformance::random_walk;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::bytes b{data, data + size};
  switch (b.byte() % 4) {
    case 0:
      walk<random_walk<machine<2, 3>, 4, 3, 8>>(b);
      break;
    case 1:
      walk<random_walk<machine<2, 4, 2>, 5, 3, 8>>(b);
      break;
    case 2:
      walk<random_walk<machine_of<system_with_tasks<2, 4>>, 5, 3, 8>>(b);
      break;
    default:
      walk<random_walk<machine<2, 4, 2, true>, 4, 3, 8>>(b);
      break;
  }
  return 0;
}
