// SPDX-License-Identifier: Apache-2.0
// rand, randn, randint.
#include "pumice/error.h"
#include "pumice/ops.h"

#include "base/naming.h"
#include "dispatch/corridor.h"
#include "dispatch/generator.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "ops/all_ops.h"
#include "ops/factory/factory.h"
#include "vk/kernels/factory_random.h"

#include <fmt/format.h>

#include <array>
#include <limits>

namespace pumice::ops {

using dispatch::Inferred;
using dispatch::OpCall;
using dispatch::OpDef;
using dispatch::Program;
using dispatch::Step;

namespace {

struct RandomAttrs {
    Dims sizes;
    DType dtype = kFloat32;
    GeneratorState state = {};  ///< of the first block
    std::int32_t low = 0;       ///< randint only
    std::uint32_t range = 0;    ///< randint only; 0 stands for 2^32
};

void check_random(std::string_view op, const Dims& sizes, DType dtype) {
    check_new_sizes(op, sizes);
    check_device_dtype(op, dtype);
    if (!is_floating_point(dtype)) {
        throw DTypeError(op, fmt::format("dtype must be floating; got {}", to_string(dtype)));
    }
}

void infer_random(const OpCall& call, Inferred& inferred) {
    const auto& attrs = call.attrs_as<RandomAttrs>();
    inferred.emplace_back(dispatch::contiguous_meta(attrs.sizes, attrs.dtype));
}

template <vk::RandomKind kKind>
void select_random(const OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   Program& program) {
    const auto& attrs = call.attrs_as<RandomAttrs>();
    const TensorImpl& out = impl_of(outputs[0]);
    const bool is_captured = call.inputs[0].defined();
    dispatch::for_each_run(out.numel, out.dtype, caps, [&](const dispatch::Run& run) {
        Step& step = program.steps.emplace_back();
        const std::uint32_t local_size =
            launch_flat(step, dispatch::random_blocks(run.count), caps);
        step.bindings.push_back(dispatch::window_of(dispatch::output(), run.first, run.count));
        if (is_captured) {
            step.bindings.push_back(dispatch::input(0));
        }
        step.set(
            is_captured ? vk::KernelId::kFactoryRandomDevice : vk::KernelId::kFactoryRandomHost,
            vk::FactoryRandomSpec{.local_size = local_size,
                                  .dtype = attrs.dtype,
                                  .kind = static_cast<std::uint32_t>(kKind)},
            {.seed = dispatch::words_of(attrs.state.seed),
             .offset = dispatch::words_of(attrs.state.offset + dispatch::random_blocks(run.first)),
             .element_count = static_cast<std::uint32_t>(run.count),
             .low = attrs.low,
             .range = attrs.range});
        step.work = dispatch::random_blocks(run.count) * 200;
    });
}

// Takes the blocks that the result needs.
Tensor draw(const OpDef& def, RandomAttrs attrs) {
    attrs.state = dispatch::take_random_blocks(dispatch::random_blocks(numel(attrs.sizes)));
    Tensor inputs[] = {dispatch::generator_tensor(attrs.state)};
    return dispatch::call(def, inputs, attrs);
}

Tensor make_random(const OpDef& def, const Dims& sizes, const TensorOptions& options) try {
    check_random(def.where(), sizes, options.dtype());
    Tensor made = draw(def, {.sizes = sizes, .dtype = options.dtype()});
    if (options.requires_grad()) {
        made.set_requires_grad(true);
    }
    return made;

} catch (const Error&) {
    rethrow_under(def.where());
}

constexpr std::array<dispatch::InputDef, dispatch::kMaxInputs> kInputs{{{"generator"}}};

}  // namespace

constexpr OpDef kRand{.name = "rand",
                      .inputs = kInputs,
                      .infer = infer_random,
                      .select = select_random<vk::RandomKind::kUniform>};
static_assert(well_formed(kRand));

constexpr OpDef kRandn{.name = "randn",
                       .inputs = kInputs,
                       .infer = infer_random,
                       .select = select_random<vk::RandomKind::kNormal>};
static_assert(well_formed(kRandn));

constexpr OpDef kRandint{.name = "randint",
                         .inputs = kInputs,
                         .infer = infer_random,
                         .select = select_random<vk::RandomKind::kInteger>};
static_assert(well_formed(kRandint));

}  // namespace pumice::ops

namespace pumice {

Tensor rand(const Dims& sizes, const TensorOptions& options) {
    return ops::make_random(ops::kRand, sizes, options);
}

Tensor randn(const Dims& sizes, const TensorOptions& options) {
    return ops::make_random(ops::kRandn, sizes, options);
}

Tensor randint(std::int64_t low, std::int64_t high, const Dims& sizes) {
    constexpr std::int64_t kMin = std::numeric_limits<std::int32_t>::min();
    constexpr std::int64_t kMax = std::numeric_limits<std::int32_t>::max();
    ops::check_new_sizes("randint", sizes);
    if (low >= high || low < kMin || high - 1 > kMax) {
        throw ArgumentError("randint",
                            fmt::format("[low, high) must be a range of int32, not empty; got "
                                        "[{}, {})",
                                        low,
                                        high));
    }
    return ops::draw(ops::kRandint,
                     {.sizes = sizes,
                      .dtype = kInt32,
                      .low = static_cast<std::int32_t>(low),
                      .range = static_cast<std::uint32_t>(high - low)});
}

}  // namespace pumice
