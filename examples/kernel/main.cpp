// SPDX-License-Identifier: MIT
// examples/kernel/main.cpp — what this kernel is for: the command line says which of these it runs.
#include "checks/check.hpp"
#include "machine/serial.hpp"

namespace kernel {

namespace {

struct program {
  const char* command;
  void (*run)(const options&) noexcept;
};
/// Those with the same command run one after the other.
constexpr program programs[] = {
    {"checks", check_boot},          //
    {"checks", check_calls},         //
    {"checks", check_watches},       //
    {"checks", check_tasks},         //
    {"checks", check_deny_list},     //
    {"checks", check_nesting},       //
    {"checks", check_verbs},         //
    {"checks", check_posted},        //
    {"checks", check_object_watch},  //
    {"checks", check_c_clients},     //
    {"checks", check_perf},          //
    {"checks", check_processors},    //
    {"endurance", endurance},        //
    {"counts", counts},              //
};

}  // namespace

/// In the first thread, when all CPUs are up and bookend is on each.
void main(const char* command_line) noexcept {
  const options asked(command_line);
  bool any = false;
  for (const program& p : programs)
    if (asked.command_is(p.command)) {
      any = true;
      p.run(asked);
    }
  if (!any) say("no such command: \"", command_line, "\"; there are checks, endurance and counts");
  report_and_end();
}

}  // namespace kernel
