// SPDX-License-Identifier: MIT
// examples/kernel/kernel/system_call.cpp — see system_call.hpp. Nothing that ring 3 says is believed.
#include "system_call.hpp"

#include "../user/abi.hpp"
#include "process.hpp"
#include "scheduler.hpp"
#include "upcall.hpp"

namespace kernel {

namespace {

slot_manager::user_breakpoint* watch_of(process& p, std::uint64_t index) noexcept {
  for (auto& b : p.watches)
    if (!b.idle() && b.index() == index) return &b;
  return nullptr;
}

/// The bytes are bookend's to check. Ports are not addresses: not for ring 3.
bool read_request(std::uint64_t from, user::watch_request& r) noexcept {
  return copy_from_user(&r, from, sizeof r) && static_cast<bookend::access>(r.access) != bookend::access::io;
}
bookend::request request_of(const user::watch_request& r) noexcept {
  return {r.address, r.length, static_cast<bookend::access>(r.access)};
}
std::int64_t answer(const bookend::refusal& no) noexcept { return -bookend::to_errno(no.why); }

std::int64_t watch(thread& t, std::uint64_t from) noexcept {
  user::watch_request r;
  if (!read_request(from, r)) return user::invalid;
  for (auto& b : t.owner->watches) {
    if (!b.idle()) continue;
    const auto how = r.enabled ? bookend::start::enabled : bookend::start::disabled;
    if (const auto no = slots.register_breakpoint(b, t.watches, request_of(r), how)) return answer(no);
    __atomic_store_n(&t.owner->hits[b.index()], 0, __ATOMIC_RELAXED);
    return b.index();
  }
  return answer(bookend::reason::no_slot);
}

std::int64_t unwatch(process& p, std::uint64_t index) noexcept {
  auto* b = watch_of(p, index);
  return answer(b == nullptr ? bookend::refusal(bookend::reason::not_registered) : slots.unregister_breakpoint(*b));
}

std::int64_t rewatch(process& p, std::uint64_t index, std::uint64_t from) noexcept {
  user::watch_request r;
  if (!read_request(from, r)) return user::invalid;
  auto* b = watch_of(p, index);
  if (b == nullptr) return answer(bookend::reason::not_registered);
  // Off first and on last: in between nothing is watched that was not asked for.
  if (!r.enabled)
    if (const auto no = slots.disable(*b)) return answer(no);
  if (const auto no = slots.modify(*b, request_of(r))) return answer(no);
  return r.enabled ? answer(slots.enable(*b)) : 0;
}

std::int64_t poke(thread& t, std::uint64_t n, std::uint64_t value) noexcept {
  const auto dr7 = bookend::x86::dr7_decode(value);
  for (unsigned i = 0; n == 7 && i < bookend::x86::slots; ++i)
    if ((dr7.on() >> i & 1) != 0 && bookend::x86::access_of(dr7.kind[i]) == bookend::access::io) return user::invalid;
  return n > 7 ? user::invalid : answer(t.registers.poke(static_cast<unsigned>(n), value));
}
std::int64_t peek(const thread& t, std::uint64_t n) noexcept {
  if (n > 7) return user::invalid;
  const auto value = t.registers.peek(static_cast<unsigned>(n));
  return value ? static_cast<std::int64_t>(value.value()) : answer(value.why());
}

}  // namespace

void system_call(trap_frame& frame) noexcept {
  thread& t = current();
  const auto done = [&](std::int64_t value) { frame.rax = static_cast<std::uint64_t>(value); };
  switch (static_cast<user::call>(frame.rax)) {
    case user::call::exit:
      exit_thread(static_cast<std::int64_t>(frame.rdi));
    case user::call::yield:
      yield();
      return done(0);
    case user::call::watch:
      return done(watch(t, frame.rdi));
    case user::call::unwatch:
      return done(unwatch(*t.owner, frame.rdi));
    case user::call::rewatch:
      return done(rewatch(*t.owner, frame.rdi, frame.rsi));
    case user::call::hits:
      return done(copy_to_user(frame.rdi, t.owner->hits, sizeof t.owner->hits) ? 0 : user::fault);
    case user::call::on_hit:
      if (frame.rdi >= user_end_address) return done(user::invalid);
      t.owner->handler = frame.rdi;
      return done(0);
    case user::call::poke:
      return done(poke(t, frame.rdi, frame.rsi));
    case user::call::peek:
      return done(peek(t, frame.rdi));
    case user::call::return_from_upcall:
      return end_upcall(frame);
  }
  done(user::invalid);
}

}  // namespace kernel
