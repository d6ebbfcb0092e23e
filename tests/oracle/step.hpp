// SPDX-License-Identifier: MIT
// tests/oracle/step.hpp — one call of a verb as a value: to be kept, left out, and printed as the line that one would write.
#pragma once
#include <string>

namespace oracle {

/// Breakpoints, tasks and CPUs are numbers. What a verb does not use stays 0.
struct step {
  enum verb {
    register_kernel,
    register_user,
    unregister,
    enable,
    disable,
    modify,
    move,
    run,
    idle,
    fork,
    exec,
    exit,
    online,
    offline
  };
  static constexpr int wide = -1;
  verb what = idle;
  bool of_user = false;  ///< for the verbs of both kinds of breakpoint
  unsigned who = 0;      ///< the breakpoint
  unsigned task = 0;     ///< ... or the parent
  unsigned child = 0;
  unsigned cpus = 0;  ///< a mask
  int where = wide;   ///< one CPU; of a user's registration: pinned there
  unsigned pool = 0;
  bool on = true;
};

inline std::string text(const step& s) {
  const auto number = [](const char* name, unsigned i) { return name + std::to_string(i); };
  const std::string b = number(s.of_user || s.what == step::register_user ? "u" : "k", s.who), t = number("t", s.task);
  const std::string cpu = std::to_string(s.where), pool = number("watch_of_pool_", s.pool);
  const std::string how = s.on ? ");" : ", start::disabled);";
  std::string cpus = "cpus{";
  for (unsigned c = 0; s.cpus >> c != 0; ++c)
    if ((s.cpus >> c & 1) != 0) cpus += (cpus.back() == '{' ? "" : ", ") + std::to_string(c);
  cpus += '}';
  switch (s.what) {
    case step::register_kernel:
      return "slots.register_breakpoint(" + b + ", " + pool + ", " + cpus + how;
    case step::register_user:
      return "slots.register_breakpoint(" + b + ", " + t + ", " + pool + (s.where == step::wide ? "" : ", pinned{" + cpu + "}") +
             how;
    case step::unregister:
      return "slots.unregister_breakpoint(" + b + ");";
    case step::enable:
      return "slots.enable(" + b + ");";
    case step::disable:
      return "slots.disable(" + b + ");";
    case step::modify:
      return "slots.modify(" + b + ", another_" + pool + ");";
    case step::move:
      return "slots.move(" + b + ", " + cpus + ");";
    case step::run:
      return "run(" + cpu + ", " + t + ");";
    case step::idle:
      return "idle(" + cpu + ");";
    case step::fork:
      return "slots.on_fork(" + t + ", " + number("t", s.child) + ", inherit_all);";
    case step::exec:
      return "slots.on_exec(" + t + ");";
    case step::exit:
      return "slots.on_exit(" + t + ");";
    case step::online:
      return "online(" + cpu + ");";
    case step::offline:
      return "offline(" + cpu + ");";
  }
  return "";
}

}  // namespace oracle
