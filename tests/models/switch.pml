/* SPDX-License-Identifier: MIT */
/* tests/models/switch.pml — the context switch against everywhere verbs on the running task's breakpoints.
   One task with one breakpoint moves between two CPUs that run a task without watches otherwise; one owner registers, modifies
   and unregisters. What verbs store for the switch, and what the scheduler stores for cpus_of(), goes through store buffers as on
   x86 (first in, first out, emptied at any time): the one place where two sides store and then look at what the other stores. */

#ifndef VERBS
#define VERBS 6
#endif

/* Words that a switch reads and the owner stores. A cell is two words, so that half a change can be seen. */
#define FIRST 0              /* task::first_: the breakpoint, or none */
#define LIVE 1               /* user_breakpoint::live_ */
#define CELL(i) (2 + 2 * (i))  /* user_breakpoint::cells_ */
#define FREED 255            /* what is in storage that has been given back */
byte memory[6];
chan owner_stores = [3] of { byte, byte };  /* the owner's store buffer */

bit running[2];                       /* what cpus_of() reads */
chan cpu_stores[2] = [1] of { bit };  /* a CPU's store buffer, of that one word */

bit current[2];  /* row::current is the task */
byte row[2];     /* what its row, and so its registers, have of the task: 0 for nothing, else the number of the verb */
bit call[2];     /* CPU c is asked to reload() */
bit elsewhere;   /* the task is on a CPU, or on its way there or away */

/* Promises. Verbs are numbered from 1; a cell holds the number of the verb that filled it. */
byte returned = 0;       /* the last verb that has returned */
bit may_be_absent = 1;   /* is it unregistered, or a verb about to change that? */

#define load(where) memory[where]
#define store(where, what) owner_stores ! where, what

/* row::place_users, on the CPU. Reads the list and the live cell, word by word. */
inline seat() {
  found = load(FIRST);
  if
  :: found ->
    cell = load(LIVE);
    left = load(CELL(cell));
    right = load(CELL(cell) + 1);
    assert(left != FREED && right != FREED);  /* nobody reads storage that is given back */
    assert(left == right);                    /* nor half a change */
    row[me] = left
  :: else -> row[me] = 0
  fi;
  atomic { found = 0; cell = 0; left = 0; right = 0 }
}

proctype cpu(byte me) {
  byte found, cell, left, right;
end:
  do
  /* user_side::reload, the cross-call: under the guard, so never inside a switch. */
  :: call[me] ->
    if
    :: current[me] -> seat()
    :: else
    fi;
    call[me] = 0

  /* cpu_view::switch_to, the task comes. The scheduler says first where it is. */
  :: atomic { !elsewhere -> elsewhere = 1 };
    cpu_stores[me] ! 1;
#ifndef DEFECT_NO_FENCE_IN_SCHEDULER
    empty(cpu_stores[me]);  /* has_cpus_of: a full barrier before switch_to() */
#endif
    current[me] = 1;
    found = load(FIRST);
    if
    :: found || row[me] -> seat()
    :: else
    fi

  /* cpu_view::switch_to, the task goes: the next one has no watches. */
  :: current[me] ->
#ifdef DEFECT_GONE_TOO_EARLY
    cpu_stores[me] ! 0;
    empty(cpu_stores[me]);
#endif
    current[me] = 0;
#ifndef DEFECT_NO_EAGER_UNLOAD
    row[me] = 0;
#endif
#ifndef DEFECT_GONE_TOO_EARLY
    cpu_stores[me] ! 0;
#endif
    empty(cpu_stores[me]);  /* the task's next CPU is told by a lock, after this */
    elsewhere = 0

  /* Code runs on the CPU. A cross-call that waits comes first. */
  :: atomic { current[me] && !call[me] ->
      assert(row[me] != 0 || may_be_absent);
      assert(row[me] == 0 || row[me] >= returned) }
  :: atomic { !current[me] -> assert(row[me] == 0) }
  od
}

/* user_side::reach and reload. */
inline reload() {
#ifndef DEFECT_NO_FENCE_IN_VERB
  empty(owner_stores);  /* the fence before cpus_of() */
#endif
#ifndef DEFECT_NO_RELOAD
  where[0] = running[0];
  where[1] = running[1];
  if
  :: where[0] || where[1] ->
    empty(owner_stores);  /* run_on: stores before it are seen in it */
    call[0] = where[0];
    call[1] = where[1];
    !call[0] && !call[1]
  :: else
  fi;
  atomic { where[0] = 0; where[1] = 0 }
#endif
}

proctype owner() {
  byte verb = 1, live = 0, spare;
  bit registered = 0;
  bit where[2];
  do
  :: verb <= VERBS ->
    if
    :: !registered ->  /* do_register_at: enlist, reload */
      store(CELL(live), verb);
      store(CELL(live) + 1, verb);
      store(FIRST, 1);
      reload();
      atomic { registered = 1; may_be_absent = 0; returned = verb }
    :: registered ->  /* turn: the spare cell, then the index, then whoever has the old one */
#ifdef DEFECT_ONE_CELL
      spare = live;
#else
      spare = 1 - live;
#endif
#ifdef DEFECT_INDEX_FIRST
      store(LIVE, spare);
#endif
      store(CELL(spare), verb);
      store(CELL(spare) + 1, verb);
#ifndef DEFECT_INDEX_FIRST
      store(LIVE, spare);
#endif
      live = spare;
      reload();
      returned = verb
    :: registered ->  /* do_unregister: unlink, reload, and only then is the storage the caller's */
      may_be_absent = 1;
      store(FIRST, 0);
#ifdef DEFECT_FREED_TOO_EARLY
      store(CELL(live), FREED);
#endif
      reload();
      atomic { registered = 0; returned = verb };
      assert(row[0] == 0 && row[1] == 0);  /* no row refers to it */
      store(CELL(live), FREED);
      store(CELL(live) + 1, FREED)
    fi;
    verb++
  :: else -> break
  od
}

/* Empties the buffers, whenever it likes. */
proctype hardware() {
  byte where, what;
end:
  do
  :: atomic { owner_stores ? where, what -> memory[where] = what; where = 0; what = 0 }
  :: cpu_stores[0] ? running[0]
  :: cpu_stores[1] ? running[1]
  od
}

init {
  atomic {
    run cpu(0);
    run cpu(1);
    run owner();
    run hardware()
  }
}
