/* SPDX-License-Identifier: MIT */
/* tests/models/quiet.pml — one CPU: the order in which its row and its registers are written, and the quiet scope.
   Verbs follow one another for ever; debug traps and NMIs interrupt them, and each other, at every step. Steps are those of the
   code: one access to a word that others may write. Interruptions nest: whoever interrupts has returned before the next step. */

#ifndef DEPTH
#define DEPTH 2  /* a verb, a trap in it, an NMI in that */
#endif
#ifndef ARRIVALS
#define ARRIVALS 2  /* interruptions a verb */
#endif
#ifndef SLOTS
#define SLOTS 2
#endif

/* What a slot watches: 0 and 1 have the same address, and another type (length, access). */
#ifndef SETTINGS
#define SETTINGS 3
#endif
#define address_of(setting) ((setting) / 2)
#define UNKNOWN 3

#define bit_of(s) (1 << (s))
#define all_slots 3

/* The row (row_registers). A breakpoint is known by its slot, and is held or not. */
byte on_[2];      /* `on`, a byte a slot */
byte setting[2];
bit holder[2];
byte kernel, known, edit;  /* masks */
#ifdef DEFECT_SILENCE_HALF_UNDONE
byte ours = all_slots;  /* a word of its own, beside the flags that say so */
#define are_ours(x) ours = x
#else
#define ours (lent || silenced -> 0 : all_slots)
#define are_ours(x) skip
#endif
byte lit, control;    /* last written */
bit lent, silenced, dirty;  /* is_ */
byte quiet;           /* in_: depth */
bit hushed;
byte version = 2, flushed = 2;

/* The hardware. Control has two bits a slot: on, and the type. */
byte dr[2];
byte dr7;
byte dr6;
byte hit_address, hit_type;  /* what the bit in dr6 stands for: what was in the registers when it was set */

#define lights(value, s) ((value) >> (2 * (s)) & 1)
#define type_in(value, s) ((value) >> (2 * (s) + 1) & 1)
#define control_part(s, asked) ((asked) >> (s) & 1 -> (1 | (setting[s] & 1) << 1) << (2 * (s)) : 0)
#define control_of(asked) (control_part(0, asked) | control_part(1, asked))

/* What is being promised. */
bit granted[2];  /* who asked last, wished it on or off */
bit silent[2];   /* and the verb that wished it off has returned */
byte depth;          /* who runs: 0 a verb, 1 and 2 what interrupts it */
byte arrivals;
bit trap[3];         /* what came at that depth is a debug trap, not an NMI */

#define as_usual (!lent && !silenced && !dirty && quiet == 0 && !hushed)
#define settled(now) (flushed == (now) && as_usual)
#define wished (on_[0] | on_[1] << 1)
#define armed (wished & known & ~edit)
#define dispatched(now) ((now) == flushed -> lit : armed & ours)
#define missing (kernel & ~(known | edit))

inline write_dr7(value) {
  atomic {
    assert(!lent || (silenced && value == 0));
    dr7 = value
  }
}
inline write_dr(s, what) {
  atomic {
    assert(!lent);
    assert(!lights(dr7, s));  /* an address is written only while its slot is off */
    dr[s] = address_of(what);
#ifndef LIMIT_OVERTAKEN
    if
    :: dr6 & bit_of(s) -> hit_address = UNKNOWN  /* an NMI came between the hit and the trap's look: see README.md */
    :: else
    fi
#endif
  }
}

inline forget(s) {
  if
  :: !holder[s] -> setting[s] = 2 * address_of(setting[s])
  :: else
  fi;
  if
  :: !(known & bit_of(s)) -> dr[s] = UNKNOWN
  :: else
  fi
}

inline some_setting() {
  if
  :: to = 0
  :: to = 2
#if SETTINGS > 2
  :: to = 1
#endif
  fi
}
inline some_slot() {
  if
  :: s = 0
#if SLOTS > 1
  :: s = 1
#endif
  fi
}

inline grant(s, how) {
  granted[s] = how;
  silent[s] = 0
}
/* A verb has returned. */
inline promise(s) {
  silent[s] = !granted[s]
}

/* row_registers::bump. A load and a store. */
inline bump() {
#ifdef DEFECT_NO_VERSION
  skip
#else
  t = version;
  atomic { version = t + 1; t = 0 }
#endif
}
/* row_registers::unsettle */
inline unsettle(now) {
  flushed = (now) - 1
}

/* row_registers::put_control */
inline put_control(value, what) {
  hushed = 0;
  write_dr7(value);
  dirty = 0;
  control = value;
  lit = what
}
/* row_registers::armed */
inline look_armed() {
  asked = on_[0];
#if SLOTS > 1
  asked = asked | on_[1] << 1;
#endif
  asked = asked & known & ~edit
}
/* row_registers::write_control */
inline write_control(even_if_same) {
  look_armed();
  wanted = control_of(asked);
  if
  :: !even_if_same && wanted == control
  :: else -> put_control(wanted, asked)
  fi;
  d_step { asked = 0; wanted = 0 }
}
/* row_registers::write_addresses */
inline write_addresses() {
  edit = edit | gaps;
  if
#ifndef DEFECT_ADDRESS_WHILE_ON
  :: !hushed && ((gaps & lit) != 0 || force) ->
    write_control(true);
    force = 0
#endif
  :: else
  fi;
  if
  :: gaps & 1 ->
    write_dr(0, setting[0]);
    known = known | 1
  :: else
  fi;
#if SLOTS > 1
  if
  :: gaps & 2 ->
    write_dr(1, setting[1]);
    known = known | 2
  :: else
  fi;
#endif
  edit = edit & ~gaps
}
/* row_registers::settle: `asked` on, as it was wished when the version was `then` */
inline settle(then) {
  wanted = control_of(asked);
  if
  :: wanted != control ->
    write_dr7(wanted);
#ifdef DEFECT_SETTLED_TOO_EARLY
    flushed = then;
#endif
    control = wanted
  :: else
  fi;
  lit = asked;
  flushed = then;
  d_step { asked = 0; wanted = 0 }
}
/* row_registers::flush, up to flush_whole */
inline flush() {
  seen = version;
  if
  :: as_usual && missing == 0 ->
    look_armed();
    settle(seen);
    atomic {
      if
#ifdef DEFECT_NO_RECHECK
      :: true
#else
      :: version == seen
#endif
      :: else -> whole = 1; again = 1
      fi
    }
  :: else -> whole = 1
  fi;
  seen = 0
}
/* row_registers::flush_whole */
inline flush_whole() {
  again = again || dirty;
  do
  :: seen = version;
#ifndef DEFECT_WRITES_SETTLED
    unsettle(seen);
#endif
    if
    :: quiet == 0 && !lent && !silenced ->
      d_step { force = again; gaps = missing };
      if
      :: gaps != 0 -> write_addresses()
      :: else
      fi;
      write_control((force || hushed));
#ifdef DEFECT_FLUSHED_AS_IT_IS_NOW
      flushed = version
#else
      flushed = seen
#endif
    :: else ->
      if
      :: silenced ->
        if
        :: again -> put_control(0, 0)
        :: else
        fi;
#ifndef DEFECT_HUSH_OUTLASTS_SILENCE
        hushed = 0;
#endif
        flushed = seen
      :: !silenced && dirty && quiet != 0 && !lent -> put_control(0, 0)
      :: else
      fi
    fi;
    if
#ifndef DEFECT_NO_RECHECK
    :: version != seen -> again = 1
#endif
    :: else -> break
    fi
  od;
  atomic { whole = 0; seen = 0; again = 0; force = 0; gaps = 0 }
}

/* row_registers::hush */
inline hush() {
  write_dr7(0);
#ifndef DEFECT_HUSH_NOT_RECORDED
  hushed = 1
#endif
}
/* row_registers::turn_off */
inline turn_off() {
  if
  :: lent || hushed
  :: else ->
    if
    :: flushed != version || dirty -> put_control(0, 0)
    :: else ->
      if
      :: lit != 0 && !silenced -> hush()
      :: else
      fi
    fi
  fi
}

/* row_registers::quiet_enter, and quiet_enter_unusual from the second half on */
inline quiet_enter() {
  since = version;
  if
  :: settled(since) ->
    d_step { quiet = 1; hushed = 0 };
    if
    :: lit != 0 -> hush()
    :: else
    fi
  :: else ->
    d_step { since = 0; midway = flushed != version };
#ifdef DEFECT_DEPTH_NOT_COUNTED
    quiet = 1;
#else
    quiet++;
#endif
    turn_off()
  fi
}
/* row_registers::quiet_leave, and quiet_leave_unusual */
inline quiet_leave() {
  if
#ifdef DEFECT_RESTORES_WHAT_IT_FOUND
  :: since != 0 ->
#else
  :: version == since ->
#endif
    unsettle(since);
    d_step { quiet = 0; hushed = 0 };
    if
    :: lit != 0 ->
      wanted = control;
      write_dr7(wanted);
      wanted = 0
    :: else
#ifdef DEFECT_DARK_NOT_RECHECKED
      -> flushed = since; goto left
#endif
    fi;
    flushed = since;
    if
#ifndef DEFECT_RESTORES_WHAT_IT_FOUND
    :: version != since ->
      d_step { whole = 1; again = 1 };
      bump()
#endif
    :: else
    fi
  :: else ->
#ifdef DEFECT_DEPTH_NOT_COUNTED
    quiet = 0;
#else
    quiet--;
#endif
    bump();
    flush()
  fi;
  if
  :: whole -> flush_whole()
  :: else
  fi;
#ifdef DEFECT_DARK_NOT_RECHECKED
left:
#endif
#ifndef DEFECT_MIDWAY_FORGOTTEN
  if
  :: midway -> unsettle(version)
  :: else
  fi;
#endif
  d_step { since = 0; midway = 0 }
}

/* row_registers::wish, for one slot */
inline wish(s, how) {
#ifdef DEFECT_ON_IS_A_MASK
  t = wished;
  atomic { grant(s, how); t = (t & ~bit_of(s)) | how << (s); on_[0] = t & 1; on_[1] = t >> 1; t = 0 }
#else
  atomic { grant(s, how); on_[s] = how };
#endif
  bump()
}
/* row::put. Precondition: the slot is in `edit`. */
inline put(s, to) {
  if
  :: address_of(setting[s]) != address_of(to) -> known = known & ~bit_of(s)
  :: else
  fi;
  setting[s] = to
}
/* row::edit and edited */
inline begin_edit(s) {
#ifndef DEFECT_NO_EDIT_MASK
  edit = edit | bit_of(s);
#endif
  bump()
}
inline begin_edit_at_once(s) {
#ifndef DEFECT_NO_EDIT_MASK
  edit = bit_of(s)
#else
  skip
#endif
}
inline end_edit(s) {
  edit = edit & ~bit_of(s);
  bump()
}

/* Verbs, cross-calls, the context switch: under the guard. */
active proctype verbs() provided (depth == 0) {
  byte t, seen, asked, wanted, gaps, s, to;
  bit whole, again, force, how;
  dr[0] = UNKNOWN;
  dr[1] = UNKNOWN;
  do
  :: true ->
    /* Numbers do not grow: fewer states. */
    atomic { arrivals = ARRIVALS; flushed = (flushed == version -> 2 : 0); version = 2 };
    atomic {
      some_slot();
      some_setting()
    };
    if
    :: true  /* none: what interrupts comes alone */
    :: kernel & bit_of(s) ->  /* set_on: turn */
      if
      :: how = 0
      :: how = 1
      fi;
#ifndef DEFECT_TURN_LOOKS_LATE
      seen = version + 1;
      wish(s, how);
#else
      wish(s, how);
      seen = version;
#endif
      if
#ifdef DEFECT_TURNS_UNSETTLED
      :: true ->
#else
      :: settled(seen - 1) ->
#endif
        asked = (how -> lit | bit_of(s) : lit & ~bit_of(s));
        settle(seen);
        atomic {
          if
#ifdef DEFECT_NO_RECHECK
          :: true
#else
          :: version == seen
#endif
          :: else -> whole = 1; again = 1
          fi
        }
#ifndef DEFECT_TURNS_UNSETTLED
      :: else -> whole = 1
#endif
      fi
    :: kernel & bit_of(s) ->  /* retarget */
      seen = version;
#ifndef DEFECT_EDITS_AFTER_LOOK
      begin_edit_at_once(s);
#endif
      if
      :: settled(seen) ->
        gaps = lit;
#ifdef DEFECT_EDITS_AFTER_LOOK
        begin_edit_at_once(s);
#endif
        if
        :: address_of(setting[s]) != address_of(to) ->
          if
          :: gaps & bit_of(s) ->
#ifndef DEFECT_OFF_WHILE_SETTLED
            unsettle(seen);
#endif
            asked = gaps & ~bit_of(s);
            settle(seen)
          :: else
          fi;
          write_dr(s, to)
        :: else
        fi;
        setting[s] = to;
        end_edit(s);
        if
#ifndef DEFECT_BUMP_NOT_LOOKED_AT
        :: !settled(seen) -> d_step { gaps = 0; whole = 1; again = 1 }
#endif
        :: else ->
          asked = gaps;
          gaps = 0;
          settle(seen + 1);
          atomic {
            if
#ifdef DEFECT_NO_RECHECK
            :: true
#else
            :: version == seen + 1
#endif
            :: else -> whole = 1; again = 1
            fi
          }
        fi
      :: else ->
        begin_edit(s);
        put(s, to);
        end_edit(s);
        flush()
      fi
    :: !(kernel & bit_of(s)) ->  /* change, become: hold */
      begin_edit(s);
      holder[s] = 1;
#ifdef DEFECT_MASK_BEFORE_ON
      atomic { kernel = kernel | bit_of(s); grant(s, 1) };
#endif
      put(s, to);
#ifdef DEFECT_MASK_BEFORE_ON
      on_[s] = 1;
#else
      atomic { on_[s] = 1; grant(s, 1) };
#endif
      kernel = kernel | bit_of(s);
      end_edit(s);
      flush()
    :: kernel & bit_of(s) ->  /* change, become: let_go */
      begin_edit(s);
      holder[s] = 0;
      atomic { on_[s] = 0; grant(s, 0) };
      kernel = kernel & ~bit_of(s);
      end_edit(s);
      flush()
#ifdef LENDING
    :: !lent ->  /* lend: leave_registers */
      quiet++;
      turn_off();
      are_ours(0);
      lent = 1;
      known = 0;
      lit = 0;
      hushed = 0;
      dirty = 0;
      assert(dr7 == 0);
      quiet--;
      bump()
    :: lent || silenced ->  /* restore: enter_registers */
      if
      :: lent -> d_step { dr[0] = UNKNOWN; dr[1] = UNKNOWN }
      :: else
      fi;
      known = 0;
      dirty = 1;
      are_ours(all_slots);
      silenced = 0;
      lent = 0;
      bump();
      flush()
#endif
    fi;
    if
    :: whole -> flush_whole()
    :: else
    fi;

    /* Nobody is in the middle of anything, and nobody comes: the verb has returned. */
    atomic {
      arrivals = 0;
      d_step { s = 0; to = 0; how = 0; seen = 0 };
      assert(quiet == 0 && edit == 0 && !hushed);
      assert((on_[0] == granted[0] || !holder[0]) && (on_[1] == granted[1] || !holder[1]));
      promise(0);
      promise(1);
      if
      :: lent || silenced -> assert(dr7 == 0 && (dispatched(version)) == 0)
      :: else ->
        assert(!dirty && ours == all_slots);
        assert(dr7 == control_of((wished & kernel)) && control == dr7);
        assert(lights(dr7, 0) -> dr[0] == address_of(setting[0]) : true);
        assert(lights(dr7, 1) -> dr[1] == address_of(setting[1]) : true);
        assert(armed == lit && flushed == version)
      fi;
      /* What no longer matters is forgotten: fewer states. */
      forget(0);
      forget(1)
    }
  od
}

#define OFF assert(dr7 == 0)

/* Whoever interrupts: a debug trap for a slot that the hardware has on, or an NMI. Both open a quiet scope first. */
active [2] proctype interruption() provided (depth == _pid) {
  byte t, seen, asked, wanted, gaps, since, said, hits, s, to, was, hit_was, type_was;
  bit midway, whole, again, force, held, one;
end:
  do
  :: true ->
    d_step { said = trap[_pid]; trap[_pid] = 0 };
    quiet_enter();
    OFF;  /* nothing is on in a quiet scope */

    /* detail::trap_on::take: tell_one, and tell_each from the second round on */
    if
    :: said != 0 ->
      d_step { said = dr6; dr6 = 0; hit_was = hit_address; type_was = hit_type; hit_address = 0; hit_type = 0 };
      d_step { s = said / 2; one = 1 };
      do
      :: seen = version;
#ifdef DEFECT_TRUSTS_LIT
        hits = said & lit;
#else
        hits = said & (dispatched(seen));
#endif
        held = holder[s];
        was = setting[s];
        if
        :: hits == 0 && one -> break
        :: version == seen -> break
        :: else -> one = 0
        fi
      od;
      atomic {
        if
        :: hits != 0 && (version == seen || (on_[s] && holder[s] == held)) ->
          assert(held);  /* a hit has a holder, and is its own */
          assert(!silent[s]);
          assert(address_of(was) == hit_was || hit_was == UNKNOWN);
#ifdef LIMIT_SAME_ADDRESS
          assert((was & 1) == type_was)
#endif
        :: else
        fi;
        d_step { seen = 0; said = 0; hits = 0; was = 0; held = 0; s = 0; one = 0; hit_was = 0; type_was = 0 }
      };
      OFF
    :: else
    fi;

    /* What a handler does, or who posts in an NMI: handler_view, and row::catch_up. In a scope nothing is settled: turn,
       retarget and flush are flush_whole. */
    some_slot();
    if
    :: kernel & bit_of(s) && holder[s] ->
      if
      :: wish(s, 0);
        flush_whole();
        atomic { promise(s) }
      :: wish(s, 1);
        flush_whole()
      :: edit == 0 ->  /* re_aim: refused inside a verb that rewrites this row */
        some_setting();
        begin_edit(s);
        put(s, to);
        end_edit(s);
        flush_whole()
      fi
    :: true  /* nothing */
#ifdef LENDING
    :: silenced = 1;  /* silence() */
      are_ours(0);
      bump();
      write_dr7(0);
      lit = 0
#endif
    fi;
    d_step { s = 0; to = 0 };
    OFF;
    quiet_leave();
    depth--
  od
}

/* Something interrupts whoever runs. */
active proctype arrival() {
  byte s;
end:
  do
  :: atomic { depth < DEPTH && arrivals > 0 -> depth++; arrivals-- }
  :: atomic { depth < DEPTH && arrivals > 0 && dr6 == 0 && dr7 != 0 ->
      if
      :: lights(dr7, 0) -> s = 0
      :: lights(dr7, 1) -> s = 1
      fi;
      dr6 = bit_of(s);
      hit_address = dr[s];
      hit_type = type_in(dr7, s);
      s = 0;
      depth++;
      trap[depth] = 1;
      arrivals-- }
  od
}
