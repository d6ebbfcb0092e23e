#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# tests/gates/defects.sh — puts known defects of the field back into copies of the headers, one at a time: the test named must go red.
# A test that stays green cannot fail; a defect whose line is gone must be put back in another way.
#   bash tests/gates/defects.sh NUMBER...     only these
source "$(dirname "$0")/common.sh"
source "$(dirname "$0")/mutation/put_back.sh"

jobs=$tmp/jobs
count=0
only=$*
# `defect NUMBER TEST HEADER EDIT`: NUMBER is unique, EDIT a Perl substitution over the whole header.
defect() {
  [ -z "$only" ] || [[ " $only " == *" $1 "* ]] || return 0
  printf '%s\tput_back %q %q %q\n' "defect $1" "$2" "$3" "$4" >>"$jobs"
  count=$((count + 1))
}
core=include/bookend
x86=arch/x86/include/bookend/x86

# One boundary for the whole machine: a kernel breakpoint on one CPU takes a slot from everybody.
defect 1 slot_manager_test $core/ledger.hpp 's/return wide \+ pinned_after \+ kernel_held\(cpu\) <= Slots/return wide + pinned_after + kernel_top_ <= Slots/'
# A register is switched on that this CPU has not written.
defect 2 switch_test $core/row_registers.hpp 's/good = wrote\(\[&\] \{ return sys\.write_address\(cpu, s, settings\[s\]\); \}\);/good = true;/'
# The handler's way out restores what was on before it.
defect 3 trap_test $core/here.hpp 's/(    since_ = row_\.quiet_enter)/    for (slot_id s = 0; s < System::slots; ++s) saved_[s] = row_.on[s];\n$1/; s/(~quiet_scope\(\) \{)/$1 for (slot_id s = 0; s < System::slots; ++s) row_.on[s] = saved_[s];/; s/(  std::uint32_t since_;)/$1\n  std::uint8_t saved_[System::slots];/'
# Removing a kernel breakpoint moves another one into its slot.
defect 4 switch_test $core/kernel_side.hpp 's/(bool drop\(.*?\n)    return (r\.vacate\(.*?\);)/$1    (void)$2\n    const slot_id hole = detail::lowest_bit(freed);\n    if (hole > 0 && (r.kernel & (freed >> 1)) != 0) {\n      auto& up = *static_cast<breakpoint_type*>(r.holders[hole - 1]);\n      (void)r.occupy(this->system_, cpu, hole, up, r.settings[hole - 1], 1, true, nullptr, then);\n      (void)r.vacate(this->system_, cpu, freed >> 1, false, nullptr, then);\n    }\n    return true;/s'
# The holder is looked up by address.
defect 5 trap_test $core/trap.hpp 's/const slot_id s = lowest_bit\(only\);/slot_id s = lowest_bit(only);\n      for (slot_id t = 0; t < s; ++t)\n        if (r.holders[t] != nullptr && System::same_address(r.settings[t], r.settings[s])) {\n          s = t;\n          break;\n        }/'
# exec clears the list before it looks into it.
defect 6 fork_exec_test $core/user_side.hpp 's/    user\* list = t\.first_;\n    if \(list == nullptr\) return \{\};\n    detail::store_release\(t\.first_, static_cast<user\*>\(nullptr\)\);/    detail::store_release(t.first_, static_cast<user*>(nullptr));\n    user* list = t.first_;\n    if (list == nullptr) return {};/'
# Disabling gives the slot back.
defect 7 slot_manager_test $core/kernel_side.hpp 's/if \(!no\) b\.intent_\.turn\(wanted\);/if (!no) b.intent_.turn(wanted);\n    if (!no && !wanted) release(0, b.cpus_);/'
# modify says yes to a breakpoint that was never registered.
defect 8 slot_manager_test $core/kernel_side.hpp 's/(refusal do_modify.*?\n    if \(!claim\(b\)\)) return reason::not_registered;/$1 return {};/s'
# A refused modify leaves the new address live.
defect 9 slot_manager_test $core/kernel_side.hpp 's/(refusal do_modify.*?)if \(!encoded\) return encoded\.why\(\);/$1if (!encoded) {\n      if (const auto live = System::encode(q)) (void)this->run(b.cpus_, [&](row_type& r, cpu_id cpu) { return r.retarget(this->system_, cpu, r.slot_of(&b), live.value(), 1, if_it_fails::go_on); });\n      return encoded.why();\n    }/s'
# modify ignores disabled breakpoints.
defect 10 slot_manager_test $core/kernel_side.hpp 's/(refusal modify_claimed.*?\{\n)/$1    if (!b.intent_.read().on) return {};\n/'
# A slot is taken before the request is looked at, and not given back.
defect 11 slot_manager_test $core/kernel_side.hpp 's/if \(!encoded\) return encoded\.why\(\);/if (!encoded) {\n      (void)take(0, m);\n      return encoded.why();\n    }/'
# A task's request is checked against the busiest other task.
defect 12 switch_test $core/ledger.hpp 's/if \(wide_after \+ kernel_top_ > Slots\) return false;/if ((wide_after > widest_ ? wide_after : widest_ + 1) + kernel_top_ > Slots) return false;/'
# What is given back is computed from what has changed since.
defect 13 slot_manager_test $core/kernel_side.hpp 's/    release\(pool_now\(b\), b\.cpus_\);\n    this->replace\(b\.cpus_, \{\}\);/    this->replace(b.cpus_, {});\n    release(pool_now(b), b.cpus_);/'
# A registration that failed stays in the rows of the CPUs that had taken it.
defect 14 fault_test $core/shelf.hpp 's/\(void\)run\(m - failed, undo\);//'
# Counts are raised before a step that can fail, and stay.
defect 15 fault_test $core/kernel_side.hpp 's/(if \(const refusal no = place_on\(b, m\)\) \{\n)      release\(pool, m\);/$1/'
# One slot off: GE dropped for the others.
defect 16 x86_dr7_test $x86/dr7.hpp 's/\(on != 0 \? dr7_exact : 0\)/(on == 0xF ? dr7_exact : 0)/'
# LEN and RW of slots that are off are kept.
defect 17 x86_dr7_test $x86/dr7.hpp 's/if \(\(on >> i & 1\) != 0\) of\[on\] \|= 0xFu << \(16 \+ 4 \* i\) \| 0b10u << \(2 \* i\);/of[on] |= 0xFu << (16 + 4 * i) | ((on >> i & 1) != 0 ? 0b10u << (2 * i) : 0u);/'
# The number in the request taken for the number in the register.
defect 18 x86_dr7_test $x86/dr7.hpp 's/return on == access::execute \? 0b00 : on == access::write \? 0b01 : on == access::io \? 0b10 : 0b11;/return static_cast<unsigned>(on) & 3;/'
# The resume flag missing.
defect 19 trap_test $core/trap.hpp 's/home\.system\(\)\.step_past\(frame\);/(void)frame;/'
# A task's new request is judged as the kernel's.
defect judged-as-kernel security_test $core/user_side.hpp 's/(refusal do_modify.*?accepted\(side::)user/$1kernel/s'
# The masks of a slot's last owner stay.
defect 22-wider security_test $x86/backend.hpp 's/R::write_mask\(cpu, slot, s\.mask\);/if (s.mask != 0) R::write_mask(cpu, slot, s.mask);/'
defect 22 x86_backend_test $x86/backend.hpp 's/R::write_mask\(cpu, slot, s\.mask\);/if (s.mask != 0) R::write_mask(cpu, slot, s.mask);/'
# After so many hits the rest is dropped.
defect 24 trap_test $core/trap.hpp 's/const slot_mask hits = said\.hits & r\.dispatched\(seen\);/static unsigned storm = 0;\n  const slot_mask hits = ++storm > 1000 ? 0 : said.hits & r.dispatched(seen);/'
# A CPU that comes online later is not covered.
defect 25 hotplug_test $core/shelf.hpp 's/for \(cpu_id cpu : m - online_\) once\(argument, cpu\);//'
# What CPU k of n says is lost.
defect 26 fault_test $core/shelf.hpp 's/return \{reason::hardware, failed\.first\(\)\};/return {};/'
# Of several hits one is reported.
defect 28 trap_test $core/trap.hpp 's/(    hits = said & r\.dispatched\(seen\);)/$1\n    hits &= ~hits + 1;/'
# The enable bits of a slot reach into the next one's.
defect 29 x86_dr7_test $x86/dr7.hpp 's/0b10u << \(2 \* i\);/0b110u << (2 * i);/'
# A status register that is reset to 0.
defect 32 x86_backend_test $x86/backend.hpp 's/R::write_dr6\(cpu, dr6_reset\)/R::write_dr6(cpu, 0)/'
# A range that wraps is accepted.
defect 33 request_test $core/request.hpp 's/return last\(\) < first;/return false;/'
# The new address is written while the slot is on with the old length.
defect 34 slot_manager_test $core/row_registers.hpp 's/if \(!in_\.hushed && \(\(missing & lit_\) != 0 \|\| force\)\) \{/if (force) {/'

# The rule, a little wrong: one level off, pinned ones not asked for, a level not given back, weights not counted, tasks and pins
# that are not counted down or up.
defect level-off-by-one ledger_test $core/ledger.hpp 's/else if \(Slots - needed \+ 1 <= kernel_top_\)\n        f\(kernel_\[Slots - needed\]/else if (Slots - needed + 1 < kernel_top_)\n        f(kernel_[Slots - needed + 1]/'
defect pinned-not-asked ledger_test $core/ledger.hpp 's/    for \(unsigned j = widest_; j < pinned_top\(\); \+\+j\) blocks[^\n]*\n//'
defect level-kept ledger_test $core/ledger.hpp 's/(constexpr void release_kernel\(const mask.*?)j <= kernel_top_; \+\+j/$1j < kernel_top_ || j == 1; ++j/s'
defect weight-ignored ledger_test $core/ledger.hpp 's/j <= weight \? m\.words\(\) : kernel_\[j - weight - 1\]/j <= 1 ? m.words() : kernel_[j - 2]/'
defect histogram-kept ledger_test $core/ledger.hpp 's/    if \(before != 0\) --tasks_at_\[before - 1\];\n/    (void)before;\n/'
defect pins-not-raised ledger_test $core/ledger.hpp 's/    pins\(\[&\]\(cpu_id cpu, unsigned pinned\) \{ move_pinned\(cpu, before \+ pinned, after \+ pinned\); \}\);/    (void)pins;/'
# The kernel from the bottom.
defect from-below cpu_slots_test $core/cpu_slots.hpp 's/return detail::highest_bit\(pool & ~kernel_held\)/return detail::lowest_bit(pool & ~kernel_held)/'
# A refusal that keeps what it could get; or does not name the task's pinned ones. The pool that is given back is the new one; CPUs
# that are left out keep their slot if others are new; what a child inherits pinned is not counted.
defect refused-and-taken exactness_test $core/kernel_side.hpp 's/    if \(!l\.fits_kernel\(m\)\) \{\n      const cpu_id cpu = l\.full_kernel\(m\)\.first\(\);\n/    if (!l.fits_kernel(m)) {\n      const cpu_id cpu = l.full_kernel(m).first();\n      l.take_kernel(mask::of(m.first()) - mask::of(cpu));\n/'
defect pins-not-told exactness_test $core/user_side.hpp 's/wide \+ pinned_held\(list, pool, cpu \+ 1\)/wide/'
defect wrong-pool-back exactness_test $core/user_side.hpp 's/give\(t\.first_, t, no \? to : from, b\.where_\)/give(t.first_, t, to, b.where_)/'
defect left-out-kept exactness_test $core/kernel_side.hpp 's/    release\(pool, left\);\n/    if (added.none()) release(pool, left);\n/'
defect inherited-uncounted exactness_test $core/user_side.hpp 's/\(void\)take\(child\.first_, child, this->pool_of\(cell\.setting\), p->where_\)/if (p->where_ == user::everywhere) (void)take(child.first_, child, this->pool_of(cell.setting), p->where_)/'

# The protocols, one step left out each.
defect no-repack slot_manager_test $core/row.hpp 's/if \(running != nullptr\) place_users\(\*running, cpu\);/(void)running, (void)cpu;/g'
defect on-not-checked trap_test $core/trap.hpp 's/said(\.hits)? & r\.dispatched\(\)/said$1 & (r.kernel | r.user)/g; s/load_relaxed\(r\.on\[s\]\) == 0 \|\| //'
defect no-reload switch_test $core/user_side.hpp 's/return m;\n  \}\n  \/\/\/ Where the task/return {};\n  }\n  \/\/\/ Where the task/'
# What the last flush has left is relied on, although it is not what the hardware has, or not all that was wished.
defect control-in-doubt mock_sweep_test $core/row.hpp 's/this->unsettle\(seen\);//'
defect not-the-only-change interruption_test $core/row_registers.hpp 's/if \(!settled\(seen - 1\)\)/if (!as_usual())/'

# The same of the posted scope.
# An image is read while it is half written.
defect read-half-written intent_test $core/intent.hpp 's/v\.generation % 2 == 0 && //'
defect read-only-once intent_test $core/intent.hpp 's/ && detail::load_relaxed\(generation_\) == v\.generation//'
# A CPU that comes online does not take over what was posted; or does before it takes posts itself.
defect online-as-it-was posted_test $core/slot_manager.hpp 's/r\.catch_up\(this->system_, c, true\);//'
defect online-too-early posted_test $core/slot_manager.hpp 's/(          const bool good = r\.come_online.*?\n)(          r\.catch_up.*?\n)/$2$1/'
# ... or does not wait for one that is being written.
defect online-does-not-wait posted_test $core/slot_manager.hpp 's/r\.catch_up\(this->system_, c, true\);/(void)r.catch_up(this->system_, c);/'
# The numbers of changes wrap, and a very old one looks new.
defect numbers-wrap posted_test $core/intent.hpp 's/if \(done - old > far\)/if (false && done - old > far)/'
# "It has it" is said before the registers have it.
defect acknowledged-before-flush posted_test $core/row.hpp 's/    \(void\)this->flush\(sys, cpu\);\n(    each_slot\(whole, \[&\]\(slot_id s\) \{ acknowledge\(s, has\[s\]\); \}\);)/$1\n    (void)this->flush(sys, cpu);/'
# A CPU that has missed a change gets the last one only.
defect not-cumulative posted_test $core/row.hpp 's/if \(aims && later\(v\.aimed, had\)\) put/if (aims && v.aimed == v.generation) put/'
# An everywhere verb does not keep posts out; or does not first take over what was posted.
defect verb-not-claimed posted_test $core/kernel_side.hpp 's/if constexpr \(can_post<System>\) \{\n      for/if constexpr (false) {\n      for/'
defect verb-overtakes posted_test $core/kernel_side.hpp 's/\(void\)r\.absorb\(row_type::bit\(s\), has, aims\);/(void)has, (void)aims;/'
# The storage is given back before the CPUs have let go of it.
defect idle-at-once posted_test $core/posted.hpp 's/leave_in\(b, breakpoint_type::leaving\);/leave_in(b, breakpoint_type::unused);/'
# The slots come back too late.
defect not-reaped posted_test $core/kernel_side.hpp 's/((?:own|lock)\(\);|return false;)\n    reap_departed\(\);/$1/g'
# What leaves is armed again by a here-verb; one that a handler's post replaced is still told of its old hit.
defect armed-again posted_test $core/here.hpp 's/held == 0 \|\| b\.leaves\(\)/held == 0/g'
defect old-hit-told posted_test $core/trap.hpp 's/ \|\|\s+\(can_post<System> && r\.generations.*?\);/;/s'
# A post inside a trap rewrites a row that somebody is rewriting; or is not there at once; or is not asked for again.
defect sync-while-editing interruption_test $core/row.hpp 's/this->editing\(\) \|\| catching_up_/catching_up_/'
defect absorbed-once interruption_test $core/row.hpp 's/(detail::store_relaxed\(on\[s\], static_cast<std::uint8_t>\(v\.on\)\);\n.*?\n      \}) while \(this->version_ != seen\);/$1 while (false && seen != 0);/s'
defect self-not-asked interruption_test $core/posted.hpp 's/r\.catch_up\(this->system_, cpu, r\.slots_of\(&b\)\)\)\) behind/((void)r.catch_up(this->system_, cpu, r.slots_of(&b)), true))) behind/'

# The same of the owner lock's shared side.
# Who enters does not look whether it is closed; who closes leaves out a stripe, or looks before it closes.
defect enter-closed shared_side_test $core/stripes.hpp 's/ \|\| __atomic_load_n\(&closed_, __ATOMIC_SEQ_CST\) == 0\) return s;/ || s < none) return s;/'
defect one-stripe-left-out shared_side_test $core/stripes.hpp 's/(void close\(System& sys, F f\).*?for \(auto& s : all_\) \{)/$1\n      if (&s == all_) continue;/s'
defect looks-before-it-closes shared_side_test $core/stripes.hpp 's/(void close\(System& sys, F f\) noexcept \{\n)(.*?\n)(.*?\n    \}\n)/$1$3$2/s'
# Who closes does not serve its cross-calls while it waits; or tries, and goes on all the same.
defect closes-without-serving shared_threads_test $core/stripes.hpp 's/(void close.*?!= 0\)) sys\.relax\(\);/$1 (void)sys;/s'
defect try-ignored shared_side_test $core/shelf.hpp 's/if \(!stripes_\.try_close\(into_ledger\(\)\)\) return system_\.unlock\(\), false;/(void)stripes_.try_close(into_ledger());/'
# What was noted in the stripes is not brought in; or only where there are more tasks than before.
defect notes-stay shared_side_test $core/shelf.hpp 's/l\.add_tasks\(wide, tasks\);/(void)l, (void)wide, (void)tasks;/'
defect only-more-tasks shared_side_test $core/ledger.hpp 's/tasks_at_\[wide - 1\] \+= tasks;/if (tasks < 1u << 31) tasks_at_[wide - 1] += tasks;/'
# A refusal stands although there is something to reap; a refused breakpoint stays claimed.
defect refused-unreaped shared_side_test $core/shared_side.hpp 's/if \(no\.why == reason::no_slot && this->any_departed\(\)\) return false;//'
defect refused-claimed shared_side_test $core/shared_side.hpp 's/if \(!let_go\) detail::store_release\(b\.state_, was\);/(void)let_go;/'
# Two at one breakpoint, two at one task, a task whose counts are not its own.
defect two-at-a-breakpoint shared_side_test $core/shared_side.hpp 's/if \(!claim\(b\.state_, was, user::claimed\)\) return false;/if (b.state_ != was) return false;/'
defect two-at-a-task shared_side_test $core/shared_side.hpp 's/while \(!claim\(t\.busy_, 0, stripe \+ 1\)\) \{/t.busy_ = stripe + 1;\n    while (false) {/'
defect pins-shared shared_side_test $core/shared_side.hpp 's/!has_pins\(t\) && f\(\)/f()/'

# The layers: a group whose members are asked one by one; one that is not asked at all; a sharer that leaves while its handler may
# run; one that is asleep and called; a block that is wider than what it is for.
defect group-not-summed group_test $core/locked.hpp 's/if \(!full\) \+\+before\.of\[pool\];//'
defect group-not-asked group_test $core/group.hpp 's/if \(const refusal no = ask\(members\[i\]\)\) return \{no, i\};/(void)ask;/'
defect leaves-at-once shared_test $core/shared.hpp 's/verbs\.wait_for_handlers\(w\.cpus\(\)\);//'
defect disabled-called shared_test $core/shared.hpp 's/if \(detail::load_acquire\(s->wanted_\) != 0\) //'
defect widest-superset cover_test $core/cover.hpp 's/length <= differ \|\| \(length & lengths\) == 0/length != widest/'

run_jobs "$jobs"
[ "$bad" = 0 ] || failed "$bad of $total defects put back are not seen: $(tr '\n' ',' <"$tmp/bad")"
echo "counted: $count defects put back, each seen red"
passed "$count defects put back, each seen red by its test"
