// SPDX-License-Identifier: MIT
// tests/live/crew.hpp — threads of the test's own process, that do what it tells them.
#pragma once
#include <atomic>
#include <functional>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace live {

/// One thread; it runs one job at a time, and ends with its scope.
class worker {
 public:
  worker() : thread_([this] { serve(); }) {
    while (tid_ == 0) sched_yield();
  }
  ~worker() {
    start({});
    thread_.join();
  }
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// In the background. An empty job ends the thread.
  void start(std::function<void()> job) {
    wait();
    job_ = std::move(job);
    busy_ = true;
    busy_.notify_one();
  }
  void wait() const {
    while (busy_) sched_yield();
  }
  void run(std::function<void()> job) {
    start(std::move(job));
    wait();
  }
  [[nodiscard]] bool busy() const { return busy_; }
  [[nodiscard]] int tid() const { return tid_; }

 private:
  void serve() {
    tid_ = static_cast<int>(syscall(SYS_gettid));
    for (;;) {
      busy_.wait(false);
      if (!job_) break;
      job_();
      busy_ = false;
    }
    busy_ = false;
  }
  std::function<void()> job_;
  std::atomic<bool> busy_{false};
  std::atomic<int> tid_{0};
  std::thread thread_;
};

}  // namespace live
