// SPDX-License-Identifier: Apache-2.0
// What AutogradContext keeps by name: conversions, and errors for a value of another kind.
#include "pumice/ivalue.h"

#include "pumice/error.h"

#include <fmt/format.h>

#include <array>

namespace pumice {

template <class T>
const T& IValue::as(const char* wanted) const {
    static constexpr std::array<const char*, 7> kNames = {
        "None", "bool", "int", "double", "string", "Tensor", "pointer"};
    const T* value = std::get_if<T>(&value_);
    if (value == nullptr) {
        throw ArgumentError("IValue",
                            fmt::format("got {}, wanted {}", kNames[value_.index()], wanted));
    }
    return *value;
}

bool IValue::toBool() const {
    return as<bool>("bool");
}

std::int64_t IValue::toInt() const {
    return as<std::int64_t>("int");
}

double IValue::toDouble() const {
    return as<double>("double");
}

const std::string& IValue::toStringRef() const {
    return as<std::string>("string");
}

const Tensor& IValue::toTensor() const {
    return as<Tensor>("Tensor");
}

const std::shared_ptr<void>& IValue::toPointer() const {
    return as<std::shared_ptr<void>>("pointer");
}

}  // namespace pumice
