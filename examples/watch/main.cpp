// SPDX-License-Identifier: MIT
// examples/watch/main.cpp — who touches a variable of a running process? Asks the CPU's debug registers. See README.md.
#include <bookend/linux/supervise.hpp>

#include <fmt/format.h>

#include <exception>

#include "arguments.hpp"
#include "complaint.hpp"
#include "console.hpp"
#include "probe.hpp"
#include "report.hpp"
#include "tracing.hpp"
#include "wishes.hpp"

namespace {

void watch_as_asked(const watch::options& asked) {
  watch::survive_early_toggles();
  watch::console out(asked.output);
  const auto report = asked.json ? watch::report_as_json(out) : watch::report_for_people(out);
  const watch::keyboard keys(/*for_a_command=*/!asked.command.empty());
  watch::tracing it(asked, *report, out);
  it.take_hold();
  watch::wishes wishes(keys);
  it.arm();
  it.follow(wishes);
  it.finish();
}

int complaining(void (*what)(const watch::options&), const watch::options& asked) try {
  what(asked);
  return 0;
} catch (const watch::complaint& c) {
  fmt::print(stderr, "watch: {}\n", c.what());
  return c.code;
} catch (const std::exception& e) {  // out of memory, a broken file of debug information
  fmt::print(stderr, "watch: {}\n", e.what());
  return watch::refused;
}

}  // namespace

int main(int argc, char** argv) {
  watch::options asked;
  try {
    asked = watch::parse_arguments(argc, argv);
  } catch (const watch::complaint& c) {
    fmt::print(stderr, "watch: {}\n", c.what());
    return c.code;
  }
  if (!asked.help.empty()) {
    fmt::print("{}", asked.help);
    return 0;
  }
  if (asked.probe) return complaining([](const watch::options&) { watch::probe(); }, asked);
  // In a child, so that even `kill -9` of this process leaves the watched one with clean registers.
  return bookend::lnx::supervise([](void* a) { return complaining(watch_as_asked, *static_cast<const watch::options*>(a)); },
                                 &asked);
}
