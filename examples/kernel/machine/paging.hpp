// SPDX-License-Identifier: MIT
// examples/kernel/machine/paging.hpp — page tables: the kernel's, and one a process, whose upper half is the kernel's.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kernel {

inline constexpr std::uint64_t page_bytes = 4096;
inline constexpr std::uint64_t user_end_address = 0x8000'0000'0000;  ///< the first address that is not canonical

enum class may : std::uint8_t { read, write, execute };

/// Once, on the first CPU: text is executable, data is not, nothing is ring 3's. Loads it.
void start_paging() noexcept;
/// On the other CPUs.
void load_kernel_pages() noexcept;
[[nodiscard]] std::uint64_t kernel_cr3() noexcept;

/// A zeroed page, from a pool in the kernel's image. Thread context. Panics when there is none left.
[[nodiscard]] void* new_page() noexcept;
void free_page(void* page) noexcept;
[[nodiscard]] unsigned free_pages() noexcept;

/// The lower half of a process. Not while it runs, but for copy and find.
class address_space {
 public:
  /// An empty one.
  void create() noexcept;
  /// Gives back every page. No CPU may have it loaded.
  void destroy() noexcept;
  /// A new, zeroed page at a user address; returns where the kernel may fill it.
  void* add_page(std::uint64_t address, may what) noexcept;
  /// Where the kernel sees this user byte; null if ring 3 may not read (write) it.
  [[nodiscard]] void* find(std::uint64_t address, bool writing) const noexcept;
  [[nodiscard]] std::uint64_t cr3() const noexcept { return root_; }

 private:
  std::uint64_t root_ = 0;  // physical
};

}  // namespace kernel
