// SPDX-License-Identifier: MIT
// tests/intent_test.cpp — mirrors include/bookend/intent.hpp: one case a promise made there.
#include <bookend/intent.hpp>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using bookend::later;

/// Not a whole number of words.
struct setting {
  std::uint64_t address;
  std::uint32_t length;
  std::uint8_t kind;
  friend bool operator==(const setting&, const setting&) = default;
};
using intent = bookend::intent<setting>;
constexpr setting first{0x1000, 8, 1}, second{0x2000, 4, 2};

/// The three numbers of an intent whose setting is one word.
struct mirror {
  std::uint64_t word;
  std::uint32_t generation, aimed, turned;
  std::uint8_t on;
};
using small = bookend::intent<std::uint64_t>;
static_assert(sizeof(mirror) == sizeof(small) && std::is_standard_layout_v<small>);
/// As after some 2^31 changes that nobody has the time for.
void renumber(small& of, std::uint32_t generation, std::uint32_t aimed, std::uint32_t turned) {
  mirror m;
  std::memcpy(&m, static_cast<void*>(&of), sizeof m);
  m.generation = generation, m.aimed = aimed, m.turned = turned;
  std::memcpy(static_cast<void*>(&of), &m, sizeof m);
}

TEST_CASE("later compares as on a ring: right for fewer than 2^30 changes, over the wrap, too; nothing is later than itself") {
  CHECK(later(2, 0));
  CHECK_FALSE(later(0, 2));
  CHECK_FALSE(later(4, 4));
  CHECK(later(0, 0xffff'fffe));
  CHECK_FALSE(later(0xffff'fffe, 0));
  CHECK(later(0x7fff'fffe, 0));
  CHECK(later(0x1000'0000, 0x9000'0002));
  CHECK_FALSE(later(0x9000'0002, 0x1000'0000));
}

TEST_CASE("a new one is off, of generation 0, and can be read") {
  intent i;
  intent::value v;
  CHECK(i.try_read(v));
  CHECK_FALSE(v.on);
  CHECK(v.generation == 0);
  CHECK(v.setting == setting{});
}

TEST_CASE("each change has the next even number, which next() tells before and the change returns") {
  intent i;
  for (unsigned n = 1; n <= 4; ++n) {
    const auto promised = i.next();
    CHECK(promised == 8 * n - 6);
    CHECK(i.start(first, true) == promised);
    CHECK(i.aim(second) == promised + 2);
    CHECK(i.turn(false) == promised + 4);
    CHECK(i.skip() == promised + 6);
    CHECK(i.read().generation == promised + 6);
  }
}

TEST_CASE("it is cumulative: the last image has every change, and who missed some sees which part is newer than what it has") {
  intent i;
  const auto started = i.start(first, true);
  auto v = i.read();
  CHECK(v.setting == first);
  CHECK(v.on);
  CHECK(v.aimed == started);
  CHECK(v.turned == started);

  const auto aimed = i.aim(second);
  v = i.read();
  CHECK(v.setting == second);
  CHECK(v.on);
  CHECK(v.aimed == aimed);
  CHECK(v.turned == started);

  const auto turned = i.turn(false);
  v = i.read();
  CHECK(v.setting == second);
  CHECK_FALSE(v.on);
  CHECK(v.generation == turned);
  CHECK(v.aimed == aimed);
  CHECK(v.turned == turned);

  const auto skipped = i.skip();
  v = i.read();
  CHECK(v.setting == second);
  CHECK(v.generation == skipped);
  CHECK(v.aimed == aimed);
  CHECK(v.turned == turned);
  // One that has the start takes both over; one that has the aim takes only the turn.
  CHECK((later(v.aimed, started) && later(v.turned, started)));
  CHECK((!later(v.aimed, aimed) && later(v.turned, aimed)));
}

TEST_CASE("read() and try_read() agree when nobody writes") {
  intent i;
  i.start(first, true);
  i.aim(second);
  intent::value v;
  REQUIRE(i.try_read(v));
  const auto r = i.read();
  CHECK(v.setting == r.setting);
  CHECK(v.on == r.on);
  CHECK(v.generation == r.generation);
  CHECK(v.aimed == r.aimed);
  CHECK(v.turned == r.turned);
}

TEST_CASE("one that is being written, odd, is not read; before and after it is") {
  small i;
  i.start(7, true);
  small::value v;
  CHECK(i.try_read(v));
  const auto was = v;
  renumber(i, was.generation + 1, was.aimed, was.turned);
  CHECK_FALSE(i.try_read(v));
  renumber(i, was.generation, was.aimed, was.turned);
  CHECK(i.try_read(v));
}

TEST_CASE("the numbers wrap: what comes after the wrap is later than what came before") {
  small i;
  i.start(1, false);
  renumber(i, 0xffff'fffa, 0xffff'fff0, 0xffff'fff0);
  std::uint32_t last = i.read().generation;
  for (unsigned n = 0; n < 6; ++n) {
    const std::uint32_t g = n % 2 == 0 ? i.aim(n) : i.turn(n % 4 == 1);
    CHECK(g % 2 == 0);
    CHECK(later(g, last));
    CHECK(later(g, 0xffff'fff0));
    const auto v = i.read();
    CHECK(v.generation == g);
    CHECK((n % 2 == 0 ? v.aimed : v.turned) == g);
    last = g;
  }
}

TEST_CASE("the part that has not changed for very long is never taken for the newer one") {
  for (bool only_turned : {true, false}) {
    small i;
    i.start(1, true);
    // The other part is 2^27 changes old, and so on beyond 2^30: on the ring that would be later than what everybody has.
    for (unsigned n = 0; n < 40; ++n) {
      const auto before = i.read();
      renumber(i, before.generation + 0x0800'0000, before.aimed, before.turned);
      const std::uint32_t g = only_turned ? i.turn(true) : i.aim(n);
      const auto v = i.read();
      CHECK((only_turned ? v.turned : v.aimed) == g);
      const std::uint32_t old = only_turned ? v.aimed : v.turned;
      CHECK(later(g, old));
      CHECK_FALSE(later(old, g - 2));  // who has the change before does not take it over again
      CHECK(old % 2 == 0);
    }
  }
}

TEST_CASE("readers beside a writer see whole changes only, never an older one after a newer one") {
  // As wide as it takes for a reader to be overtaken now and then, also where threads share a CPU.
  struct wide {
    std::uint64_t words[64];
    bool operator==(const wide&) const = default;
  };
  bookend::intent<wide> i;
  std::atomic<bool> stop = false;
  std::atomic<unsigned> wrong = 0, seen = 0, missed = 0;
  // The image is a function of its number: a mixture shows.
  const auto of = [](std::uint32_t g) {
    wide w{};
    for (auto& word : w.words) word = g;
    return w;
  };
  std::vector<std::thread> readers;
  for (int n = 0; n < 2; ++n)
    readers.emplace_back([&] {
      std::uint32_t last = 0;
      while (!stop) {
        bookend::intent<wide>::value v;
        if (!i.try_read(v)) {
          ++missed;
          continue;
        }
        if (v.generation % 2 != 0 || later(last, v.generation)) ++wrong;
        if (later(v.aimed, v.generation) || later(v.turned, v.generation)) ++wrong;
        if (v.aimed != 0 && !(v.setting == of(v.aimed))) ++wrong;
        if (v.on != ((v.turned >> 1) % 2 != 0)) ++wrong;
        last = v.generation;
        ++seen;
      }
    });
  // Until they have met often enough, where there are CPUs for it.
  for (unsigned n = 0; n < 1'000'000 || seen < 20'000 || (missed < 20'000 && n < 5'000'000); ++n) {
    const std::uint32_t g = i.next();
    const bool on = (g >> 1) % 2 != 0;
    switch (n % 4) {
      case 0:
        i.aim(of(g));
        break;
      case 1:
        i.turn(on);
        break;
      case 2:
        i.start(of(g), on);
        break;
      default:
        i.skip();
        break;
    }
  }
  stop = true;
  for (auto& r : readers) r.join();
  CHECK(wrong == 0);
}

}  // namespace
