// SPDX-License-Identifier: Apache-2.0
#include "graph/capture.h"

#include "pumice/error.h"

#include "dispatch/corridor.h"
#include "dispatch/state.h"
#include "vk/device.h"

#include <fmt/format.h>

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

// A tensor like the example, contiguous and without memory.
Tensor make_input(const Tensor& example) {
    const TensorImpl& like = impl_of(example);
    auto impl = IntrusivePtr<TensorImpl>::make();
    impl->storage = make_placeholder(static_cast<std::uint64_t>(like.numel * itemsize(like.dtype)));
    impl->sizes = like.sizes;
    impl->strides = contiguous_strides(like.sizes);
    impl->numel = like.numel;
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
    const auto [place, is_new] =
        value_of_.emplace(impl.storage.get(), static_cast<std::uint32_t>(graph_.values.size()));
    if (is_new) {
        Value& value = graph_.values.emplace_back();
        value.storage = impl.storage;
        if (impl.storage->is_placed()) {
            value.kind = ValueKind::kExternal;
            value.holder = impl.view ? impl.view->base
                                     : IntrusivePtr<TensorImpl>(const_cast<TensorImpl*>(&impl));
        }
    }
    return place->second;
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
    if (impl.version) {
        writes_.push_back({index, impl.version});
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

// What still has a handle now (a gradient, a state that the function made) outlives the function:
// it gets memory of its own, which replays write. G74: and each write counts.
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
    for (const Write& write : writes_) {
        if (graph_.values[write.value].kind == ValueKind::kExternal) {
            graph_.bumped.push_back(write.version);
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
    }
    if (dispatch::thread_state.autograd != before) {
        throw GradModeError("capture", "the function ended in another mode than it began in");
    }
    capture.add_outputs(outputs);
    capture.keep_escaped();
    return std::move(capture.graph_);
}

}  // namespace pumice::graph
