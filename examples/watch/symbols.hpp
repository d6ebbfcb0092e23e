// SPDX-License-Identifier: MIT
// examples/watch/symbols.hpp — names, addresses and source lines of a running process, from its executable and libraries.
#pragma once
#include <elfutils/libdwfl.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace watch {

struct symbol {
  enum class kind { variable, function, thread_local_variable };
  std::string name;  ///< as people write it: demangled, without parameters
  std::string linker_name;
  std::string module;  ///< the file it is in
  std::uint64_t address = 0;
  std::uint64_t size = 0;  ///< 0: not known
  kind is = kind::variable;
  bool global = false;
};

/// Where in the program an address is. Empty or 0: not known.
struct code_place {
  std::uint64_t pc = 0;
  std::string function, module, file;
  std::uint64_t offset = 0;     ///< in the function
  std::uint64_t module_pc = 0;  ///< pc as the module's file counts, and objdump and addr2line with it
  int line = 0;
  /// "deposit+0x39  victim.cpp:52", as much of it as is known; "0x130c in libx.so" where there is no symbol.
  [[nodiscard]] std::string text() const;
};

/// elfutils' view of one process: position-independent executables, shared libraries and separate debug files included.
class symbols {
 public:
  /// Reads which files are mapped where. Throws a complaint when the process cannot be read.
  explicit symbols(pid_t pid);

  /// The symbol of that name: as the linker spells it, or as people do (`bank::interest`, or just `interest`). Of several, that
  /// of the executable wins over a library's, and a global over a file's own. Throws a complaint: not there (and what is
  /// near), or several with an equal right.
  const symbol& find(const std::string& name, bool prefer_functions);

  /// `after`: the instruction before `pc` is meant, for a report that comes after the access.
  const code_place& at(std::uint64_t pc, bool after);

  /// Where a thread is that our tracer has stopped, then the addresses to which its functions return, the innermost first; as far
  /// as the unwinding tables go.
  std::vector<std::uint64_t> stack(pid_t tid);

 private:
  struct dwfl_ender {
    void operator()(Dwfl* d) const { dwfl_end(d); }
  };
  void read_mappings();
  void read_symbols();
  void read_module(Dwfl_Module* module);

  static constexpr std::size_t deepest = 64;

  pid_t pid_;
  bool attached_ = false;
  std::unique_ptr<Dwfl, dwfl_ender> dwfl_;
  std::vector<symbol> all_;  ///< in the order of the modules; read when first asked for
  std::map<std::pair<std::uint64_t, bool>, code_place> known_places_;
  std::chrono::steady_clock::time_point read_at_;
};

}  // namespace watch
