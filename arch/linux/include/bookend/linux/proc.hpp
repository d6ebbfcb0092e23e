// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/proc.hpp — which threads a process has, and who traces them. proc(5).
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>

namespace bookend::lnx {

/// Calls f(tid) for each thread that a process has now. False if there is no such process.
template <class F>
bool each_thread(int pid, F f) noexcept {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR* const tasks = opendir(path);
  if (tasks == nullptr) return false;
  while (const dirent* entry = readdir(tasks))
    if (const int tid = std::atoi(entry->d_name); tid > 0) f(tid);
  closedir(tasks);
  return true;
}

/// What /proc says of a thread. All zero if it is gone.
struct thread_status {
  int process = 0;  ///< Tgid
  int tracer = 0;   ///< 0: nobody
  char state = 0;   ///< 'Z' and 'X' have ended
  [[nodiscard]] bool over() const noexcept { return state == 0 || state == 'Z' || state == 'X'; }
};
inline thread_status status_of_thread(int tid) noexcept {
  thread_status s;
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/status", tid);
  std::FILE* const file = std::fopen(path, "re");
  if (file == nullptr) return s;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, "State:", 6) == 0) s.state = line[7];
    if (std::strncmp(line, "Tgid:", 5) == 0) s.process = std::atoi(line + 5);
    if (std::strncmp(line, "TracerPid:", 10) == 0) s.tracer = std::atoi(line + 10);
  }
  std::fclose(file);
  return s;
}

}  // namespace bookend::lnx
