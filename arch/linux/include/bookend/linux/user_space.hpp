// SPDX-License-Identifier: MIT
// arch/linux/include/bookend/linux/user_space.hpp — the x86 backend where Linux lets a program watch: user addresses only.
#pragma once
#if !defined(__linux__) || !defined(__x86_64__)
#error "Linux on x86-64; elsewhere put arch/mock/include on the include path"
#endif
#include <bookend/x86/backend.hpp>

namespace bookend::lnx {

/// One past the last byte that the kernel takes a watch on, with four-level paging: it keeps the last user page to itself. With
/// five levels programs may map memory beyond, but only if they ask for it by address; that is refused here.
inline constexpr std::uint64_t user_end = 0x7fff'ffff'f000;

/// bookend::backend over a register file of this kernel, which checks each value once more. Its encode() refuses, as unsupported,
/// what the kernel would refuse: addresses that are not user addresses. So what was encoded can be written.
template <x86::register_file R>
struct user_space : x86::backend<R> {
  static constexpr result<x86::setting> encode(const request& r) noexcept {
    const auto encoded = x86::backend<R>::encode(r);
    if (encoded && r.bytes().last() >= user_end) return reason::unsupported;
    return encoded;
  }
};

}  // namespace bookend::lnx
