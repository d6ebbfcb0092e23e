// SPDX-License-Identifier: MIT
// examples/watch/tracing.hpp — one process and the watches on it, from the first stop to the last.
#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "console.hpp"
#include "report.hpp"
#include "roster.hpp"
#include "symbols.hpp"
#include "tally.hpp"
#include "watchpoint.hpp"
#include "wishes.hpp"

namespace watch {

/// However it ends, the process runs on with clean registers; only a command that never got as far as being watched is ended.
class tracing final : public hit_listener {
 public:
  tracing(const options& asked, report& tell, console& out);
  ~tracing();
  tracing(const tracing&) = delete;
  tracing& operator=(const tracing&) = delete;

  /// Attaches to the process, or starts the command and lets it load its libraries. Throws a complaint.
  void take_hold();
  /// Registers all watches, or throws a complaint that says which one was refused, and why.
  void arm();
  /// Until one of the ends that the command line or the person asks for, or the process's own.
  void follow(wishes& from_outside);
  /// Lets go of the process, then tells the end of the story.
  void finish();

 private:
  using clock = std::chrono::steady_clock;
  using event = bookend::lnx::event;

  // From the process.
  static std::uint64_t on_trap(void* self, bookend::cpu_id cpu, bookend::lnx::frame& frame);
  void on_hit(std::size_t watch, bookend::cpu_id cpu, const bookend::lnx::frame& frame) override;
  void handle(const event& e);
  void run_to_entry();

  // From the person.
  void grant(const wish& w);
  void toggle(std::size_t watch);

  void look_around();
  void end(const std::string& why);
  [[nodiscard]] bool is_over() const noexcept { return !why_.empty(); }
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(clock::now() - began_).count(); }
  [[nodiscard]] int patience_ms() const;
  [[nodiscard]] std::string who_holds(const watched& refused);
  [[nodiscard]] std::vector<watched> all_said() const;

  const options& asked_;
  report& tell_;
  console& out_;

  const std::unique_ptr<slot_manager> slots_ = std::make_unique<slot_manager>();  // too large for a stack
  roster threads_{*slots_};
  std::deque<watchpoint> watches_;  // goes before the tasks and the manager do
  std::unique_ptr<symbols> names_;
  tally hits_;
  std::string why_;         // not empty: it is over
  bool watching_ = false;   // hits count
  unsigned unwatched_ = 0;  // threads beyond the most that there can be
  clock::time_point began_ = clock::now(), looked_around_ = began_;
};

}  // namespace watch
