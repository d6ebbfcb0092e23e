// SPDX-License-Identifier: MIT
// examples/watch/probe.hpp — does this machine let us watch at all? Containers, emulators and security settings may not.
#pragma once

namespace watch {

/// Watches a write of a child of ours through a real debug register, and says so on standard output. Throws a complaint
/// (not_allowed_here) that says what is in the way.
void probe();

}  // namespace watch
