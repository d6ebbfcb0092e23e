/* SPDX-License-Identifier: MIT */
/* tests/models/online.pml — a post and a CPU that comes online at that moment, with store buffers as on x86: both store, then
   look at what the other stores, so both need a full fence. post.pml has everything else of the posted scope, without buffers. */

bit change;   /* intent::generation_: it has been posted */
bit online;   /* shelf::online_ */
bit asked;    /* post_on */
bit has;      /* the CPU has taken the change over */

chan poster_stores = [1] of { bit };
chan cpu_stores = [1] of { bit };

/* posted_side::publish */
proctype poster() {
  bit sees;
  poster_stores ! 1;
#ifndef DEFECT_NO_FENCE_IN_POST
  empty(poster_stores);
#endif
  sees = online;
  if
  :: sees ->
    empty(poster_stores);  /* post_on: stores before it are seen by the answer */
    asked = 1
  :: else
  fi
}

/* slot_manager::cpu_online, all of it on the CPU that comes. */
proctype cpu() {
#ifdef DEFECT_LOOKS_FIRST
  has = change;
#endif
  cpu_stores ! 1;
#ifndef DEFECT_NO_FENCE_IN_ONLINE
  empty(cpu_stores);
#endif
#ifndef DEFECT_LOOKS_FIRST
  has = change;
#endif
end:
  do
  :: asked -> has = change; asked = 0  /* sync() */
  od
}

proctype hardware() {
end:
  do
  :: poster_stores ? change
  :: cpu_stores ? online
  od
}

/* When nothing happens any more, it has it. */
proctype calm() {
  timeout -> assert(has)
}

init {
  atomic {
    run poster();
    run cpu();
    run hardware();
    run calm()
  }
}
