// SPDX-License-Identifier: MIT
// examples/object_watch/service.cpp — a program with two bugs, to be followed: `service [ROUNDS]`.
//
// ROUNDS sessions, one after the other, are opened, used by two threads and closed, all well, most at the same address. Then the
// thread `timer` gives one a name that is too long for it, and looks at another that has been closed.
#include <pthread.h>
#include <semaphore.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

int open_sessions, closed_sessions;

struct session {
  [[gnu::noinline]] explicit session(const char* who) : rights(7) {
    std::strncpy(name, who, sizeof name);
    ++open_sessions;
  }
  [[gnu::noinline]] ~session() {
    --open_sessions;
    ++closed_sessions;
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  char name[16];
  std::uint64_t behind_the_name;  // nobody writes here
  std::uint64_t rights;
};

namespace {

/// What the other thread is asked to do with a session, and its answer.
struct {
  void (*what)(session*);
  session* with;
  std::uint64_t answer;
  sem_t asked, done;
} timer;

void* run_timer(void*) {
  for (;;) {
    sem_wait(&timer.asked);
    if (timer.what == nullptr) return nullptr;
    timer.what(timer.with);
    sem_post(&timer.done);
  }
}
void ask(void (*what)(session*), session* with) {
  timer.what = what;
  timer.with = with;
  sem_post(&timer.asked);
  if (what != nullptr) sem_wait(&timer.done);
}

[[gnu::noinline]] void look_at(session* s) { timer.answer += s->rights; }
[[gnu::noinline]] void use(session* s) {
  s->rights |= 8;
  s->name[0] = 'u';
}
void set_name(session* s, const char* text) {
  for (char* to = s->name; (*to++ = *text++) != 0;) {
  }
}
[[gnu::noinline]] void rename_expired(session* s) { set_name(s, "expired at noon"), set_name(s, "expired at midnight"); }

[[gnu::noinline]] session* open_session(const char* who) { return new session(who); }
[[gnu::noinline]] void close_session(session* s) { delete s; }

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 20;
  pthread_t thread;
  sem_init(&timer.asked, 0, 0);
  sem_init(&timer.done, 0, 0);
  if (pthread_create(&thread, nullptr, run_timer, nullptr) != 0) return 1;
  for (int i = 0; i < rounds; ++i) {
    session* const s = open_session("guest");
    use(s);
    ask(use, s);
    ask(look_at, s);
    close_session(s);
  }
  session* const alice = open_session("alice");
  ask(rename_expired, alice);
  session* const bob = open_session("bob");
  close_session(bob);
  ask(look_at, bob);
  ask(look_at, bob);
  close_session(alice);
  ask(nullptr, nullptr);
  pthread_join(thread, nullptr);
  std::printf("service: %d sessions closed, %d open, %llu\n", closed_sessions, open_sessions,
              static_cast<unsigned long long>(timer.answer));
}
