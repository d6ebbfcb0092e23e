// SPDX-License-Identifier: MIT
// examples/watch/watchpoint.hpp — one watch on the shelf: a kernel breakpoint for all threads, or a user breakpoint of one.
#pragma once
#include <bookend/bookend.hpp>
#include <bookend/linux/ptrace.hpp>
#include <cstdint>
#include <optional>

#include "report.hpp"

namespace watch {

/// Each traced thread is a CPU of this manager.
using slot_manager = bookend::slot_manager<bookend::lnx::ptrace_system<1024>>;

/// Is told about each hit while its thread is stopped.
class hit_listener {
 public:
  virtual void on_hit(std::size_t watch, bookend::cpu_id cpu, const bookend::lnx::frame& frame) = 0;

 protected:
  ~hit_listener() = default;
};

/// Registered from construction to destruction. Never moves: the manager knows its address.
class watchpoint {
 public:
  /// On every CPU: all threads, those too that start later. `number` is what on_hit() is told.
  watchpoint(slot_manager& slots, const watched& w, std::size_t number, hit_listener& listener)
      : slots_(slots), said_(w), top_(std::in_place, said_.text.c_str(), number, listener) {
    refused_ = slots_.register_breakpoint(*top_, said_.what, slot_manager::mask::all(), how());
  }
  /// Of one thread, which may start later. Its hits come out of trap() with `number` as their cookie.
  watchpoint(slot_manager& slots, const watched& w, std::size_t number, slot_manager::task& thread)
      : slots_(slots), said_(w), bottom_(std::in_place, said_.text.c_str(), number) {
    refused_ = slots_.register_breakpoint(*bottom_, thread, said_.what, how());
  }
  ~watchpoint() {
    if (!refused_) (void)each([this](auto& b) { return slots_.unregister_breakpoint(b); });
  }
  watchpoint(const watchpoint&) = delete;
  watchpoint& operator=(const watchpoint&) = delete;

  /// Why it is not registered, if it is not.
  [[nodiscard]] bookend::refusal refused() const noexcept { return refused_; }
  /// As it was typed and registered; `enabled` follows toggle().
  [[nodiscard]] const watched& said() const noexcept { return said_; }

  /// Silent and back. Disabled, it stops no thread, and its slot stays its own.
  bookend::refusal toggle() {
    const bookend::refusal no = each([this](auto& b) { return said_.enabled ? slots_.disable(b) : slots_.enable(b); });
    if (!no) said_.enabled = !said_.enabled;
    return no;
  }

  std::optional<std::uint64_t> value;  ///< what was there when it was last looked at

 private:
  /// A handler is a plain function: what it needs to know, it finds by deriving.
  struct in_all_threads : slot_manager::kernel_breakpoint {
    in_all_threads(const char* name, std::size_t n, hit_listener& l)
        : kernel_breakpoint(name,
                            [](const slot_manager::hit& h) {
                              const auto& self = static_cast<const in_all_threads&>(h.kernel());
                              self.listener.on_hit(self.number, h.here.cpu(), h.frame);
                            }),
          number(n),
          listener(l) {}
    std::size_t number;
    hit_listener& listener;
  };

  [[nodiscard]] bookend::start how() const noexcept { return said_.enabled ? bookend::start::enabled : bookend::start::disabled; }
  template <class Verb>
  bookend::refusal each(Verb verb) {
    return top_ ? verb(*top_) : verb(*bottom_);
  }

  slot_manager& slots_;
  watched said_;
  std::optional<in_all_threads> top_;
  std::optional<slot_manager::user_breakpoint> bottom_;
  bookend::refusal refused_;
};

}  // namespace watch
