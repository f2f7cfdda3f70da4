// SPDX-License-Identifier: Apache-2.0
// Which recorded calls become nodes, and how their outputs learn of it.
#include "autograd/tape.h"

#include "autograd/copy_slices.h"
#include "autograd/meta.h"
#include "autograd/op_node.h"

#include <utility>

namespace pumice::autograd {

namespace {

// The node between prepare and commit of the call that this thread is in. A plain pointer with one
// owner count: no thread-exit hook on the hot path. No call nests between the two.
[[gnu::tls_model("initial-exec")]] thread_local constinit OpNode* pending = nullptr;

IntrusivePtr<OpNode> take_pending() noexcept {
    return IntrusivePtr<OpNode>::adopt(std::exchange(pending, nullptr));
}

}  // namespace

void Tape::prepare(const dispatch::OpCall& call,
                   const dispatch::CallTraits& traits,
                   const dispatch::Decision& /*decision*/) {
    const bool is_in_place = traits.form == dispatch::Form::kInPlace;
    auto* node = new OpNode(call, is_in_place);
    node->retain();
    pending = node;
}

void Tape::commit(const dispatch::OpCall& /*call*/,
                  const dispatch::CallTraits& traits,
                  const dispatch::Decision& /*decision*/,
                  std::span<const Tensor> outputs) {
    const IntrusivePtr<OpNode> node = take_pending();
    node->save_outputs(outputs);
    if (traits.form == dispatch::Form::kInPlace && traits.target_is_view) {
        rebase_through_view(outputs[0], node, 0);
    } else {
        for (std::size_t i = 0; i < outputs.size(); ++i) {
            if (outputs[i].is_floating_point()) {
                attach_history(outputs[i], node, i);
            }
        }
    }
    // Last, because a hook may throw: the call is then whole, but for its caller.
    node->pack_outputs();
}

void Tape::abandon() noexcept {
    if (pending != nullptr) {
        take_pending();
    }
}

void start_tape() noexcept {
    static Tape the_tape;
    dispatch::set_tape(&the_tape);
}

}  // namespace pumice::autograd
