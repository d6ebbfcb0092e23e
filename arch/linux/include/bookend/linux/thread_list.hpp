// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/thread_list.hpp — the traced threads that a program has been told of.
#pragma once
#include <bookend/linux/tracee.hpp>

namespace bookend::lnx {

/// A range of thread ids.
struct thread_list {
  const tracee* first;
  const tracee* last;

  struct iterator {
    const tracee* at;
    const tracee* last;
    int operator*() const noexcept { return at->tid; }
    iterator& operator++() noexcept {
      ++at;
      return skip();
    }
    iterator& skip() noexcept {
      while (at != last && (at->tid == 0 || !at->known || at->told)) ++at;
      return *this;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.at == b.at; }
  };
  [[nodiscard]] iterator begin() const noexcept { return iterator{first, last}.skip(); }
  [[nodiscard]] iterator end() const noexcept { return {last, last}; }
};

}  // namespace bookend::lnx
