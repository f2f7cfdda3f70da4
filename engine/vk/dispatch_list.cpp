// SPDX-License-Identifier: Apache-2.0
// Dispatches that outlive what they point to.
#include "vk/dispatch_list.h"

namespace pumice::vk {

namespace {

/// Makes room for the field of all dispatches, so that copies stay where they are.
template <class T>
void reserve_all(std::vector<T>& copies,
                 std::span<const Dispatch> dispatches,
                 std::span<const T> Dispatch::*field) {
    std::size_t count = 0;
    for (const Dispatch& dispatch : dispatches) {
        count += (dispatch.*field).size();
    }
    copies.reserve(count);
}

template <class T>
void copy_field(std::vector<T>& copies, std::span<const T>& field) {
    const std::size_t first = copies.size();
    copies.insert(copies.end(), field.begin(), field.end());
    field = std::span<const T>(copies).subspan(first);
}

}  // namespace

DispatchList::DispatchList(std::span<const Dispatch> dispatches)
    : calls_(dispatches.begin(), dispatches.end()) {
    reserve_all(spec_, dispatches, &Dispatch::spec);
    reserve_all(bindings_, dispatches, &Dispatch::bindings);
    reserve_all(push_, dispatches, &Dispatch::push);
    for (Dispatch& call : calls_) {
        copy_field(spec_, call.spec);
        copy_field(bindings_, call.bindings);
        copy_field(push_, call.push);
    }
}

}  // namespace pumice::vk
