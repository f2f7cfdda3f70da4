// SPDX-License-Identifier: Apache-2.0
// Plants one defect through the real recorder and exits 0 if the validation layer reported it: a
// gate that cannot fail proves nothing. One process a defect, run by tools/test under the layer.
//   planted raw|war|tenant|across_submits    a barrier of that kind is dropped at the device table
//   planted planned_tenant|replays           the same inside a captured graph, between two replays
//   planted past_tensor                      a kernel reads past its tensor (GPU-assisted layer)
#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "dispatch/binding.h"
#include "support/end_process.h"
#include "vk/device.h"
#include "vk/kernels/attention_rotary.h"
#include "vk/queue.h"
#include "vk/seam.h"
#include "vk/validation.h"

#include <cstdio>
#include <cstring>
#include <string>

namespace {

using pumice::Tensor;
using pumice::vk::BarrierFilter;
using pumice::vk::HazardKind;

// Runs the program with the barriers dropped; returns how many were.
template <class F>
std::uint32_t without_barriers(const BarrierFilter& filter, F&& program) {
    pumice::vk::Device& device = pumice::vk::device();
    pumice::vk::drop_barriers(device, filter);
    program();
    device.queue().flush();
    const std::uint32_t dropped = pumice::vk::dropped_barrier_count();
    pumice::vk::restore(device);
    return dropped;
}

std::uint32_t read_after_write(const Tensor& x) {
    return without_barriers({.kind = HazardKind::kReadAfterWrite}, [&x] {
        const Tensor a = mul(x, 2.0);
        const Tensor b = add(a, 1.0);
    });
}

std::uint32_t write_after_read(const Tensor& x) {
    Tensor a = mul(x, 2.0);
    pumice::synchronize();
    return without_barriers({.kind = HazardKind::kWriteAfterRead}, [&a] {
        const Tensor b = add(a, 1.0);
        fill_(a, 0.0);
    });
}

// The memory of a dead inference tensor goes to the next one while its last reader may still run.
std::uint32_t next_tenant(const Tensor& x) {
    const pumice::InferenceMode guard;
    const Tensor y = x.clone();
    pumice::synchronize();
    return without_barriers({}, [&y] {
        Tensor dead = mul(y, 2.0);
        const Tensor reader = add(dead, y);
        dead.reset();
        const Tensor tenant = mul(y, 3.0);
    });
}

// A finished submit orders, once its end was seen. So the first one is large, and the pipelines are
// made beforehand, for the second to be recorded while it runs.
std::uint32_t across_submits() {
    const Tensor x = pumice::ones({1 << 24});
    const auto program = [&x] {
        const Tensor a = mul(x, 2.0);
        pumice::vk::device().queue().flush();
        const Tensor b = add(a, 1.0);
    };
    program();
    pumice::synchronize();
    return without_barriers({.kind = HazardKind::kNone, .only_across_submits = true}, program);
}

// The planner gives the last product the memory of the first, which `add` reads.
std::uint32_t planned_tenant(const Tensor& x) {
    const pumice::InferenceMode guard;
    const Tensor y = x.clone();
    return without_barriers({.kind = HazardKind::kWriteAfterRead}, [&y] {
        const auto fn = [](const Tensor& in) {
            const Tensor reader = add(mul(in, 2.0), in);
            return std::vector<Tensor>{reader, mul(in, 3.0)};
        };
        pumice::capture(fn, {y})(y);
    });
}

// Replays of one plan share its memory; the barrier that each begins and ends with keeps them
// apart.
std::uint32_t replays(const Tensor& x) {
    const pumice::NoGradGuard guard;
    Tensor state = x.clone();
    pumice::synchronize();
    return without_barriers({.kind = HazardKind::kFull}, [&] {
        const pumice::Plan plan = pumice::capture(
            [&state](const std::span<const Tensor> /*none*/) {
                return std::vector<Tensor>{mul_(state, 0.5)};
            },
            {},
            {.alias_outputs = true});
        plan();
        plan();
    });
}

// A rotary table that ends before the positions do: the kernel reads its neighbour in the arena.
std::uint32_t past_tensor() {
    const Tensor x = pumice::ones({1, 1, 64, 64});
    const Tensor table = pumice::ones({8, 32});
    Tensor out = pumice::ones({1, 1, 64, 64});
    const auto bind = [](const Tensor& tensor) { return pumice::dispatch::bind(tensor).binding; };
    const std::array<pumice::vk::Binding, 4> bindings = {
        bind(x), bind(table), bind(table), bind(out)};

    const pumice::vk::AttentionRotaryPush push{.x_strides = {4096, 4096, 64, 1},
                                               .n1 = 1,
                                               .position_count = 64,
                                               .half_count = 32,
                                               .unit_count = 2048,
                                               .x_offset = 0,
                                               .cos_offset = 0,
                                               .sin_offset = 0,
                                               .sign = 1.0F};
    const auto spec =
        pumice::vk::AttentionRotarySpec{
            .local_size = 64, .dtype = pumice::kFloat32, .is_masked = false}
            .by_id();
    pumice::vk::device().queue().dispatch({.kernel = pumice::vk::KernelId::kAttentionRotary,
                                           .spec = spec,
                                           .bindings = bindings,
                                           .push = std::as_bytes(std::span(&push, 1)),
                                           .groups = {32, 1, 1},
                                           .work = 1,
                                           .label = "past_tensor"});
    pumice::synchronize();
    return 1;
}

std::uint32_t plant(const std::string& defect) {
    const Tensor x = pumice::ones({1024});
    pumice::synchronize();
    if (defect == "raw") {
        return read_after_write(x);
    }
    if (defect == "war") {
        return write_after_read(x);
    }
    if (defect == "tenant") {
        return next_tenant(x);
    }
    if (defect == "across_submits") {
        return across_submits();
    }
    if (defect == "planned_tenant") {
        return planned_tenant(x);
    }
    if (defect == "replays") {
        return replays(x);
    }
    return defect == "past_tensor" ? past_tensor() : 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string defect = argc > 1 ? argv[1] : "";
    try {
        if (!pumice::vk::validation_layer().is_present) {
            std::puts("planted: no validation layer is present");
            return 2;
        }
        const std::uint32_t planted = plant(defect);
        pumice::synchronize();
        const std::uint64_t messages = pumice::vk::validation_message_count();
        std::printf("planted %s: %u defects, %llu messages\n",
                    defect.c_str(),
                    planted,
                    static_cast<unsigned long long>(messages));
        if (messages > 0) {
            std::puts(pumice::vk::validation_messages().back().c_str());
        }
        pumice::test::end_process(planted > 0 && messages > 0 ? 0 : 1);
    } catch (const pumice::Error& error) {
        std::printf("planted: %s\n", error.what());
        return 2;
    }
}
