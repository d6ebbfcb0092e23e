// SPDX-License-Identifier: MIT
// examples/watch/report.hpp — what there is to tell, and the two ways of telling it: for people and for programs.
#pragma once
#include <sys/types.h>

#include <bookend/request.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "symbols.hpp"

namespace watch {

class console;

struct thread_name {
  pid_t tid = 0;
  std::string name;
};

/// One watch, as it was registered. Watches are counted from 1 in all output.
struct watched {
  std::string text;  ///< as typed
  bookend::request what;
  std::string thread;  ///< empty: all
  bool enabled = true;
};

struct hit_seen {
  double seconds = 0;  ///< since the watching began
  std::size_t watch = 0;
  thread_name thread;
  code_place where;
  std::optional<std::uint64_t> before, now;
};

/// Who touched what, how often: one line of the table at the end.
struct touch {
  std::size_t watch = 0;
  thread_name thread;
  code_place where;
  std::uint64_t hits = 0;
};

/// One debug register of one thread.
struct slot_seen {
  std::string holder;  ///< "free", "kernel", "user" or "withheld"
  std::string name;    ///< of the watch that holds it
  bool enabled = false;
};

struct thread_slots {
  thread_name thread;
  bool ended = false;  ///< then these are its slots when it ended
  std::vector<slot_seen> slots;
};

struct ending {
  std::string why;
  double seconds = 0;
  std::uint64_t hits = 0;
  std::vector<watched> watches;
  std::vector<touch> touched;
  std::vector<thread_slots> threads;
};

class report {
 public:
  virtual ~report() = default;
  virtual void begins(pid_t pid, const std::string& program, const std::vector<watched>& watches) = 0;
  virtual void thread_started(const thread_name& thread, double seconds) = 0;
  virtual void hit(const watched& w, const hit_seen& h) = 0;
  virtual void toggled(const watched& w, std::size_t watch, double seconds) = 0;
  virtual void slots(const std::vector<thread_slots>& threads) = 0;
  virtual void ends(const ending& e) = 0;
};

std::unique_ptr<report> report_for_people(console& out);
/// One JSON object a line; its fields are listed in README.md.
std::unique_ptr<report> report_as_json(console& out);

}  // namespace watch
