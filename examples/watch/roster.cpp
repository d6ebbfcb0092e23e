// SPDX-License-Identifier: MIT
// examples/watch/roster.cpp — the threads of the process: their names, their registers, and which ones were chosen.
#include "roster.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "complaint.hpp"
#include "nearest.hpp"
#include "proc.hpp"

namespace watch {
namespace {

bool is_number(const std::string& s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

slot_seen seen(const slot_manager::snapshot_type::slot& s) {
  constexpr const char* holders[] = {"free", "kernel", "user", "withheld"};
  return {holders[static_cast<unsigned>(s.state)], s.name, s.on};
}

}  // namespace

roster::~roster() {
  for (auto& [name, chosen] : chosen_) {
    if (slots_.system().cpu_of(chosen.tid) < slot_manager::mask::size) (void)make_current(chosen.tid, nobody_);
    slots_.on_exit(chosen.task);
  }
}

const slot_manager::task* roster::find_task(const std::string& choice) const {
  const auto chosen = chosen_.find(choice);
  return chosen == chosen_.end() ? nullptr : &chosen->second.task;
}

bool roster::fits(const std::string& choice, const member& m) const {
  if (is_number(choice)) return choice == fmt::format("{}", m.tid);
  if (choice[0] == '#') return choice == fmt::format("#{}", 1 + (&m - members_.data()));
  return choice == m.name;
}

void roster::check_choices(bool may_come) const {
  for (const auto& [name, chosen] : chosen_) {
    if (name[0] == '#') {
      if (!is_number(name.substr(1)) || name == "#0")
        throw complaint(fmt::format("'{}' is no thread: #1 is the first, #2 the second", name));
      continue;  // it may come
    }
    std::vector<std::string> fitting, names;
    for (const member& m : members_) {
      if (fits(name, m)) fitting.push_back(fmt::format("{}", m.tid));
      names.push_back(m.name);
    }
    if (fitting.size() > 1)
      throw complaint(
          fmt::format("{} threads are called '{}': choose by TID: {}", fitting.size(), name, fmt::join(fitting, " ")));
    if (!fitting.empty() || (may_come && !is_number(name))) continue;
    const std::string near = did_you_mean(name, names);
    if (!near.empty()) throw complaint(fmt::format("no thread '{}'{}", name, near));
    std::string all;
    for (const member& m : members_) all += fmt::format("{}{} ({})", all.empty() ? "" : ", ", m.name, m.tid);
    throw complaint(fmt::format("no thread '{}': there is {}", name, all));
  }
}

void roster::match(member& m) {
  for (auto& [name, chosen] : chosen_) {
    if (chosen.tid != 0 || !fits(name, m)) continue;
    if (const auto no = make_current(m.tid, chosen.task))
      throw complaint(fmt::format("cannot watch thread {} ({}): {}", m.name, m.tid, bookend::to_string(no.why)));
    chosen.tid = m.tid;
    chosen.came = true;
    look_at_slots(m.tid);
    return;  // a thread has one task
  }
}

bookend::refusal roster::make_current(pid_t tid, const slot_manager::task& next) {
  struct call {
    roster* self;
    const slot_manager::task* next;
    bookend::refusal no;
  } c{this, &next, {}};
  // A context switch belongs to the CPU it happens on: the thread stands still for it.
  auto& tracee = slots_.system();
  tracee.run_on(
      slot_manager::mask::of(tracee.cpu_of(tid)),
      [](void* argument, bookend::cpu_id cpu) noexcept {
        auto& k = *static_cast<call*>(argument);
        k.no = k.self->slots_.on(cpu).switch_to(k.self->nobody_, *k.next);
      },
      &c);
  return c.no;
}

roster::member& roster::of(pid_t tid) {
  return *std::find_if(members_.begin(), members_.end(), [&](const member& m) { return m.tid == tid && !m.ended; });
}

thread_name roster::add(pid_t tid) {
  member& m = members_.emplace_back();
  m.tid = tid;
  m.name = name_of_thread(slots_.system().pid(), tid);
  match(m);
  look_at_slots(tid);
  return {tid, m.name};
}

void roster::gone(pid_t tid) {
  (void)named(tid);  // the last moment to see a name
  of(tid).ended = true;
  for (auto& [name, chosen] : chosen_)
    if (chosen.tid == tid) chosen.tid = 0;  // the next thread of that name takes its place
}

void roster::look_at_names() {
  for (member& m : members_) {
    if (m.ended) continue;
    (void)named(m.tid);
    match(m);
  }
}

void roster::look_at_slots() {
  for (const member& m : members_)
    if (!m.ended) look_at_slots(m.tid);
}

void roster::look_at_slots(pid_t tid) {
  const auto snapshot = slots_.snapshot(slots_.system().cpu_of(tid));
  auto& mine = of(tid).slots;
  mine.clear();
  for (const auto& s : snapshot.slots) mine.push_back(seen(s));
}

thread_name roster::named(pid_t tid) {
  member& m = of(tid);
  if (auto name = name_of_thread(slots_.system().pid(), tid); !name.empty()) m.name = std::move(name);
  return {tid, m.name};
}

std::vector<thread_slots> roster::slot_maps() const {
  std::vector<thread_slots> all;
  for (const member& m : members_) all.push_back({{m.tid, m.name}, m.ended, m.slots});
  return all;
}

std::size_t roster::alive() const {
  return static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(), [](const member& m) { return !m.ended; }));
}

bool roster::waits_for_thread() const {
  return std::any_of(chosen_.begin(), chosen_.end(), [](const auto& c) { return c.second.tid == 0; });
}

std::vector<std::string> roster::never_came() const {
  std::vector<std::string> names;
  for (const auto& [name, chosen] : chosen_)
    if (!chosen.came) names.push_back(name);
  return names;
}

pid_t roster::where(const slot_manager::task& task) const {
  for (const auto& [name, chosen] : chosen_)
    if (&chosen.task == &task) return chosen.tid;
  return 0;
}

}  // namespace watch
