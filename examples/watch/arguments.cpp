// SPDX-License-Identifier: MIT
// examples/watch/arguments.cpp — the command line, as values.
#include "arguments.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <memory>

#include "complaint.hpp"

namespace watch {
namespace {

/// The whole of `text` as a number, 0x for hexadecimal.
std::optional<std::uint64_t> number(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (hexadecimal) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr const char* usage = "Usage: watch [OPTIONS] SYMBOL[+OFFSET][:LEN]|0xADDR[:LEN] ... (--pid PID | -- COMMAND ARGS...)\n";

constexpr const char* after = R"(
An option of watches holds for those after it: `watch balance --rw limit --thread auditor audits` watches writes to `balance`
and accesses to `limit` in all threads, and accesses to `audits` in one.

A debug register watches 1, 2, 4 or 8 bytes, aligned to their number. Without :LEN a variable's own size is taken, and 4 for
an address. Watches of all threads fill every thread's registers from the top, those of one thread fill its own from the bottom.

While it runs, the keys 1 to 9 toggle a watch (its slot is kept), s prints the slots, q or Ctrl-C ends. From elsewhere SIGUSR1
toggles watch 1, and SIGUSR2 watch 2. However it ends, the process runs on with clean registers.

Exit code: 0 well, 1 refused or failed, 2 bad command line, 3 this machine does not let us watch.
)";

struct formatter : CLI::Formatter {
  std::string make_usage(const CLI::App*, std::string) const override { return usage; }
  std::string make_positionals(const CLI::App*) const override { return {}; }  // the usage line says it better
};

}  // namespace

place parse_place(std::string_view text) {
  place p;
  std::string_view rest = text;
  // `ns::name:4`: the colon of a length stands alone, and a digit or nothing sensible follows it.
  if (const auto colon = rest.rfind(':'); colon != rest.npos && (colon == 0 || rest[colon - 1] != ':')) {
    p.length = number(rest.substr(colon + 1));
    if (!p.length)
      throw complaint(fmt::format("'{}' is no length: after the colon comes a number of bytes", rest.substr(colon + 1)),
                      bad_usage);
    rest.remove_suffix(rest.size() - colon);
  }
  if (rest.starts_with("0x") || rest.starts_with("0X")) {
    const auto address = number(rest);
    if (!address) throw complaint(fmt::format("'{}' is no address: 0x and up to 16 hexadecimal digits", rest), bad_usage);
    p.address = *address;
    return p;
  }
  if (const auto plus = rest.rfind('+'); plus != rest.npos && plus != 0) {
    if (const auto offset = number(rest.substr(plus + 1))) {
      p.address = *offset;
      rest.remove_suffix(rest.size() - plus);
    }
  }
  if (rest.empty()) throw complaint(fmt::format("'{}' names nothing to watch", text), bad_usage);
  if (rest[0] >= '0' && rest[0] <= '9')
    throw complaint(fmt::format("'{}' is no symbol; an address starts with 0x", rest), bad_usage);
  p.symbol = rest;
  return p;
}

options parse_arguments(int argc, const char* const* argv) {
  options o;
  // What follows `--` is the command's own, whatever it looks like.
  const char* const* const end = argv + argc;
  const char* const* const dashes = std::find_if(argv, end, [](const char* a) { return std::string_view(a) == "--"; });
  if (dashes != end) o.command.assign(dashes + 1, end);

  // CLI11 would take such a word apart, and of `[]` leave nothing.
  const char* const* const list =
      std::find_if(argv, dashes, [](std::string_view a) { return a.starts_with('[') && a.ends_with(']'); });
  if (list != dashes)
    throw complaint(fmt::format("'{0}' names nothing to watch; a thread of that name is --thread={0}", *list), bad_usage);

  CLI::App app{"Shows who touches a variable or a function of a running process, through the CPU's debug registers."};
  app.formatter(std::make_shared<formatter>());
  app.footer(after);
  app.set_help_flag("-h,--help", "this text");
  const std::string of_watches = "Options of the watches that follow";
  const auto flag = [&](const std::string& names, const std::string& text) {
    return app.add_flag(names, text)->group(of_watches);
  };
  const CLI::Validator positive{[](const std::string& s) {
                                  char* end_of_number = nullptr;
                                  const double value = std::strtod(s.c_str(), &end_of_number);
                                  const bool good = *end_of_number == 0 && value > 0 && value < 1e9;
                                  return good ? std::string{} : fmt::format("'{}' is not a number above 0", s);
                                },
                                ""};
  std::vector<std::string> texts, threads;
  std::string pid;

  const CLI::Option* text = app.add_option("watch", texts);
  const CLI::Option* write = flag("-w,--write", "watch writes (the default)");
  const CLI::Option* rw = flag("-r,--rw", "watch reads and writes");
  const CLI::Option* exec = flag("-x,--exec", "watch executions of a function");
  const CLI::Option* all = flag("-a,--all", "in all threads, later ones too: from the top (the default)");
  const CLI::Option* one =
      app.add_option("-t,--thread", threads, "in one thread, from the bottom: a TID, a name, or #2 for the second to start")
          ->type_name("THREAD")
          ->allow_extra_args(false)  // one a time: what follows it is a watch
          ->group(of_watches);
  const CLI::Option* disabled = flag("-d,--disabled", "start silent: no stops at all, but the slot is held");
  const CLI::Option* enabled = flag("-e,--enabled", "start enabled (the default)");
  app.add_option("-p,--pid", pid, "watch this process")->type_name("PID");
  app.add_option("-c,--count", o.count, "end after N hits")->type_name("N")->check(positive);
  app.add_option("-f,--for", o.seconds, "end after SECONDS")->type_name("SECONDS")->check(positive);
  app.add_flag("-j,--json", o.json, "report one JSON object a line");
  app.add_option("-o,--output", o.output, "write the report to a file")->type_name("FILE");
  app.add_flag("--probe", o.probe, "only say whether this machine lets us watch");

  try {
    app.parse(static_cast<int>(dashes - argv), argv);
  } catch (const CLI::CallForHelp&) {
    o.help = app.help();
    return o;
  } catch (const CLI::ParseError& e) {
    const std::string what = e.what();
    throw complaint(what.substr(0, what.find('\n')) + " (see watch --help)", bad_usage);
  }

  // In the order of the command line: an option holds for the watches after it.
  wanted next;
  std::size_t texts_seen = 0, threads_seen = 0;
  for (const CLI::Option* seen : app.parse_order()) {
    if (seen == write) next.on = bookend::access::write;
    if (seen == rw) next.on = bookend::access::read_write;
    if (seen == exec) next.on = bookend::access::execute;
    if (seen == all) next.thread.clear();
    if (seen == one) next.thread = threads[threads_seen++];
    if (seen == disabled) next.enabled = false;
    if (seen == enabled) next.enabled = true;
    if (seen == text) {
      next.text = texts[texts_seen++];
      next.where = parse_place(next.text);
      o.watches.push_back(next);
    }
  }
  if (o.probe) return o;

  if (!pid.empty()) {
    const auto n = number(pid);
    if (!n || *n == 0 || *n > 0x7fffffff) throw complaint(fmt::format("'{}' is no process id", pid), bad_usage);
    o.pid = static_cast<pid_t>(*n);
  }
  if (o.watches.empty())
    throw complaint("nothing to watch: name a variable, a function or an address (see watch --help)", bad_usage);
  if (dashes != end && o.command.empty()) throw complaint("no command after --", bad_usage);
  if (o.pid == 0 && o.command.empty())
    throw complaint("watch whom? give --pid PID, or -- and a command (see watch --help)", bad_usage);
  if (o.pid != 0 && !o.command.empty()) throw complaint("either --pid or a command, not both", bad_usage);
  return o;
}

}  // namespace watch
