// SPDX-License-Identifier: Apache-2.0
// How a function becomes a plan: the phases, in their order. Each is a function of its own file,
// and those that options name may be left out.
#include "pumice/error.h"

#include "graph/capture.h"
#include "graph/fusion.h"
#include "graph/passes.h"
#include "graph/plan_impl.h"
#include "graph/recognise.h"
#include "graph/runtime_kernels.h"
#include "ops/all_ops.h"
#include "vk/device.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace pumice::detail {

namespace {

// The calls, changed so that fewer do the same.
void simplify(graph::Graph& graph, const CaptureOptions& options) {
    if (options.eliminate_dead_code) {
        eliminate_dead_code(graph);
    }
    if (options.fold_constants) {
        fold_constants(graph);
    }
    if (options.eliminate_common_subexpressions) {
        eliminate_common_subexpressions(graph);
    }
    if (options.recognise_attention) {
        recognise(graph, ops::all_ops());
    }
}

std::vector<graph::Argument> arguments_of(std::span<const Tensor> examples) {
    std::vector<graph::Argument> arguments;
    for (const Tensor& example : examples) {
        arguments.push_back(graph::argument_of(example));
    }
    return arguments;
}

}  // namespace

void refuse_count(std::size_t count) {
    throw ArgumentError(
        "capture",
        fmt::format("the function does not take {} tensors, the number of examples", count));
}

Plan capture(const CaptureFunction& fn,
             std::span<const Tensor> examples,
             const CaptureOptions& options) {
    const GradModeKind mode = current_grad_mode();
    const vk::Capabilities& caps = vk::device().capabilities();
    graph::Graph graph = graph::Capture::run(fn, examples);
    simplify(graph, options);
    if (options.fuse_elementwise) {
        fuse_maps(graph, caps, options.fuse_into_kernels);
    }
    release_unused_values(graph);
    graph::Lowered lowered = lower(graph, caps);
    graph::PlacedGraph placed =
        place_values(std::move(graph), std::move(lowered), options.plan_time_limit_s);
    placed.runtime_kernels = graph::make_runtime_kernels(placed.lowered.kernels);
    return Plan(std::make_shared<Plan::Impl>(
        std::move(placed), arguments_of(examples), mode, options.alias_outputs));
}

}  // namespace pumice::detail
