// SPDX-License-Identifier: MIT
// examples/object_watch/follow.cpp — follows the objects of a class in a running process, through this machine's debug registers.
//   follow CLASS SIZE GUARD FIELD COMMAND ARGS...     GUARD and FIELD are offsets of 8 bytes in the object: pool.hpp
#include <bookend/linux/ptrace.hpp>
#include <bookend/registration.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "examples/watch/complaint.hpp"
#include "examples/watch/symbols.hpp"
#include "pool.hpp"

namespace {

using system_type = bookend::lnx::ptrace_system<64>;
using slot_manager = bookend::slot_manager<system_type>;
using watches = object_watch::pool<system_type, 2>;  // the probes have the other two
using bookend::lnx::event;
using bookend::lnx::happened;

struct layout {
  std::uint64_t size, guard, field;
};

/// The threads are CPUs. No posts here: writing a register can fail. So the handlers of the probes note what there is to do, and
/// it is done from the loop, with the manager's own verbs, before any thread goes on: nobody uses an object before it is watched.
class follower {
 public:
  explicit follower(layout where) : where_(where) {
    instance = this;
    bookend::lnx::connect(*slots_);
  }
  follower(const follower&) = delete;
  follower& operator=(const follower&) = delete;
  /// A command that is not followed to its end is ended.
  ~follower() {
    auto& tracee = slots_->system();
    tracee.kill();
    for (const int tid : tracee.threads()) tracee.resume(tid);
    while (tracee.wait().what != happened::ended) {
    }
    pool_.close();
  }

  /// Starts the command. Throws a complaint.
  void start(const std::string& name, char* const command[]) {
    auto& tracee = slots_->system();
    if (const auto failed = tracee.launch(command))
      throw watch::complaint(std::string("cannot start or trace ") + command[0] + ": " + std::strerror(failed.code),
                             failed.code == EPERM ? watch::not_allowed_here : watch::refused);
    if (slots_->cpu_online(tracee.cpu_of(tracee.pid()))) throw watch::complaint("cannot use its debug registers");
    watch::symbols names(tracee.pid());  // of the program alone; its libraries are to come
    const auto last = name.substr(name.rfind(':') + 1);
    aim(constructor_, names.find(name + "::" + last, true));
    aim(destructor_, names.find(name + "::~" + last, true));
    if (pool_.open()) throw watch::complaint("no debug registers are left for objects", watch::not_allowed_here);
    tracee.resume(tracee.pid());
  }
  /// Until the process ends; how many findings there were.
  unsigned run() {
    auto& tracee = slots_->system();
    for (;;) {
      const event e = tracee.wait();
      if (e.what == happened::ended) return found_;
      (void)bookend::lnx::follow(*slots_, e);
      if (!to_do_.empty()) catch_up();
      tracee.resume(e.tid);
    }
  }

 private:
  struct probe : slot_manager::kernel_breakpoint {
    using kernel_breakpoint::kernel_breakpoint;
  };
  struct step {
    bool allocates;
    std::uint64_t address, by;
  };
  static inline follower* instance;

  void aim(probe& p, const watch::symbol& function) {
    if (slots_->register_breakpoint(p, {function.address, 1, bookend::access::execute}))
      throw watch::complaint("no debug register is left for " + function.name, watch::not_allowed_here);
  }
  /// `this` is in RDI at the first instruction of a constructor or destructor, and on the stack lies where it returns to.
  static void at_entry(const slot_manager::hit& h, bool allocates) {
    const auto registers = [&](std::size_t offset) {
      return static_cast<std::uint64_t>(ptrace(PTRACE_PEEKUSER, h.frame.tid, offset, nullptr));
    };
    std::uint64_t caller = 0;
    (void)bookend::lnx::read_memory(h.frame.tid, registers(offsetof(user_regs_struct, rsp)), &caller, sizeof caller);
    instance->to_do_.push_back({allocates, registers(offsetof(user_regs_struct, rdi)), caller});
  }
  void catch_up() {
    auto& tracee = slots_->system();
    std::vector<int> stopped;
    for (const int tid : tracee.threads())
      if (tracee.stop(tid)) stopped.push_back(tid);  // it may have come to a probe itself: one more to do
    for (const step& s : to_do_) {
      if (s.allocates)
        pool_.allocated(*slots_, {s.address, where_.size, s.address + where_.guard, s.address + where_.field, s.by, 0});
      else
        pool_.freed(*slots_, s.address, s.by);
    }
    to_do_.clear();
    for (const int tid : stopped) tracee.resume(tid);
  }
  static void report(const watches::finding& f) { instance->tell(f); }
  void tell(const watches::finding& f) {
    ++found_;
    if (!names_) names_ = std::make_unique<watch::symbols>(slots_->system().pid());  // now that its libraries are there
    std::printf("%s\n", f.what == object_watch::fault::touched_after_free ? "an object was touched after it was freed"
                                                                          : "the guard of an object was written");
    bool first = true;
    for (const std::uint64_t pc : names_->stack(f.access.frame.tid)) {
      std::printf("  %s %s\n", first ? "by          " : "called from ", place(pc).c_str());
      first = false;
    }
    std::printf("  allocated by %s\n", place(f.of.allocated_by).c_str());
    if (f.of.freed_by != 0) std::printf("  freed by     %s\n", place(f.of.freed_by).c_str());
  }
  /// All of these come after what is meant: the access, or a call.
  std::string place(std::uint64_t pc) { return names_->at(pc, true).text(); }

  layout where_;
  std::unique_ptr<slot_manager> slots_ = std::make_unique<slot_manager>();
  probe constructor_{"constructor", [](const auto& h) { at_entry(h, true); }};
  probe destructor_{"destructor", [](const auto& h) { at_entry(h, false); }};
  bookend::registration<system_type, probe> until_the_end_[2]{{*slots_, constructor_}, {*slots_, destructor_}};
  watches pool_{*slots_, report};
  std::vector<step> to_do_;
  std::unique_ptr<watch::symbols> names_;
  unsigned found_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return std::fputs("follow CLASS SIZE GUARD FIELD COMMAND ARGS...\n", stderr), watch::bad_usage;
  const auto number = [&](int i) { return std::strtoull(argv[i], nullptr, 0); };
  try {
    follower f({number(2), number(3), number(4)});
    f.start(argv[1], argv + 5);
    std::printf("%u found\n", f.run());
    return 0;
  } catch (const watch::complaint& c) {
    return std::fprintf(stderr, "follow: %s\n", c.what()), c.code;
  }
}
