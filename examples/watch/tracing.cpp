// SPDX-License-Identifier: MIT
// examples/watch/tracing.cpp — one process and the watches on it, from the first stop to the last.
#include "tracing.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "aim.hpp"
#include "complaint.hpp"
#include "proc.hpp"
#include "value.hpp"

namespace watch {

using bookend::access;
using bookend::lnx::happened;

namespace {

/// argv as exec wants it.
std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  return argv;
}

complaint cannot_attach(pid_t pid, bookend::lnx::error why) {
  if (why.code == ESRCH) return complaint(fmt::format("there is no process {}", pid));
  if (why.code == EUSERS) return complaint(fmt::format("process {} has more than {} threads", pid, slot_manager::mask::size));
  if (const int tracer = bookend::lnx::status_of_thread(pid).tracer; tracer != 0)
    return complaint(fmt::format("process {} is being traced already, by process {}", pid, tracer));
  if (why.code == EPERM)
    return complaint(fmt::format(
        "not allowed to trace process {}: another user's, the kernel's, or kernel.yama.ptrace_scope forbids it", pid));
  return complaint(fmt::format("cannot trace process {}: {}", pid, std::strerror(why.code)));
}

std::string how_it_ended(int status) {
  if (WIFEXITED(status)) return fmt::format("the process ended with exit status {}", WEXITSTATUS(status));
  const char* name = sigabbrev_np(WTERMSIG(status));  // null for real-time signals
  return name != nullptr ? fmt::format("the process was killed by SIG{}", name)
                         : fmt::format("the process was killed by signal {}", WTERMSIG(status));
}

std::string whose(const watched& w) {
  return fmt::format("'{}' ({}{})", w.text, w.thread.empty() ? "all threads" : "thread " + w.thread,
                     w.enabled ? "" : ", disabled");
}

}  // namespace

tracing::tracing(const options& asked, report& tell, console& out) : asked_(asked), tell_(tell), out_(out) {
  slots_->system().on_trap(&tracing::on_trap, this);
}

tracing::~tracing() {
  watches_.clear();
  auto& tracee = slots_->system();
  if (watching_ || asked_.command.empty() || tracee.pid() == 0) return;
  tracee.kill();
  for (const pid_t tid : tracee.threads()) tracee.resume(tid);
  while (tracee.wait(1000).what != happened::ended) {
  }
}

void tracing::take_hold() {
  auto& tracee = slots_->system();
  if (asked_.pid != 0) {
    if (asked_.pid == getpid()) throw complaint("a process cannot trace itself");
    if (const auto failed = tracee.attach(asked_.pid)) throw cannot_attach(asked_.pid, failed);
  } else {
    auto words = asked_.command;
    // In a process group of its own, so that Ctrl-C ends the watching and not the command.
    const auto failed = tracee.launch(pointers_to(words).data(), true);
    if (failed.code == EPERM)
      throw complaint(fmt::format("not allowed to trace '{}': watch --probe says what this machine allows", words[0]),
                      not_allowed_here);
    if (failed) throw complaint(fmt::format("cannot start '{}': {}", words[0], std::strerror(failed.code)));
  }
  for (const pid_t tid : tracee.threads())
    if (const auto no = slots_->cpu_online(tracee.cpu_of(tid)))
      throw complaint(describe(no.why, fmt::format("thread {}", tid), {}));
  if (asked_.pid == 0) run_to_entry();
  names_ = std::make_unique<symbols>(tracee.pid());
}

/// The libraries of a command are mapped by the time that its own first instruction runs. To be there: an execution breakpoint.
void tracing::run_to_entry() {
  struct entry_breakpoint : slot_manager::kernel_breakpoint {
    entry_breakpoint()
        : kernel_breakpoint("entry",
                            [](const slot_manager::hit& h) { static_cast<entry_breakpoint&>(h.kernel()).reached = true; }) {}
    bool reached = false;
  } entry;
  auto& tracee = slots_->system();
  const auto address = entry_point(tracee.pid());
  if (!address) throw complaint(fmt::format("cannot see where '{}' begins", asked_.command[0]));
  bookend::registration unregister_at_the_end{*slots_, entry};
  if (const auto no = slots_->register_breakpoint(entry, {*address, 1, access::execute}))
    throw complaint(describe(no.why, asked_.command[0], {*address, 1, access::execute}), not_allowed_here);
  tracee.resume(tracee.pid());
  while (!entry.reached) {
    const event e = tracee.wait();
    if (e.what == happened::ended)
      throw complaint(fmt::format("'{}' never began: {}", asked_.command[0], how_it_ended(e.status)));
    (void)bookend::lnx::follow(*slots_, e);
    if (!entry.reached) tracee.resume(e.tid);
  }
}

void tracing::arm() {
  const pid_t pid = slots_->system().pid();
  std::vector<watched> all;
  for (const wanted& w : asked_.watches) {
    all.push_back({w.text, aim(w, *names_), w.thread, w.enabled});
    if (!w.thread.empty()) (void)threads_.task_of(w.thread);
  }
  for (const pid_t tid : slots_->system().threads()) (void)threads_.add(tid);
  threads_.check_choices(/*may_come=*/asked_.pid == 0);

  for (const watched& w : all) {
    const std::size_t number = watches_.size();
    const auto value = read_value(pid, w.what.bytes());  // before the first hit can be
    watchpoint& one = w.thread.empty() ? watches_.emplace_back(*slots_, w, number, *this)
                                       : watches_.emplace_back(*slots_, w, number, threads_.task_of(w.thread));
    if (const auto no = one.refused()) {
      const std::string line = no.why == bookend::reason::no_slot ? who_holds(w) : describe(no.why, w.text, w.what);
      throw complaint(line);
    }
    one.value = value;
    if (!value && w.what.on != access::execute)
      out_.note(fmt::format("'{}': there is no memory at {:#x} now", w.text, w.what.address));
  }
  threads_.look_at_slots();
  began_ = clock::now();
  watching_ = true;
  tell_.begins(pid, name_of_thread(pid, pid), all_said());
}

/// The manager said no_slot; its snapshot says who is there. A thread that has not come yet has its slots reserved all the same.
std::string tracing::who_holds(const watched& refused) {
  std::vector<std::string> to_come;  // what the thread in question will have in its lowest free slots
  auto& tracee = slots_->system();
  bookend::cpu_id cpu = tracee.cpu_of(tracee.pid());
  std::string thread = refused.thread;
  if (thread.empty()) {  // a watch of all threads has to fit the thread that has the most of its own
    std::map<std::string, unsigned> own;
    for (const watchpoint& w : watches_)
      if (!w.said().thread.empty() && !w.refused()) ++own[w.said().thread];
    for (const auto& [name, count] : own)
      if (thread.empty() || count > own[thread]) thread = name;
  }
  if (const auto* task = threads_.find_task(thread); task != nullptr && threads_.where(*task) != 0)
    cpu = tracee.cpu_of(threads_.where(*task));
  else
    for (const watchpoint& w : watches_)
      if (!w.said().thread.empty() && w.said().thread == thread && !w.refused()) to_come.push_back(whose(w.said()));

  std::string line = fmt::format("no debug register is left for {}: ", whose(refused));
  const auto snapshot = slots_->snapshot(cpu);
  std::string held;
  std::size_t next = 0;
  for (bookend::slot_id s = 0; s < std::size(snapshot.slots); ++s) {
    const auto& slot = snapshot.slots[s];
    std::string holder = "nobody";
    for (const watchpoint& w : watches_)
      if (slot.name == w.said().text.c_str()) holder = whose(w.said());
    if (slot.state == bookend::slot_state::free && next < to_come.size()) holder = to_come[next++];
    if (slot.state == bookend::slot_state::withheld) holder = "no such register";
    held = fmt::format("slot {} holds {}", s, holder) + (held.empty() ? "" : ", ") + held;
  }
  return line + held;
}

void tracing::follow(wishes& from_outside) {
  auto& tracee = slots_->system();
  tracee.wake_on(from_outside.fd());
  tracee.resume(tracee.pid());  // a command has been waiting for this
  while (!is_over()) {
    handle(tracee.wait(patience_ms()));
    while (const auto w = from_outside.next()) grant(*w);
    look_around();
  }
}

void tracing::handle(const event& e) {
  if (e.what == happened::exec)
    (void)slots_->cpu_offline(e.cpu);  // and not online again: our addresses mean nothing to another program
  else if (const auto no = bookend::lnx::follow(*slots_, e))
    out_.note(fmt::format("thread {} is not watched: {}", e.tid, bookend::to_string(no.why)));
  switch (e.what) {
    case happened::started:
      tell_.thread_started(threads_.add(e.tid), seconds());
      break;
    case happened::exited:
      threads_.gone(e.tid);
      break;
    case happened::crowded:
      if (unwatched_++ == 0)
        out_.note(fmt::format("{} threads are the most: those that start now are not watched", slot_manager::mask::size));
      break;
    case happened::exec:
      end("the process became another program");
      break;
    case happened::ended:
      end(how_it_ended(e.status));
      break;
    default:
      break;
  }
  if (!is_over()) slots_->system().resume(e.tid);  // else finish() lets it go, registers clean
}

std::uint64_t tracing::on_trap(void* self, bookend::cpu_id cpu, bookend::lnx::frame& frame) {
  auto& s = *static_cast<tracing*>(self);
  const auto trap = s.slots_->on(cpu).trap(frame);  // calls the watches of all threads itself
  for (unsigned i = 0; i < trap.user_count; ++i) s.on_hit(trap.user_hits[i].cookie, cpu, frame);
  return trap.rest;
}

void tracing::on_hit(std::size_t watch, bookend::cpu_id, const bookend::lnx::frame& frame) {
  watchpoint& w = watches_[watch];
  const auto before = std::exchange(w.value, read_value(frame.tid, w.said().what.bytes()));
  if (!watching_ || is_over()) return;
  const bool executed = w.said().what.on == access::execute;
  const hit_seen h{seconds(), watch, threads_.named(frame.tid), names_->at(frame.ip(), !executed), before, w.value};
  hits_.add(h);
  tell_.hit(w.said(), h);
  if (hits_.total() == asked_.count) end(fmt::format("that was --count {}", asked_.count));
}

void tracing::grant(const wish& w) {
  switch (w.what) {
    case wish::kind::toggle:
      return toggle(w.watch);
    case wish::kind::show_slots:
      return tell_.slots(threads_.slot_maps());
    case wish::kind::end:
      return end(w.why);
  }
}

void tracing::toggle(std::size_t watch) {
  if (watch >= watches_.size()) return out_.note(fmt::format("there is no watch {}", watch + 1));
  watchpoint& w = watches_[watch];
  if (!w.said().enabled) w.value = read_value(slots_->system().pid(), w.said().what.bytes());
  if (const auto no = w.toggle())
    return out_.note(fmt::format("watch {} stays as it was: {}", watch + 1, bookend::to_string(no.why)));
  tell_.toggled(w.said(), watch, seconds());
  threads_.look_at_slots();
}

/// What no event tells: the time, names that threads take, a reader of the report who has gone.
void tracing::look_around() {
  if (asked_.seconds > 0 && seconds() >= asked_.seconds) end(fmt::format("that was --for {}", asked_.seconds));
  if (!out_.works()) end("nobody reads the report any more");
  const auto now = clock::now();
  if (is_over() || now - looked_around_ < std::chrono::milliseconds(threads_.waits_for_thread() ? 5 : 200)) return;
  looked_around_ = now;
  threads_.look_at_names();
  out_.status(fmt::format("{} hits, {} threads, {:.0f} s   keys: 1-9 toggle, s slots, q end", hits_.total(), threads_.alive(),
                          seconds()));
}

int tracing::patience_ms() const {
  double ms = threads_.waits_for_thread() ? 5 : 200;
  if (asked_.seconds > 0) ms = std::min(ms, (asked_.seconds - seconds()) * 1000);
  return static_cast<int>(std::max(ms, 0.0)) + (ms > 0 ? 1 : 0);
}

void tracing::end(const std::string& why) {
  if (!is_over()) why_ = why;
}

std::vector<watched> tracing::all_said() const {
  std::vector<watched> all;
  for (const watchpoint& w : watches_) all.push_back(w.said());
  return all;
}

void tracing::finish() {
  const ending e{why_, seconds(), hits_.total(), all_said(), hits_.rows(), threads_.slot_maps()};
  if (unwatched_ > 1) out_.note(fmt::format("{} threads were not watched", unwatched_));
  for (const std::string& name : threads_.never_came()) out_.note(fmt::format("no thread '{}' came", name));
  watches_.clear();
  const bool runs_on = slots_->system().pid() != 0;
  slots_->system().detach();
  ending told = e;
  if (runs_on) told.why += "; the process runs on";
  tell_.ends(told);
}

}  // namespace watch
