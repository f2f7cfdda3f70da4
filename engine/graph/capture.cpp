// SPDX-License-Identifier: Apache-2.0
// What a captured function's calls become: values, nodes, holders.
#include "graph/capture.h"

#include "pumice/error.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/state.h"
#include "graph/argument.h"
#include "ops/copying.h"
#include "vk/device.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pumice::graph {

namespace {

// This flow's operators go to the capture for its lifetime.
class CaptureScope {
public:
    explicit CaptureScope(dispatch::Capturer& capturer) noexcept {
        dispatch::thread_state.capturer = &capturer;
    }

    CaptureScope(const CaptureScope&) = delete;
    CaptureScope& operator=(const CaptureScope&) = delete;
    CaptureScope(CaptureScope&&) = delete;
    CaptureScope& operator=(CaptureScope&&) = delete;

    ~CaptureScope() { dispatch::thread_state.capturer = nullptr; }
};

// A tensor like the example, without memory.
Tensor make_input(const Tensor& example) {
    const TensorImpl& like = impl_of(example);
    auto impl = IntrusivePtr<TensorImpl>::make();
    impl->sizes = like.sizes;
    impl->strides = placeholder_strides(like);
    impl->numel = like.numel;
    impl->is_contiguous = strides_are_contiguous(impl->sizes, impl->strides);
    impl->storage = make_placeholder(static_cast<std::uint64_t>(
        hull_elements(impl->sizes, impl->strides) * itemsize(like.dtype)));
    impl->dtype = like.dtype;
    impl->is_inference = like.is_inference;
    if (!like.is_inference) {
        impl->version = IntrusivePtr<VersionCounter>::make();
    }
    Tensor input{IntrusivePtr<RefCounted>(std::move(impl))};
    if (like.tracks_grad()) {
        input.set_requires_grad(true);
    }
    return input;
}

}  // namespace

std::uint32_t Capture::value_of(const TensorImpl& impl) {
    const auto [entry, is_new] =
        value_of_.emplace(impl.storage.get(), static_cast<std::uint32_t>(graph_.values.size()));
    if (is_new) {
        Value& value = graph_.values.emplace_back();
        value.storage = impl.storage;
        if (impl.storage->is_placed()) {
            value.kind = ValueKind::kExternal;
        }
    }
    Value& value = graph_.values[entry->second];
    if (value.kind == ValueKind::kExternal) {
        note_holder(value, impl);
    }
    return entry->second;
}

// Several tensors may share a storage: a parameter and what detach() made of it.
void Capture::note_holder(Value& value, const TensorImpl& impl) {
    IntrusivePtr<TensorImpl> holder =
        impl.view ? impl.view->base : IntrusivePtr<TensorImpl>(const_cast<TensorImpl*>(&impl));
    const bool is_new =
        std::none_of(value.holders.begin(), value.holders.end(), [&holder](const Holder& each) {
            return each.tensor.get() == holder.get();
        });
    if (is_new) {
        graph_.gradients.see(holder);
        value.holders.push_back({.tensor = std::move(holder)});
    }
}

bool Capture::uses(const Tensor& tensor) const {
    return value_of_.contains(impl_of(tensor).storage.get());
}

void Capture::note_grad_set(const Tensor& tensor) {
    graph_.gradients.note_set(IntrusivePtr(static_cast<TensorImpl*>(tensor.impl())),
                              [this](const Tensor& grad) { return uses(grad); });
}

TensorRef Capture::ref_of(const Tensor& tensor) {
    if (!tensor.defined()) {
        return {};
    }
    const TensorImpl& impl = impl_of(tensor);
    return {.value = value_of(impl),
            .sizes = impl.sizes,
            .strides = impl.strides,
            .offset = impl.offset,
            .dtype = impl.dtype};
}

void Capture::check(const dispatch::OpCall& call) {
    if (dispatch::thread_state.autograd.inference != state_.inference) {
        throw GradModeError(
            call.def.where(),
            fmt::format("a captured function stays in one mode: the capture began {} inference "
                        "mode, and this operator is {} it",
                        state_.inference ? "in" : "outside of",
                        state_.inference ? "outside of" : "in"));
    }
    for (const Tensor& input : call.inputs) {
        if (input.defined() && impl_of(input).storage->is_overwritten()) {
            dispatch::check_placed(call.def.where(), input);
        }
    }
}

void Capture::note_write(std::string_view op, const TensorImpl& impl, std::uint32_t index) {
    Value& value = graph_.values[index];
    if (value.kind == ValueKind::kInput) {
        throw UnsupportedError(
            op,
            "a captured function does not write its arguments, of which a replay has copies; write "
            "a clone and return it, or let the function own the tensor");
    }
    ++value.write_count;
    if (impl.version && written_.insert(impl.version.get()).second) {
        writes_.push_back({index, impl.version, impl.version->value()});
    }
}

void Capture::append(const dispatch::OpCall& call, std::span<const Tensor> outputs) {
    Node node;
    node.def = &call.def;
    for (const Tensor& input : call.inputs) {
        node.inputs.push_back(ref_of(input));
    }
    for (const Tensor& output : outputs) {
        const TensorRef& ref = node.outputs.emplace_back(ref_of(output));
        note_write(call.def.where(), impl_of(output), ref.value);
    }
    set_attrs(node, call.attrs);
    graph_.nodes.push_back(std::move(node));
    graph_.may_record = graph_.may_record || dispatch::thread_state.autograd.grad;
}

std::vector<Tensor> Capture::add_inputs(std::span<const Tensor> examples) {
    std::vector<Tensor> inputs;
    for (const Tensor& example : examples) {
        checked_impl(example, "capture");
        inputs.push_back(make_input(example));
        graph_.inputs.push_back(ref_of(inputs.back()));
        graph_.values.back().kind = ValueKind::kInput;
    }
    return inputs;
}

void Capture::add_outputs(std::vector<Tensor>& outputs) {
    for (const Tensor& output : outputs) {
        checked_impl(output, "capture");
        graph_.outputs.push_back(ref_of(output));
    }
    outputs.clear();
}

namespace {

bool has_value(const std::vector<TensorRef>& refs, std::uint32_t value) {
    return std::any_of(
        refs.begin(), refs.end(), [value](const TensorRef& ref) { return ref.value == value; });
}

// Whether the program can reach the value's memory, or a plan's host state can.
bool is_reachable(const Value& value) {
    std::uint32_t known = 1;  // the value's own
    bool is_held = false;
    for (const Holder& holder : value.holders) {
        known += holder.tensor->storage == value.storage ? 1 : 0;
        is_held = is_held || holder.tensor->use_count() > 1;
    }
    return is_held || value.storage->use_count() > known;
}

void rename(std::vector<TensorRef>& refs, std::uint32_t from, std::uint32_t to) {
    for (TensorRef& ref : refs) {
        ref.value = ref.value == from ? to : ref.value;
    }
}

// The value's elements in one row.
TensorRef flat_ref(const Value& value, std::uint32_t index) {
    const DType dtype = value.holders.front().tensor->dtype;
    return {.value = index,
            .sizes = {static_cast<std::int64_t>(value.storage->size_bytes()) / itemsize(dtype)},
            .strides = {1},
            .offset = 0,
            .dtype = dtype};
}

}  // namespace

// What still has a handle now (a gradient, a state that the function made) outlives the function:
// it gets memory of its own, which replays write.
void Capture::keep_escaped() {
    for (Value& value : graph_.values) {
        if (value.kind == ValueKind::kPlanned && value.storage->use_count() > 1) {
            const vk::Binding& range = value.storage->allocation().range;
            value.storage->move_to(
                memory::allocator().allocate(range.size_bytes, memory::StorageClass::kPersistent));
            vk::device().queue().fill(value.storage->allocation().range, 0);
            value.kind = ValueKind::kExternal;
        }
    }
}

// A tensor that was uploaded or made under PersistentAllocGuard, is written and then lost is made
// anew by each call of the function: replays write a copy of it.
void Capture::renew_constants() {
    for (std::uint32_t old = 0; old < graph_.values.size(); ++old) {
        const Value& value = graph_.values[old];
        if (value.kind != ValueKind::kExternal || value.write_count == 0 || value.holders.empty() ||
            is_reachable(value)) {
            continue;
        }
        const auto copy = static_cast<std::uint32_t>(graph_.values.size());
        Node node;
        node.def = &ops::kCopyOfValue;
        node.inputs = {flat_ref(value, old)};
        node.outputs = {flat_ref(value, copy)};
        const auto first =
            std::find_if(graph_.nodes.begin(), graph_.nodes.end(), [old](const Node& each) {
                return has_value(each.inputs, old) || has_value(each.outputs, old);
            });
        for (auto each = first; each != graph_.nodes.end(); ++each) {
            rename(each->inputs, old, copy);
            rename(each->outputs, old, copy);
        }
        rename(graph_.outputs, old, copy);
        graph_.nodes.insert(first, std::move(node));
        Value fresh{.kind = ValueKind::kPlanned,
                    .storage = make_placeholder(value.storage->size_bytes()),
                    .holders = {},
                    .write_count = value.write_count + 1};
        Value& constant = graph_.values[old];
        constant.kind = ValueKind::kConstant;
        constant.holders.clear();
        constant.write_count = 0;
        graph_.values.push_back(std::move(fresh));
    }
}

// G74: each write counts, at the replay. To make what escapes is a write as well, as a replay does
// it again.
void Capture::count_writes() {
    for (const Write& write : writes_) {
        const std::uint32_t count = write.version->value() - write.before;
        const Value& value = graph_.values[write.value];
        if (value.kind == ValueKind::kExternal) {
            const std::uint32_t makings = value.holders.empty() ? 1 : 0;
            graph_.bumped.push_back({write.version, count + makings});
        }
    }
}

void Capture::note_flags() {
    for (Value& value : graph_.values) {
        for (Holder& holder : value.holders) {
            holder.requires_grad = holder.tensor->requires_grad;
        }
    }
}

Capture::~Capture() {
    graph_.gradients.undo();
    for (const Write& write : writes_) {
        write.version->take_back(write.version->value() - write.before);
    }
}

// A replay has copies of its arguments, so a gradient would not reach the caller.
void Capture::check_inputs(std::span<const Tensor> inputs) {
    for (const Tensor& input : inputs) {
        if (input.grad().defined()) {
            throw UnsupportedError(
                "capture",
                fmt::format("a captured function leaves no gradient in its arguments, here {}; "
                            "take it with autograd::grad and return it",
                            describe(input)));
        }
    }
}

Graph Capture::run(const Function& fn, std::span<const Tensor> examples) {
    if (dispatch::thread_state.capturer != nullptr) {
        throw ArgumentError("capture", "a capture is running on this thread already");
    }
    const AutogradState before = dispatch::thread_state.autograd;
    Capture capture(before);
    std::vector<Tensor> outputs;
    {
        std::vector<Tensor> inputs = capture.add_inputs(examples);
        const CaptureScope scope(capture);
        outputs = fn(inputs);
        check_inputs(inputs);
    }
    if (dispatch::thread_state.autograd != before) {
        throw GradModeError("capture", "the function ended in another mode than it began in");
    }
    capture.add_outputs(outputs);
    capture.graph_.gradients.finish([&](const Tensor& grad) { return capture.uses(grad); });
    capture.keep_escaped();
    capture.renew_constants();
    capture.count_writes();
    capture.note_flags();
    return std::move(capture.graph_);
}

}  // namespace pumice::graph
