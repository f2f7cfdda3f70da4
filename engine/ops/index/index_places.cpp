// SPDX-License-Identifier: Apache-2.0
// Indices as places: what Tensor::index, index_put_ and one_hot ask of their indices.
#include "ops/index/index_places.h"

#include "dispatch/binding.h"
#include "dispatch/corridor.h"
#include "dispatch/windows.h"
#include "geometry/walk.h"
#include "ops/all_ops.h"
#include "ops/index/gather.h"
#include "vk/kernels/index_place.h"

#include <utility>

namespace pumice::ops {

namespace {

struct PlaceAttrs {
    std::int64_t extent = 0;
    IndexUser user = IndexUser::kNone;
};

void infer_places(const dispatch::OpCall& call, dispatch::Inferred& inferred) {
    inferred.push_back(dispatch::contiguous_meta(impl_of(call.inputs[0]).sizes, kInt32));
}

void select_places(const dispatch::OpCall& call,
                   std::span<const Tensor> outputs,
                   const vk::Capabilities& caps,
                   dispatch::Program& program) {
    const auto& attrs = call.attrs_as<PlaceAttrs>();
    const TensorImpl& places = impl_of(outputs[0]);
    const Walk<1> walk = merge_dims<1>(places.sizes, {impl_of(call.inputs[0]).strides});
    dispatch::Step& step = program.steps.emplace_back();
    const std::uint32_t local_size =
        launch_flat(step, static_cast<std::uint64_t>(places.numel), caps);
    step.bindings.push_back(dispatch::input(0));
    step.bindings.push_back(dispatch::output());
    step.set(vk::IndexPlaceSpec{.local_size = local_size,
                                .counts_back = text_of(attrs.user).counts_back},
             {.sizes = walk.sizes,
              .strides = walk.strides[0],
              .rank = walk.rank,
              .element_count = static_cast<std::uint32_t>(places.numel),
              .index_offset = dispatch::bound_offset(call.inputs[0], caps),
              .extent = static_cast<std::uint32_t>(attrs.extent),
              .user = static_cast<std::uint32_t>(attrs.user)});
    step.work = static_cast<std::uint64_t>(places.numel) * (walk.rank + 1) * 4;
}

}  // namespace

constexpr dispatch::OpDef kIndexPlaces{
    .name = "index_places",
    .inputs = {{{"index", dispatch::Grad::kNever}}},
    .infer = infer_places,
    .select = select_places,
    .window = dispatch::window_of_map,
};
static_assert(well_formed(kIndexPlaces));

Tensor places_of(IndexUser user, Tensor index, std::int64_t extent) {
    check_index_dtype(text_of(user).name, index);
    Tensor inputs[] = {std::move(index)};
    return dispatch::call(kIndexPlaces, inputs, PlaceAttrs{.extent = extent, .user = user});
}

}  // namespace pumice::ops
