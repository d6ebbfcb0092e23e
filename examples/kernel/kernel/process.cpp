// SPDX-License-Identifier: MIT
// examples/kernel/kernel/process.cpp — see process.hpp.
#include "process.hpp"

#include "../machine/image.hpp"
#include "scheduler.hpp"

extern "C" {
[[noreturn]] void enter_user(const kernel::trap_frame* frame) noexcept;
void user_begins();  // user/begin.cpp
}

namespace kernel {

namespace {

constexpr std::uint64_t user_first = 0x40'0000, user_stack_end = 0x7fff'ffff'0000;
constexpr unsigned user_stack_pages = 4, max_processes = 24;

struct storage {
  process p;
  bool taken = false;
  std::int64_t (*program)(std::uint64_t) = nullptr;
  std::uint64_t argument = 0;
};
constinit storage processes[max_processes];

storage& new_process() noexcept {
  for (storage& s : processes)
    if (!__atomic_exchange_n(&s.taken, true, __ATOMIC_ACQUIRE)) return s;
  panic("no process left");
}

void load_programs(address_space& space) noexcept {
  std::uint64_t from = address_of(user_load);
  for (std::uint64_t at = user_first; at < address_of(user_end); at += page_bytes, from += page_bytes) {
    void* page = space.add_page(at, at < address_of(user_text_end) ? may::execute : may::write);
    __builtin_memcpy(page, at_physical<void>(from), page_bytes);
  }
  for (unsigned i = 1; i <= user_stack_pages; ++i) (void)space.add_page(user_stack_end - i * page_bytes, may::write);
}

/// In the task's own thread, the first time.
void go_to_ring_3(void* argument) noexcept {
  const auto& s = *static_cast<const storage*>(argument);
  trap_frame frame{};
  frame.rip = address_of(reinterpret_cast<const void*>(&user_begins));
  frame.cs = USER_CODE;
  frame.ss = USER_DATA;
  frame.rsp = user_stack_end;
  frame.rflags = flag_interrupts | 2;
  frame.rdi = s.argument;
  frame.rsi = address_of(reinterpret_cast<const void*>(s.program));
  enter_user(&frame);
}

bool user_may(std::uint64_t first, std::uint64_t bytes, bool writing) noexcept {
  const process* p = current().owner;
  if (bytes == 0) return true;
  const std::uint64_t last = first + bytes - 1;
  if (p == nullptr || last < first) return false;
  for (std::uint64_t page = first & ~(page_bytes - 1); page <= last; page += page_bytes)
    if (p->space.find(page, writing) == nullptr) return false;
  return true;
}

}  // namespace

thread* new_task(const char* name, std::int64_t (*program)(std::uint64_t), std::uint64_t argument,
                 const cpu_mask& where) noexcept {
  storage& s = new_process();
  s.program = program;
  s.argument = argument;
  process& p = s.p;
  p.handler = p.pending = p.steps = p.upcalls = 0;
  for (auto& h : p.hits) h = 0;
  p.space.create();
  load_programs(p.space);
  thread* t = new_thread(name, go_to_ring_3, &s, where);
  t->owner = &p;
  t->cr3 = p.space.cr3();
  return t;
}

thread* start_task(const char* name, std::int64_t (*program)(std::uint64_t), std::uint64_t argument,
                   const cpu_mask& where) noexcept {
  thread* t = new_task(name, program, argument, where);
  make_ready(*t);
  return t;
}

std::int64_t join_task(thread* t) noexcept {
  auto& s = *static_cast<storage*>(t->argument);
  const std::int64_t status = join(t);
  s.p.space.destroy();
  __atomic_store_n(&s.taken, false, __ATOMIC_RELEASE);
  return status;
}

void note_hits(process& p, std::uint64_t indices) noexcept {
  for (unsigned i = 0; i < max_user_watches; ++i)
    if ((indices >> i & 1) != 0) __atomic_fetch_add(&p.hits[i], 1, __ATOMIC_RELAXED);
  __atomic_fetch_or(&p.pending, indices, __ATOMIC_RELAXED);
}

bool copy_from_user(void* to, std::uint64_t from, std::uint64_t bytes) noexcept {
  if (!user_may(from, bytes, false)) return false;
  __builtin_memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return true;
}
bool copy_to_user(std::uint64_t to, const void* from, std::uint64_t bytes) noexcept {
  if (!user_may(to, bytes, true)) return false;
  __builtin_memcpy(reinterpret_cast<void*>(to), from, bytes);
  return true;
}

}  // namespace kernel
