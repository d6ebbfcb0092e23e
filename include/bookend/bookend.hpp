// SPDX-License-Identifier: MIT
// include/bookend/bookend.hpp — all of bookend but print.hpp.
#pragma once
#include <bookend/registration.hpp>
#include <bookend/slot_manager.hpp>
