// SPDX-License-Identifier: MIT
// examples/guest/layout.h — what the guest and the host agree on. Included by assembly, too.
#pragma once

// In the guest's data, in bytes.
#define GUEST_WORDS 0
#define GUEST_WORD_COUNT 8
#define GUEST_HITS 64  // by DR6 bit
#define GUEST_SEEN 96  // DR0-DR3, DR6, DR7 as it reads them at the end
#define GUEST_ROUNDS 3
