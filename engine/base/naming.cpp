// SPDX-License-Identifier: Apache-2.0
// Under which function's name an error reaches the user.
#include "base/naming.h"

#include <fmt/format.h>

namespace pumice {

namespace {

[[noreturn]] void rename(Error& refusal, std::string_view op, std::string_view suffix) {
    const bool is_of_environment = std::string_view(refusal.where()).starts_with("PUMICE_");
    if (!is_of_environment) {
        refusal.set_where(fmt::format("{}{}", op, suffix));
    }
    throw;
}

}  // namespace

void rethrow_under(std::string_view op, std::string_view suffix) {
    try {
        throw;
    } catch (IndexError& error) {
        throw;  // of an earlier call
    } catch (ShapeError& error) {
        rename(error, op, suffix);
    } catch (DTypeError& error) {
        rename(error, op, suffix);
    } catch (ArgumentError& error) {
        rename(error, op, suffix);
    } catch (GradModeError& error) {
        rename(error, op, suffix);
    } catch (UnsupportedError& error) {
        rename(error, op, suffix);
    }
}

std::string listed(std::span<const Named> values) {
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const char* const join = i == 0 ? "" : (i + 1 < values.size() ? ", " : " and ");
        text += fmt::format("{}{} {}", join, values[i].name, values[i].text);
    }
    return text;
}

}  // namespace pumice
