// SPDX-License-Identifier: MIT
// include/bookend/bookend.hpp — all of bookend but print.hpp and the layers: cover.hpp, group.hpp, shared.hpp.
#pragma once
#include <bookend/registration.hpp>
#include <bookend/slot_manager.hpp>
