// SPDX-License-Identifier: MIT
// examples/watch/roster.hpp — the threads of the process: their names, their registers, and which ones were chosen.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "report.hpp"
#include "watchpoint.hpp"

namespace watch {

class roster {
 public:
  explicit roster(slot_manager& slots) : slots_(slots) {}
  ~roster();
  roster(const roster&) = delete;
  roster& operator=(const roster&) = delete;

  /// What --thread says: the task whose breakpoints follow that thread. It may be asked for before the thread is there: what the
  /// task watches has its slot from then on, whichever thread it becomes.
  [[nodiscard]] slot_manager::task& task_of(const std::string& choice) { return chosen_[choice].task; }
  /// The same without asking for it: null when nobody did.
  [[nodiscard]] const slot_manager::task* find_task(const std::string& choice) const;
  /// Throws a complaint if a choice names no thread, or several. `may_come`: then a name may be one that is not there yet.
  void check_choices(bool may_come) const;

  /// A thread that is online. If it was chosen, its task is current on it from here on.
  thread_name add(pid_t tid);
  void gone(pid_t tid);
  /// Threads take their names after they start: looks at all names again, and whether one is chosen now. Cheap.
  void look_at_names();
  /// Looks at the registers, as the manager has them. Stops each thread for a moment.
  void look_at_slots();
  void look_at_slots(pid_t tid);

  /// Its name as it is now.
  [[nodiscard]] thread_name named(pid_t tid);
  /// In the order in which they were seen.
  [[nodiscard]] std::vector<thread_slots> slot_maps() const;
  [[nodiscard]] std::size_t alive() const;
  /// True while a chosen thread has not turned up.
  [[nodiscard]] bool waits_for_thread() const;
  /// The choices that no thread ever fitted.
  [[nodiscard]] std::vector<std::string> never_came() const;
  /// A thread whose registers hold what `task` watches; 0 if there is none.
  [[nodiscard]] pid_t where(const slot_manager::task& task) const;

 private:
  struct member {
    pid_t tid = 0;
    std::string name;
    bool ended = false;
    std::vector<slot_seen> slots;
  };
  struct pick {
    slot_manager::task task;
    pid_t tid = 0;  // 0: not here
    bool came = false;
  };

  [[nodiscard]] bool fits(const std::string& choice, const member& m) const;
  void match(member& m);
  bookend::refusal make_current(pid_t tid, const slot_manager::task& next);
  [[nodiscard]] member& of(pid_t tid);

  slot_manager& slots_;
  slot_manager::task nobody_;           // what a thread runs that nobody chose
  std::map<std::string, pick> chosen_;  // nodes: tasks do not move
  std::vector<member> members_;         // the Nth to be seen is at N - 1
};

}  // namespace watch
