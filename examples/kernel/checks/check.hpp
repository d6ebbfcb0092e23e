// SPDX-License-Identifier: MIT
// examples/kernel/checks/check.hpp — a check is a sentence that is true.
#pragma once
#include "../kernel/options.hpp"

namespace kernel {

/// Prints "ok  sentence" or "FAILED sentence", and counts. Thread context.
void check(bool is_so, const char* sentence) noexcept;
/// Prints "N passed, N failed" and ends the machine, with status 0 if none failed.
[[noreturn]] void report_and_end() noexcept;

/// For words that are watched: pages with nothing else in them. QEMU 7.2 takes an unaligned store for a hit of every watch
/// between the beginning of its page and its own end.
#define WATCHED [[gnu::section(".bss.watched")]]

// What there is to run. Each in a file of its name; main.cpp lists them.
void check_boot(const options&) noexcept;
void check_calls(const options&) noexcept;
void check_watches(const options&) noexcept;
void check_tasks(const options&) noexcept;
void check_deny_list(const options&) noexcept;
void check_nesting(const options&) noexcept;
void check_processors(const options&) noexcept;
void check_verbs(const options&) noexcept;
void check_posted(const options&) noexcept;
void check_object_watch(const options&) noexcept;
void check_c_clients(const options&) noexcept;
void check_perf(const options&) noexcept;
void endurance(const options&) noexcept;
void counts(const options&) noexcept;

}  // namespace kernel
