// SPDX-License-Identifier: MIT
// examples/watch/aim.hpp — from the words of the command line to a request for a debug register.
#pragma once
#include <bookend/refusal.hpp>
#include <bookend/request.hpp>
#include <string>

#include "arguments.hpp"
#include "symbols.hpp"

namespace watch {

/// What `w` means in the process of `names`. Throws a complaint for what a person must decide (no such symbol, which part of a
/// large variable). Whether a register can hold it is for the machine to say: describe() puts that in words.
bookend::request aim(const wanted& w, symbols& names);

/// A refusal of one request by the machine, in one line that says what to do. Not for no_slot: only the manager knows who holds.
std::string describe(bookend::reason why, const std::string& text, const bookend::request& r);

}  // namespace watch
