// SPDX-License-Identifier: MIT
// examples/kernel/machine/apic.hpp — this CPU's local APIC, by memory (xAPIC). Intel SDM vol. 3, "Advanced Programmable Interrupt
// Controller (APIC)".
#pragma once
#include <cstdint>

namespace kernel {

/// Once: the two 8259 of the first PC send nothing, and not on an exception's vector.
void silence_old_controllers() noexcept;
/// On each CPU, before its first interrupt.
void start_apic() noexcept;
/// Ticks from now on. How long a tick is does not matter to anybody here, so it is not calibrated: about 2 ms under QEMU.
void start_timer(std::uint32_t times_as_often = 1) noexcept;
void stop_timer() noexcept;
/// Every interrupt's handler but the spurious one's, before it does anything that may not come back.
void end_of_interrupt() noexcept;
[[nodiscard]] std::uint32_t own_apic_id() noexcept;

// Any context, #DB and NMI included: what an interrupted sender has half written is put back.
void send_interrupt(std::uint32_t apic_id, std::uint8_t vector) noexcept;
void send_nmi(std::uint32_t apic_id) noexcept;
void send_init(std::uint32_t apic_id) noexcept;
void send_startup(std::uint32_t apic_id, std::uint32_t physical_page) noexcept;

}  // namespace kernel
