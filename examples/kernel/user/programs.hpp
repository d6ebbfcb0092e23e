// SPDX-License-Identifier: MIT
// examples/kernel/user/programs.hpp — what tasks can be started with. Functions of ring 3: the kernel takes their addresses only.
#pragma once
#include <cstdint>

namespace user {

using program = std::int64_t(std::uint64_t argument);

program returns_its_argument;
program writes_to;    ///< the address given
program touches_dr7;  ///< which it may not

// 0 if all was as it should be, else the number of the step that was not.

program watches_its_words;     ///< four watches, as many rounds of writes as the argument says
program watches_two_words;     ///< the same with two, which leaves two slots to the kernel
program watches_what_it_gets;  ///< as watches_two_words, with as many as are granted
program watches_its_code;      ///< an execution breakpoint on a function of its own
program is_refused;            ///< asks for what it must not have
program pokes_registers;       ///< writes DR0 to DR7 by number, and reads them back
program loads_ss;              ///< MOV SS from a watched word, then a system call
program steps_itself;          ///< sets TF over watched writes
program has_the_kernel_write;  ///< watches what a system call fills

}  // namespace user
