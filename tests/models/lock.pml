/* SPDX-License-Identifier: MIT */
/* tests/models/lock.pml — the owner lock and cross-calls: two CPUs that take the lock and call each other do not wait for each
   other. The contract is platform.hpp's (lock, run_on); who holds to it is the kernel that includes bookend. */

#ifndef ROUNDS
#define ROUNDS 3
#endif
#define NOBODY 2

byte owner = NOBODY;  /* of the lock */
bit call[2];          /* CPU c is asked to run a function under its guard, by the other CPU */
byte ran[2];          /* how often it has: stands for the rows that a verb changes */
bit inside[2];        /* CPU c is in a verb's body */

/* A cross-call arrives: an interrupt, so in any thread that has interrupts on. */
#define serve call[me] -> atomic { ran[me] = 1 - ran[me]; call[me] = 0 }

/* platform::run_on, to the other CPU; false for a thread that does not serve its own calls meanwhile. */
inline run_on(serves) {
  call[other] = 1;
#ifndef DEFECT_RUN_ON_DOES_NOT_WAIT
  do
  :: !call[other] -> break
  :: serves && serve
  od
#endif
}

/* One CPU: a thread that does everywhere verbs, and sometimes one of the kernel's own cross-calls, without the owner lock. */
proctype cpu(byte me) {
  byte round = 0, before;
  byte other = 1 - me;
  bit verb;
  do
  :: round < ROUNDS ->
    round++;
    verb = 0;
    if
    :: verb = 1  /* shelf::owned */
    :: skip      /* somebody else's cross-call: a TLB flush */
    fi;
    if
    :: verb ->
      do  /* lock(): whoever waits serves */
      :: atomic { owner == NOBODY -> owner = me }; break
#ifndef DEFECT_LOCK_DOES_NOT_SERVE
      :: serve
#endif
      od;
      inside[me] = 1;
      assert(!inside[other]);
      before = ran[other];
    :: else
    fi;
    /* Two callers of one CPU queue up in the kernel's own mail; here there is one caller a CPU. */
#ifdef DEFECT_RUN_ON_DOES_NOT_SERVE
    run_on(false);
#else
    run_on(true);
#endif
    if
    :: verb ->
      assert(ran[other] == 1 - before);  /* when run_on returns, it has run, once */
      inside[me] = 0;
      owner = NOBODY
    :: else
    fi
  :: else -> break
  od;
end:  /* an idle CPU takes calls for ever */
  do
  :: serve
  od
}

init {
  atomic {
    run cpu(0);
    run cpu(1)
  }
}
