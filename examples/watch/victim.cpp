// SPDX-License-Identifier: MIT
// examples/watch/victim.cpp — a small bank with several threads, to be watched: how often each variable is written is known.
//
//   victim [ROUNDS [PAUSE_MS]] [wait] [stay]
//
// Threads `teller-1` and `teller-2` deposit ROUNDS times each. `auditor` starts when they are half way, and audits ROUNDS times;
// each audit reads the balance and adds to `audits`. At the end the main thread closes the books. So the writes are:
//
//   balance  2 x ROUNDS, by the tellers, each one more than before      audits  ROUNDS, by the auditor
//   last     2 x ROUNDS, by the tellers                                 closed  1, by the main thread
//   limit    none: it is only read, 2 x ROUNDS times                    ledger[i] 16 x 8 bytes, round i by each teller
//
// `wait`: the tellers are there, `ready PID` is printed, and all goes on when a line comes in: so a tracer can attach first.
// `stay`: then lives on until it is killed.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <mutex>
#include <thread>

// Volatile: each access that the source names happens, once. Under the lock, so that each write is seen with its old value.
extern "C" {
volatile std::uint64_t balance;
volatile std::uint32_t audits;
volatile std::uint16_t last;
volatile std::uint8_t closed;
volatile std::uint32_t limit = 1'000'000;
volatile std::uint64_t ledger[16];
thread_local volatile std::uint32_t own_rounds;
}

namespace bank {
volatile std::uint32_t interest = 5;
}

namespace {

std::mutex books;
std::atomic<unsigned> deposits_made{0};
std::latch all_there{3}, opening{1};  // the tellers and the main thread; the bell
std::chrono::milliseconds pause_between{0};

[[gnu::noinline]] void deposit(unsigned teller, unsigned round) {
  const std::lock_guard lock(books);
  if (balance >= limit) return;
  balance = balance + 1;
  last = static_cast<std::uint16_t>(teller);
  ledger[round % 16] = round;
}

[[gnu::noinline]] void audit() {
  const std::lock_guard lock(books);
  if (balance != 0) audits = audits + 1;
}

[[gnu::noinline]] void close_books() { closed = 1; }

void work(unsigned number, unsigned rounds, void (*round)(unsigned, unsigned)) {
  for (unsigned i = 0; i < rounds; ++i) {
    round(number, i);
    own_rounds = own_rounds + 1;
    if (pause_between.count() != 0) std::this_thread::sleep_for(pause_between);
  }
}

void teller(unsigned number, unsigned rounds) {
  pthread_setname_np(pthread_self(), number == 1 ? "teller-1" : "teller-2");
  all_there.arrive_and_wait();
  opening.wait();
  work(number, rounds, [](unsigned who, unsigned round) {
    deposit(who, round);
    ++deposits_made;
  });
}

void auditor(unsigned rounds) {
  pthread_setname_np(pthread_self(), "auditor");
  work(3, rounds, [](unsigned, unsigned) { audit(); });
}

}  // namespace

int main(int argc, char** argv) {
  unsigned rounds = 10;
  bool wait = false, stay = false;
  for (int i = 1, number = 0; i < argc; ++i) {
    if (std::strcmp(argv[i], "wait") == 0)
      wait = true;
    else if (std::strcmp(argv[i], "stay") == 0)
      stay = true;
    else if (number++ == 0)
      rounds = static_cast<unsigned>(std::atoi(argv[i]));
    else
      pause_between = std::chrono::milliseconds(std::atoi(argv[i]));
  }
  std::thread first(teller, 1, rounds), second(teller, 2, rounds);
  all_there.arrive_and_wait();
  if (wait) {
    std::printf("ready %d\n", getpid());
    std::fflush(stdout);
    while (std::getchar() != '\n' && !std::feof(stdin)) {
    }
  }
  opening.count_down();
  while (deposits_made < rounds) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::thread third(auditor, rounds);
  first.join();
  second.join();
  third.join();
  close_books();
  while (stay) pause();
}
