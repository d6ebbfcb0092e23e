// SPDX-License-Identifier: MIT
// examples/watch/aim.cpp — from the words of the command line to a request for a debug register.
#include "aim.hpp"

#include <fmt/format.h>

#include "complaint.hpp"

namespace watch {
namespace {

constexpr std::uint64_t longest = 8;

/// The length to watch from `offset` on, when none was typed: the variable's own, if a register can hold it.
std::uint64_t own_length(const std::string& text, const symbol& s, std::uint64_t offset) {
  if (s.size == 0) throw complaint(fmt::format("the size of '{}' is not known: give it, for example {}:4", s.name, text));
  const std::uint64_t size = s.size - offset;
  if (size == 1 || size == 2 || size == 4 || size == longest) return size;
  throw complaint(fmt::format("'{}' has {} bytes, and a debug register watches 1, 2, 4 or 8: name a part, for example {}:{}",
                              text, size, text, size > longest ? longest : 1));
}

}  // namespace

bookend::request aim(const wanted& w, symbols& names) {
  const bool code = w.on == bookend::access::execute;
  const place& p = w.where;
  if (code && p.length && *p.length != 1)
    throw complaint(fmt::format("'{}': --exec watches one instruction, so its length is 1, not {}", w.text, *p.length));
  if (p.symbol.empty()) return {p.address, p.length.value_or(code ? 1 : 4), w.on};

  const symbol& s = names.find(p.symbol, code);
  if (s.is == symbol::kind::thread_local_variable)
    throw complaint(fmt::format("'{}' is thread-local, each thread has its own: give the 0xADDR:LEN of one", s.name));
  const std::uint64_t length = p.length.value_or(1);
  if (s.size != 0 && (p.address >= s.size || length > s.size - p.address))
    throw complaint(fmt::format("'{}' lies outside '{}', which has {} bytes", w.text, s.name, s.size));
  const bool is_code = s.is == symbol::kind::function;
  if (code && !is_code)
    throw complaint(fmt::format("'{}' is a variable: --exec watches functions; without it you see who writes it", s.name));
  if (code) return {s.address + p.address, 1, w.on};
  if (is_code && !p.length) throw complaint(fmt::format("'{}' is a function: give --exec before it to see who calls it", s.name));
  return {s.address + p.address, p.length ? length : own_length(w.text, s, p.address), w.on};
}

std::string describe(bookend::reason why, const std::string& text, const bookend::request& r) {
  switch (why) {
    case bookend::reason::misaligned:
      return fmt::format("'{}': {:#x} is not a multiple of its length {}: watch {:#x}:{}, or fewer bytes", text, r.address,
                         r.length, r.address - r.address % r.length, r.length);
    case bookend::reason::bad_length:
      return fmt::format("'{}': no debug register watches {} bytes: give 1, 2, 4 or 8", text, r.length);
    case bookend::reason::unsupported:  // of what can be asked for here, an address that no program has
    case bookend::reason::forbidden:
      return fmt::format("'{}': {:#x} is no address of a user program", text, r.address);
    case bookend::reason::hardware:
      return fmt::format("'{}': the kernel did not give the debug register: somebody else may hold it (perf, another debugger)",
                         text);
    default:
      return fmt::format("'{}': refused ({})", text, bookend::to_string(why));
  }
}

}  // namespace watch
