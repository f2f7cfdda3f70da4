// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/error.h"

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace pumice {

/// Note [Names in errors]:
/// An error names the public function that the user called. What one operator refuses carries its
/// OpDef's public name. A function that is made of others, or that is another form of one (`_` and
/// `_out`), runs under its own name: the outermost one renames last. What is no refusal (a lost
/// device, memory that ran out, a file, a defect), an IndexError, which belongs to an earlier call,
/// and what an environment variable says (the first call makes the device) keep the name that they
/// have.

/// In the handler of such a function: throws the exception again, a refusal under the name of `op`
/// and `suffix`.
[[noreturn]] void rethrow_under(std::string_view op, std::string_view suffix = {});

/// An operand or attribute, as an error tells what it got.
struct Named {
    std::string_view name;
    std::string text;
};

/// "a 1, b 2 and c 3": errors that tell of several values say which is which.
std::string listed(std::span<const Named> values);

inline std::string listed(std::initializer_list<Named> values) {
    return listed(std::span(values.begin(), values.size()));
}

}  // namespace pumice
