// SPDX-License-Identifier: MIT
// examples/kernel/machine/memory.cpp — the four functions that a compiler may ask for at any time.
#include <cstddef>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t bytes) {
  void* const result = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  return result;
}
void* memset(void* to, int value, std::size_t bytes) {
  void* const result = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
  return result;
}
void* memmove(void* to, const void* from, std::size_t bytes) {
  if (to <= from || static_cast<char*>(to) >= static_cast<const char*>(from) + bytes) return memcpy(to, from, bytes);
  void* last_to = static_cast<char*>(to) + bytes - 1;
  const void* last_from = static_cast<const char*>(from) + bytes - 1;
  asm volatile("std; rep movsb; cld" : "+D"(last_to), "+S"(last_from), "+c"(bytes) : : "memory", "cc");
  return to;
}
int memcmp(const void* a, const void* b, std::size_t bytes) {
  const auto* x = static_cast<const unsigned char*>(a);
  const auto* y = static_cast<const unsigned char*>(b);
  for (; bytes != 0; --bytes, ++x, ++y)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}
}
