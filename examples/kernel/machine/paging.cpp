// SPDX-License-Identifier: MIT
// examples/kernel/machine/paging.cpp — see paging.hpp. Intel SDM vol. 3, "4-Level Paging and 5-Level Paging".
#include "paging.hpp"

#include "../kernel/panic.hpp"
#include "../kernel/spinlock.hpp"
#include "image.hpp"
#include "instructions.hpp"

namespace kernel {

namespace {

using entry = std::uint64_t;
constexpr entry present = 1, writable = 2, user = 4, uncached = 0x10, large = 0x80, no_execute = entry{1} << 63;
constexpr entry address_bits = 0x000f'ffff'ffff'f000;
constexpr unsigned entries = 512;

constexpr unsigned pool_pages = 1024;
[[gnu::section(".bss.pages")]] alignas(4096) char pool[pool_pages][page_bytes];
void* free_list;
unsigned never_used, free_count = pool_pages;
spinlock pool_lock;
entry* kernel_root;

unsigned index_at(std::uint64_t address, unsigned level) noexcept { return address >> (12 + 9 * (level - 1)) & (entries - 1); }
entry* table_at(entry e) noexcept { return reinterpret_cast<entry*>((e & address_bits) + KERNEL_BASE); }

/// The entry of level 1 (or 2 for a large page) for an address; tables on the way are made.
entry& entry_for(entry* table, std::uint64_t address, unsigned last_level, entry flags) noexcept {
  for (unsigned level = 4; level > last_level; --level) {
    entry& e = table[index_at(address, level)];
    if ((e & present) == 0) e = physical_of(new_page()) | present | writable | flags;
    table = table_at(e);
  }
  return table[index_at(address, last_level)];
}
void map_image(const char* first, const char* end, entry flags) noexcept {
  for (const char* p = first; p < end; p += page_bytes)
    entry_for(kernel_root, address_of(p), 1, 0) = physical_of(p) | present | flags;
}
void destroy_level(entry* table, unsigned level, unsigned count) noexcept {
  for (unsigned i = 0; i < count; ++i) {
    if ((table[i] & present) == 0) continue;
    if (level > 1) destroy_level(table_at(table[i]), level - 1, entries);
    free_page(table_at(table[i]));
  }
}

}  // namespace

void* new_page() noexcept {
  pool_lock.lock();
  void* page = free_list;
  if (page != nullptr) {
    free_list = *static_cast<void**>(page);
  } else {
    if (never_used == pool_pages) panic("no page left");
    page = pool[never_used++];
  }
  --free_count;
  pool_lock.unlock();
  __builtin_memset(page, 0, page_bytes);
  return page;
}
void free_page(void* page) noexcept {
  pool_lock.lock();
  *static_cast<void**>(page) = free_list;
  free_list = page;
  ++free_count;
  pool_lock.unlock();
}
unsigned free_pages() noexcept { return __atomic_load_n(&free_count, __ATOMIC_RELAXED); }

void start_paging() noexcept {
  kernel_root = static_cast<entry*>(new_page());
  map_image(image_start, rodata_start, 0);
  map_image(rodata_start, data_start, no_execute);
  map_image(data_start, image_end, writable | no_execute);
  // The first 4 GiB, for what is not in the image: tables of the firmware, the local APIC. Devices are in the last GiB.
  for (std::uint64_t at = 0; at < std::uint64_t{4} << 30; at += 2u << 20)
    entry_for(kernel_root, DIRECT_BASE + at, 2, 0) =
        at | present | writable | large | no_execute | (at >= std::uint64_t{3} << 30 ? uncached : 0);
  load_kernel_pages();
}
void load_kernel_pages() noexcept { write_cr3(kernel_cr3()); }
std::uint64_t kernel_cr3() noexcept { return physical_of(kernel_root); }

void address_space::create() noexcept {
  auto* root = static_cast<entry*>(new_page());
  for (unsigned i = entries / 2; i < entries; ++i) root[i] = kernel_root[i];
  root_ = physical_of(root);
}
void address_space::destroy() noexcept {
  entry* root = table_at(root_);
  destroy_level(root, 4, entries / 2);
  free_page(root);
  root_ = 0;
}
void* address_space::add_page(std::uint64_t address, may what) noexcept {
  void* page = new_page();
  const entry rights = what == may::write ? writable | no_execute : what == may::read ? no_execute : 0;
  entry_for(table_at(root_), address, 1, user) = physical_of(page) | present | user | rights;
  return page;
}
void* address_space::find(std::uint64_t address, bool writing) const noexcept {
  if (address >= user_end_address) return nullptr;
  const entry needed = present | user | (writing ? writable : 0);
  entry* table = table_at(root_);
  for (unsigned level = 4;; --level) {
    const entry e = table[index_at(address, level)];
    if ((e & needed) != needed) return nullptr;
    if (level == 1) return reinterpret_cast<char*>(table_at(e)) + address % page_bytes;
    table = table_at(e);
  }
}

}  // namespace kernel
