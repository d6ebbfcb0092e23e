// SPDX-License-Identifier: MIT
// examples/watch/symbols.cpp — names, addresses and source lines of a running process, from its executable and libraries.
#include "symbols.hpp"

#include <cxxabi.h>
#include <elfutils/libdw.h>
#include <fmt/format.h>
#include <gelf.h>

#include <cstdlib>
#include <cstring>
#include <set>
#include <string_view>

#include "complaint.hpp"
#include "nearest.hpp"
#include "proc.hpp"

namespace watch {
namespace {

char* no_debuginfo_path = nullptr;  // elfutils' own search: beside the file, .debug, /usr/lib/debug
constexpr Dwfl_Callbacks callbacks{dwfl_linux_proc_find_elf, dwfl_standard_find_debuginfo, nullptr, &no_debuginfo_path};

/// `bank::deposit(unsigned int) const [clone .cold]` without what comes after the name, and without unnamed namespaces.
std::string without_parameters(std::string name) {
  if (const auto clone = name.find(" [clone"); clone != name.npos) name.resize(clone);
  if (const auto close = name.rfind(')'); close != name.npos) {
    int depth = 0;
    for (auto i = close + 1; i-- > 0;) {
      depth += name[i] == ')' ? 1 : name[i] == '(' ? -1 : 0;
      if (depth == 0) {
        if (i > 0) name.resize(i);
        break;
      }
    }
  }
  constexpr std::string_view unnamed = "(anonymous namespace)::";
  for (auto i = name.find(unnamed); i != name.npos; i = name.find(unnamed)) name.erase(i, unnamed.size());
  return name;
}

std::string readable(const char* linker_name) {
  if (std::strncmp(linker_name, "_Z", 2) != 0) return linker_name;
  int failed = 0;
  const std::unique_ptr<char, void (*)(void*)> name{abi::__cxa_demangle(linker_name, nullptr, nullptr, &failed), std::free};
  return failed == 0 ? without_parameters(name.get()) : linker_name;
}

/// `interest` of `bank::interest`.
std::string_view unqualified(std::string_view name) {
  const auto colons = name.substr(0, name.find('<')).rfind("::");
  return colons == name.npos ? name : name.substr(colons + 2);
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// The source line of an address, if there is debug information.
void find_line(Dwfl_Module* module, std::uint64_t address, code_place& p) {
  if (Dwfl_Line* line = dwfl_module_getsrc(module, address)) {
    if (const char* file = dwfl_lineinfo(line, nullptr, &p.line, nullptr, nullptr, nullptr)) p.file = file;
    return;
  }
  // That needs .debug_aranges, which clang does not write. So ask each unit whether the address is in it.
  Dwarf_Addr bias = 0;
  for (Dwarf_Die* unit = nullptr; (unit = dwfl_module_nextcu(module, unit, &bias)) != nullptr;) {
    if (dwarf_haspc(unit, address - bias) <= 0) continue;
    Dwarf_Line* line = dwarf_getsrc_die(unit, address - bias);
    const char* file = line != nullptr ? dwarf_linesrc(line, nullptr, nullptr) : nullptr;
    if (file == nullptr || dwarf_lineno(line, &p.line) != 0) continue;
    p.file = file;
    return;
  }
}

}  // namespace

std::string code_place::text() const {
  if (module.empty()) return fmt::format("{:#x}", pc);
  if (function.empty()) return fmt::format("{:#x} in {}", module_pc, file_name(module));
  if (line != 0) return fmt::format("{}+{:#x}  {}:{}", function, offset, file_name(file), line);
  return fmt::format("{}+{:#x}  {}", function, offset, file_name(module));
}

symbols::symbols(pid_t pid) : pid_(pid), dwfl_(dwfl_begin(&callbacks)) {
  if (!dwfl_) throw complaint(fmt::format("cannot read symbols: {}", dwfl_errmsg(-1)));
  read_mappings();
}

void symbols::read_mappings() {
  dwfl_report_begin(dwfl_.get());
  const int failed = dwfl_linux_proc_report(dwfl_.get(), pid_);
  dwfl_report_end(dwfl_.get(), nullptr, nullptr);
  if (failed != 0)
    throw complaint(
        fmt::format("cannot read what process {} has mapped: {}", pid_, failed > 0 ? std::strerror(failed) : dwfl_errmsg(-1)));
  read_at_ = std::chrono::steady_clock::now();
}

void symbols::read_module(Dwfl_Module* module) {
  const char* mapped_file = dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  const int count = dwfl_module_getsymtab(module);
  for (int i = 1; i < count; ++i) {
    GElf_Sym sym;
    GElf_Addr address = 0;
    GElf_Word section = SHN_UNDEF;
    const char* linker_name = dwfl_module_getsym_info(module, i, &sym, &address, &section, nullptr, nullptr);
    const int type = GELF_ST_TYPE(sym.st_info);
    if (linker_name == nullptr || *linker_name == 0 || section == SHN_UNDEF || type == STT_FILE || type == STT_SECTION) continue;
    symbol s;
    s.name = readable(linker_name);
    s.linker_name = linker_name;
    s.module = mapped_file;
    s.address = address;
    s.size = sym.st_size;
    s.is = type == STT_TLS                             ? symbol::kind::thread_local_variable
           : type == STT_FUNC || type == STT_GNU_IFUNC ? symbol::kind::function
                                                       : symbol::kind::variable;
    s.global = GELF_ST_BIND(sym.st_info) != STB_LOCAL;
    all_.push_back(std::move(s));
  }
}

void symbols::read_symbols() {
  const auto each = [](Dwfl_Module* module, void**, const char*, Dwarf_Addr, void* self) {
    static_cast<symbols*>(self)->read_module(module);
    return static_cast<int>(DWARF_CB_OK);
  };
  dwfl_getmodules(dwfl_.get(), each, this, 0);
}

const symbol& symbols::find(const std::string& name, bool prefer_functions) {
  if (all_.empty()) read_symbols();
  // Lower is better; the modules' order is the vector's, so that the first of the best rank is it.
  const auto rank = [&](const symbol& s) {
    const bool full = s.name == name || s.linker_name == name;
    if (!full && unqualified(s.name) != name) return 8;
    return (full ? 0 : 4) + ((s.is == symbol::kind::function) == prefer_functions ? 0 : 2) + (s.global ? 0 : 1);
  };
  const symbol* best = nullptr;
  std::set<std::uint64_t> rivals;
  for (const symbol& s : all_) {
    const int r = rank(s);
    if (r == 8) continue;
    const bool same_module = best != nullptr && best->module == s.module;
    if (best == nullptr || (same_module && r < rank(*best))) {
      best = &s;
      rivals = {s.address};
    } else if (same_module && r == rank(*best)) {
      rivals.insert(s.address);
    }
  }
  if (rivals.size() > 1) {
    std::string addresses;
    for (const auto a : rivals) addresses += fmt::format(" {:#x}", a);
    throw complaint(fmt::format("'{}' is {} symbols of {}: name one by its address:{}", name, rivals.size(),
                                file_name(best->module), addresses));
  }
  if (best != nullptr) return *best;

  std::vector<std::string> names;
  for (const symbol& s : all_)
    if ((s.is == symbol::kind::function) == prefer_functions) {
      names.push_back(s.name);
      if (const auto last = unqualified(s.name); last != s.name) names.emplace_back(last);
    }
  const auto near = did_you_mean(name, names);
  throw complaint(fmt::format("no symbol '{}' in process {} ({}){}", name, pid_, name_of_thread(pid_, pid_),
                              near.empty() && all_.empty() ? ": it has no symbols at all; give 0xADDR:LEN" : near));
}

const code_place& symbols::at(std::uint64_t pc, bool after) {
  const auto [known, is_new] = known_places_.try_emplace({pc, after});
  code_place& p = known->second;
  if (!is_new) return p;
  p.pc = pc;
  const std::uint64_t instruction = pc - (after ? 1 : 0);
  Dwfl_Module* module = dwfl_addrmodule(dwfl_.get(), instruction);
  if (module == nullptr && std::chrono::steady_clock::now() - read_at_ > std::chrono::seconds(1)) {
    try {
      read_mappings();  // a library loaded since; not for every address of generated code
    } catch (const complaint&) {
    }
    module = dwfl_addrmodule(dwfl_.get(), instruction);
  }
  if (module == nullptr) return p;
  p.module = dwfl_module_info(module, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  GElf_Addr bias = 0;
  p.module_pc = dwfl_module_getelf(module, &bias) != nullptr ? pc - bias : pc;
  GElf_Off offset = 0;
  GElf_Sym sym;
  if (const char* function = dwfl_module_addrinfo(module, instruction, &offset, &sym, nullptr, nullptr, nullptr)) {
    p.function = readable(function);
    p.offset = offset + (pc - instruction);
  }
  find_line(module, instruction, p);
  return p;
}

}  // namespace watch
