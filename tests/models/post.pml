/* SPDX-License-Identifier: MIT */
/* tests/models/post.pml — the posted scope: one breakpoint on two CPUs that post, take over and come and go, and an owner whose
   verbs register, change and unregister it. Its storage is recycled. What one CPU writes into its own row and registers is one
   step here (quiet.pml has that); what two may write or read is not. */

#ifndef POSTS
#define POSTS 2   /* in all, on either CPU */
#endif
#ifndef VERBS
#define VERBS 1   /* everywhere verbs between registering and unregistering */
#endif
#ifndef CYCLES
#define CYCLES 1  /* how often CPU 1 goes offline and comes back */
#endif
#ifndef LIVES
#define LIVES 1   /* registrations */
#endif
#ifndef UNREGISTERS
#define UNREGISTERS 0  /* may a post unregister? */
#endif
#ifndef ENABLES
#define ENABLES 0      /* may a post enable? Registering does */
#endif

mtype = { unused, registered, claimed, leaving, none, install, change, remove, come, go };

/* The breakpoint: `state_`, `intent_`. A setting is two words, so that half of one can be seen; its value is a number. */
mtype state = unused;
byte generation, first_word, second_word, aimed, turned;
bit on;
bit freed = 1;    /* its storage is the caller's, who may use it for something else */
bit list;         /* posted_side::leaving_: it is on it */

/* A CPU's row: written by the CPU; by the owner while it is offline. */
bit held[2];
byte row_setting[2], applied[2];
bit row_on[2], row_online[2];
/* Its registers. */
byte live_setting[2], live_generation[2];
bit live_on[2], quiet[2];

bit online[2];    /* shelf::online_ */
bit asked[2];     /* post_on */
mtype call[2] = none;  /* run_on, by the owner */
bit own;          /* the owner lock */

/* What is promised. */
byte posts, settled, settings;
byte wish;        /* generation * 2 + on: argument of a verb's cross-call */
byte newest;      /* ticket: of the last post that has returned */
bit waits;        /* somebody has a ticket */

#define odd(g) ((g) & 1)
/* No CPU dispatches hits for what was before a settled change. */
#define current(c) (!row_online[c] || quiet[c] || !held[c] || live_generation[c] >= settled)

/* intent::try_read */
inline try_read() {
  assert(!freed);  /* nobody reads storage that has been given back */
  g = generation;
  if
#ifndef DEFECT_NO_ODD_CHECK
  :: odd(g) -> whole = 0
#endif
  :: else ->
    left = first_word;
    d_step { right = second_word; a = aimed; t = turned; o = on };
#ifdef DEFECT_NO_SECOND_LOOK
    whole = 1;
#else
    whole = generation == g;
#endif
    assert(!whole || left == right)  /* nobody acts on half a change */
  fi
}
/* row::absorb, for its one slot. */
inline absorb(c) {
  has = applied[c];
  try_read();
  if
  :: whole && g > applied[c] ->
    do  /* again, in edit_ */
    :: try_read();
      if
      :: whole -> break
      :: else
      fi
    od;
    atomic {
      if
#ifdef DEFECT_NOT_CUMULATIVE
      :: a == g -> row_setting[c] = left
#else
      :: a > applied[c] -> row_setting[c] = left
#endif
      :: else
      fi;
      if
      :: t > applied[c] -> row_on[c] = o
      :: else
      fi;
      has = g
    }
  :: else
  fi;
  d_step { left = 0; right = 0; a = 0; t = 0; o = 0; g = 0 }
}
/* row::flush: see quiet.pml. `upto` is the change that the row is at. */
inline flush(c, upto) {
  atomic {
    if
    :: row_online[c] && !quiet[c] ->
      live_setting[c] = row_setting[c];
      live_on[c] = row_on[c];
      live_generation[c] = upto;
      assert(current(c))
    :: else
    fi
  }
}
/* row::catch_up, not inside a trap */
inline catch_up(c, waiting) {
  do
  :: held[c] ->
    absorb(c);
#ifdef DEFECT_ACKNOWLEDGED_TOO_EARLY
    applied[c] = has;
#endif
    flush(c, has);
    applied[c] = has;
    if
    :: whole || !waiting -> break
    :: else
    fi
  :: else -> break
  od;
  atomic { has = 0; whole = 0 }
}

/* intent::write. What it is now has a number. */
inline write(aims, to, turns, how) {
  atomic { assert(!freed); assert(!odd(generation)); generation++ };
  if
  :: aims ->
    first_word = to;
    d_step { second_word = to; aimed = generation + 1 }
  :: else
  fi;
  if
  :: turns ->
    d_step { on = how; turned = generation + 1 }
  :: else
  fi;
  generation++
}

/* posted_side::publish and what post_view's verbs do around it; on CPU `me`, under the guard. */
inline post() {
  atomic {
    if
    :: settings++; write_setting = settings
    :: turns = 1; how = 0
#if ENABLES
    :: turns = 1; how = 1
#endif
#if UNREGISTERS
    :: turns = 1; how = 0; departs = 1
#endif
    fi
  };
  write(!turns, write_setting, turns, how);
  mine = generation;
#ifdef DEFECT_UNCLAIMED_TOO_EARLY
  atomic {
    if
    :: !departs -> state = registered
    :: else
    fi
  };
#endif
  d_step { behind0 = online[0]; behind1 = online[1] };  /* CPU 0 is always */
  if
  :: row_online[me] ->
    catch_up(me, false);
    /* When it returns, this CPU has the change. */
    assert(!held[me] || applied[me] >= mine);
    assert(!held[me] || !row_online[me] || (live_generation[me] >= mine))
  :: else
  fi;
  if
  :: behind0 && me != 0 -> asked[0] = 1
  :: else
  fi;
  if
  :: behind1 && me != 1 -> asked[1] = 1
  :: else
  fi;
  if
  :: departs ->
#ifdef DEFECT_IDLE_AT_ONCE
    atomic { state = unused; freed = 1 }
#else
    state = leaving;  /* depart */
    assert(!freed);
    list = 1
#endif
  :: else ->
#ifndef DEFECT_UNCLAIMED_TOO_EARLY
    atomic { assert(state == claimed); state = registered }
#else
    skip
#endif
  fi;
  d_step { newest = mine; turns = 0; how = 0; departs = 0; write_setting = 0; mine = 0; behind0 = 0; behind1 = 0 }
}

/* kernel_side::place, set_on with up_to_date, remove: what a verb's cross-call does on CPU c, or the owner for one offline. */
inline step(what, c) {
  if
  :: what == install ->
    assert(!odd(generation));
    d_step {
#ifndef DEFECT_OLD_NUMBER_STAYS
      applied[c] = generation;
#endif
      held[c] = 1;
      row_setting[c] = first_word;
      row_on[c] = on
    };
    flush(c, generation)
  :: what == change ->
#ifndef DEFECT_VERB_OVERTAKES
    absorb(c);
#endif
    row_on[c] = wish & 1;
    flush(c, (wish / 2));
    applied[c] = wish / 2;
    d_step { has = 0; whole = 0 }
  :: what == remove ->
    d_step {
      live_on[c] = 0;
      row_on[c] = 0;
      held[c] = 0;
      row_setting[c] = 0;
      live_setting[c] = 0;
      live_generation[c] = 0
    }
  fi
}

proctype cpu(byte me) {
  byte g, left, right, a, t, has, write_setting, mine;
  bit o, whole, turns, how, departs, behind0, behind1;
end:
  do
  :: call[me] == install -> step(install, me); call[me] = none
  :: call[me] == change -> step(change, me); call[me] = none
  :: call[me] == remove -> step(remove, me); call[me] = none
  /* slot_manager::cpu_online, on the CPU: a quiet scope, registers ours, then a look that waits. */
  :: call[me] == come ->
    quiet[me] = 1;
    row_online[me] = 1;
#ifdef DEFECT_SKIPS_WHEN_ONLINE
    catch_up(me, false);
#else
    catch_up(me, true);
#endif
    atomic {
      quiet[me] = 0;
      flush(me, applied[me])
    };
    call[me] = none
  :: call[me] == go -> row_online[me] = 0; live_on[me] = 0; call[me] = none

  /* here().sync(). One that comes meanwhile is answered again. */
#ifdef DEFECT_ANSWERS_ONCE
  :: asked[me] && row_online[me] -> catch_up(me, false); asked[me] = 0
#else
  :: asked[me] && row_online[me] -> asked[me] = 0; catch_up(me, false)
#endif
  :: asked[me] && !row_online[me] -> asked[me] = 0  /* it need not answer */

  /* posted_side::try_claim */
  :: atomic { posts < POSTS && row_online[me] && state == registered -> posts++; state = claimed };
    post()
  od
}

/* shelf::run on both CPUs: online ones are called, the owner does it for the others. */
inline on_each(what) {
  atomic {
    call[0] = what;
    if
    :: online[1] -> call[1] = what
    :: else
    fi
  };
  if
  :: !online[1] -> step(what, 1)
  :: else
  fi;
  call[0] == none && call[1] == none
}
/* kernel_side::withdraw */
inline withdraw() {
#ifdef DEFECT_FREED_TOO_EARLY
  atomic { state = unused; freed = 1 };
#endif
  on_each(remove);
  /* From here on the storage may be anything. */
  atomic {
    assert(!held[0] && !held[1]);
    state = unused;
    freed = 1;
    first_word = 254;
    second_word = 255
  }
}
/* kernel_side::reap_departed */
inline reap() {
  if
  :: list ->
    list = 0;
    withdraw()
  :: else
  fi
}
/* kernel_side::claim: false if it is not registered. */
inline claim() {
  got = 0;
  do
#ifdef DEFECT_VERB_NOT_CLAIMED
  :: atomic { state == registered || state == claimed -> got = 1 }; break
#else
  :: atomic { state == registered -> state = claimed; got = 1 }; break
#endif
  :: state == unused -> break
  :: state == leaving && list -> reap()
  od
}

/* Everywhere verbs, thread context. Each begins with what posts have left to do. */
proctype owner() {
  byte life = 0, verbs;
  byte g, left, right, a, t, has;
  bit o, whole, got, how;
  do
  :: life < LIVES ->
    life++;
    atomic { own == 0 -> own = 1 };
    reap();
    if
    :: state == unused ->  /* do_register; the storage is new, so its numbers may start anew, but not under a ticket */
      atomic { !waits -> settled = 0; newest = 0; generation = 0; aimed = 0; turned = 0; freed = 0 };
      state = claimed;
      settings++;
      write(1, settings, 1, 1);
      on_each(install);
      state = registered
    :: else
    fi;
    own = 0;
    verbs = 0;
    do
    :: verbs < VERBS ->  /* do_set_on */
      verbs++;
      atomic { own == 0 -> own = 1 };
      reap();
      claim();
      if
      :: got ->
        if
        :: how = 0
        :: how = 1
        fi;
        wish = (generation + 2) * 2 + how;
        on_each(change);
        assert(applied[0] >= wish / 2 && applied[1] >= wish / 2 && row_on[0] == how && row_on[1] == how);
        write(0, 0, 1, how);
        wish = 0;
        state = registered
      :: else
      fi;
      own = 0
    :: else -> break
    od;
    if
    :: true  /* it stays, or somebody has posted it away */
    :: LIVES > 1 ->  /* do_unregister */
      atomic { own == 0 -> own = 1 };
      reap();
      claim();
      if
      :: got -> withdraw()
      :: else
      fi;
      own = 0
    fi
  :: else -> break
  od
}

/* Hotplug of CPU 1: everywhere verbs of somebody else. */
proctype hotplug() {
  byte cycles = 0;
  bit got;
  do
  :: cycles < CYCLES ->
    cycles++;
    atomic { own == 0 -> own = 1 };
    call[1] = go;  /* cpu_offline */
    call[1] == none;
    online[1] = 0;
    own = 0;
    atomic { own == 0 -> own = 1 };
#ifndef DEFECT_ONLINE_AFTER_LOOK
    online[1] = 1;  /* cpu_online: it shows itself before it looks */
#endif
    call[1] = come;
    call[1] == none;
#ifdef DEFECT_ONLINE_AFTER_LOOK
    online[1] = 1;
#endif
    own = 0
  :: else -> break
  od
}

/* Somebody with a ticket: slot_manager::settled, CPU by CPU. */
proctype waiter() {
  byte ticket;
end:
  atomic { newest != 0 && !freed -> ticket = newest; waits = 1 };
  atomic { !online[0] || !held[0] || applied[0] >= ticket };
  atomic { !online[1] || !held[1] || applied[1] >= ticket };
  atomic {
    settled = ticket;
    waits = 0;
    assert(current(0));
    assert(current(1))
  }
}

/* When nothing happens any more, every CPU has what was asked for last. */
#define as_wished(c) (!held[c] || (live_on[c] == on && live_setting[c] == first_word && applied[c] == generation))
proctype calm() {
  timeout ->
  assert(own == 0);
  assert(state == leaving || state == registered || state == unused);
  assert(state != leaving || list);  /* the next verb finds it */
  assert(state != unused || (!held[0] && !held[1]));
  assert(state == unused || (as_wished(0) && as_wished(1)))
}

init {
  atomic {
    online[0] = 1;
    online[1] = 1;
    row_online[0] = 1;
    row_online[1] = 1;
    run cpu(0);
    run cpu(1);
    run owner();
    run hotplug();
    run waiter();
    run calm()
  }
}
