// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/error.h"

#include "program.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace pumice::differential {

/// What the tester is for: something that should not have happened.
class Finding : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An input on the device, of a run, which counts from 0. A tracked one is a recorded copy of a
/// leaf, so that it may be written.
Tensor make_tensor(const Input& input, std::uint64_t run, bool is_tracked = false);

/// Runs a program call by call and holds each against the host's float64. What the device gave is
/// what the next reference reads, so that bounds are those of one operator.
class Machine {
public:
    /// Makes an input's tensor and array.
    void add(const Input& input);
    /// Calls the operator and compares. @throws Finding; pumice::Error that the operator threw,
    /// after which nothing has changed
    void run(const Step& step);
    /// Compares every value with what the host has, so that no call wrote past its target.
    void check_state() const;

    [[nodiscard]] bool has(std::size_t number) const {
        return number < values_.size() && values_[number].tensor.defined();
    }

    [[nodiscard]] const HostArray& array(std::size_t number) const { return values_[number].array; }

private:
    struct Value {
        Tensor tensor;
        HostArray array;
    };

    Value& at(std::size_t number);
    void keep_result(const Step& step, Tensor result, const std::vector<Flat>& flats);

    std::vector<Value> values_;
};

/// The name of an error's kind, "ShapeError".
std::string kind_of(const Error& error);
/// Of the kinds that a user's call may meet. @throws Finding for a defect of Pumice or a lost
/// device
void check_legal(const Error& error);

}  // namespace pumice::differential
