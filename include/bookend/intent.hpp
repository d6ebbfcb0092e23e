// SPDX-License-Identifier: MIT
// include/bookend/intent.hpp — what all CPUs of a kernel breakpoint shall have: written by one, read in any context meanwhile.
#pragma once
#include <bookend/builtin.hpp>
#include <type_traits>

namespace bookend {

/// Later than, for generations, which wrap: right while fewer than 2^30 changes lie between the two.
constexpr bool later(std::uint32_t a, std::uint32_t b) noexcept { return static_cast<std::int32_t>(a - b) > 0; }

/// The last change and what led to it, so that a CPU that has missed some needs only the last. A change is numbered by its
/// generation, which is even; while one is being written it is odd, and a reader comes again. It outlives a registration.
/// tests/models/post.pml: write, try_read.
template <class Setting>
class intent {
  static_assert(std::is_trivially_copyable_v<Setting>);
  static constexpr unsigned word_count = (sizeof(Setting) + 7) / 8;

 public:
  struct value {
    Setting setting{};
    bool on = false;
    std::uint32_t generation = 0;  ///< of the last change
    std::uint32_t aimed = 0;       ///< of the change that brought `setting`
    std::uint32_t turned = 0;      ///< of the change that brought `on`
  };

  /// The number of the next change. Whoever may write.
  [[nodiscard]] constexpr std::uint32_t next() const noexcept { return generation_ + 2; }

  /// What was written last. Whoever may write.
  [[nodiscard]] value read() const noexcept {
    value v;
    (void)try_read(v);
    return v;
  }
  /// The same in any context; false while it is being written.
  [[nodiscard]] bool try_read(value& v) const noexcept {
    v.generation = detail::load_acquire(generation_);  // with the last store of write(): that change's image, or a later one
    std::uint64_t words[word_count];
    for (unsigned i = 0; i < word_count; ++i) words[i] = detail::load_relaxed(words_[i]);
    v.aimed = detail::load_relaxed(aimed_);
    v.turned = detail::load_relaxed(turned_);
    v.on = detail::load_relaxed(on_) != 0;
    __builtin_memcpy(&v.setting, words, sizeof v.setting);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);  // the loads above stay above the second look
    return v.generation % 2 == 0 && detail::load_relaxed(generation_) == v.generation;
  }

  // One writer at a time. The generation is next() as it was before; each returns it.

  std::uint32_t aim(const Setting& to) noexcept {
    return write([&](std::uint32_t g) { put(to, g); });
  }
  std::uint32_t turn(bool on) noexcept {
    return write([&](std::uint32_t g) { put(on, g); });
  }
  std::uint32_t start(const Setting& to, bool on) noexcept {
    return write([&](std::uint32_t g) { put(to, g), put(on, g); });
  }
  /// Uses a generation up.
  std::uint32_t skip() noexcept {
    return write([](std::uint32_t) {});
  }

 private:
  template <class Change>
  std::uint32_t write(Change change) noexcept {
    const std::uint32_t done = next();
    detail::store_relaxed(generation_, done - 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);  // whoever sees a store below sees the odd number
    change(done);
    stay_behind(aimed_, done);
    stay_behind(turned_, done);
    detail::store_release(generation_, done);  // whoever sees the number sees the image: try_read()
    return done;
  }
  /// What is very old must not be taken for something later when the numbers have wrapped.
  static void stay_behind(std::uint32_t& old, std::uint32_t done) noexcept {
    constexpr std::uint32_t far = std::uint32_t{1} << 30;
    if (done - old > far) detail::store_relaxed(old, done - far);
  }
  void put(const Setting& to, std::uint32_t g) noexcept {
    std::uint64_t words[word_count]{};
    __builtin_memcpy(words, &to, sizeof to);
    for (unsigned i = 0; i < word_count; ++i) detail::store_relaxed(words_[i], words[i]);
    detail::store_relaxed(aimed_, g);
  }
  void put(bool on, std::uint32_t g) noexcept {
    detail::store_relaxed(on_, static_cast<std::uint8_t>(on));
    detail::store_relaxed(turned_, g);
  }

  std::uint64_t words_[word_count]{};
  std::uint32_t generation_ = 0;
  std::uint32_t aimed_ = 0;
  std::uint32_t turned_ = 0;
  std::uint8_t on_ = 0;
};

}  // namespace bookend
