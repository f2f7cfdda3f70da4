// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/graph.h"
#include "pumice/plan.h"

#include "graph/argument.h"
#include "graph/graph.h"
#include "graph/lowering.h"
#include "memory/trace_file.h"
#include "vk/queue.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace pumice {

/// A graph with its memory and its commands.
class Plan::Impl {
public:
    /// `examples` are the arguments of the capture, `mode` is its mode.
    Impl(graph::Graph graph,
         std::span<const Tensor> examples,
         GradModeKind mode,
         const CaptureOptions& options);
    /// Takes back what is lent and waits for the last replay.
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    Impl(Impl&&) = delete;
    Impl& operator=(Impl&&) = delete;

    std::vector<Tensor> replay(std::span<const Tensor> arguments);

    [[nodiscard]] bool is_stale() const { return has_lost_memory() || !staleness().empty(); }

    [[nodiscard]] PlanStats stats() const;
    [[nodiscard]] std::string dot() const;
    void dump_trace(const std::string& path) const;

private:
    /// Of each input, where it lies outside of the slab; a null buffer where it does not.
    using Places = std::vector<vk::Binding>;

    struct Commands {
        std::shared_ptr<vk::Recording> recording;
        Places places;
    };

    class Turn;

    [[nodiscard]] memory::TraceEvent traced_step(std::size_t step) const;
    void check_arguments(std::span<const Tensor> arguments) const;
    /// What is different from the capture, so that a replay would do something else; or empty.
    [[nodiscard]] std::string staleness() const;
    /// Whether the function used a result of a plan, whose memory that plan has taken back.
    [[nodiscard]] bool has_lost_memory() const noexcept;
    void check_values() const;
    /// Where a kernel finds a slot, inputs at `places` or, where these are null, in the slab.
    [[nodiscard]] vk::Binding range_of(const graph::Slot& slot, const Places& places) const;
    [[nodiscard]] bool is_planned(const graph::TensorRef& ref) const noexcept;
    [[nodiscard]] bool is_lent(const graph::TensorRef& ref) const noexcept;
    [[nodiscard]] bool has_moved() const noexcept;
    [[nodiscard]] std::shared_ptr<vk::Recording> record(const Places& places);
    void record_again();
    [[nodiscard]] vk::Binding place_of(std::size_t input, const Tensor& argument) const;
    const Commands& choose_commands(std::span<const Tensor> arguments);
    void take_back_lent() noexcept;
    void run(const Commands& commands,
             std::span<const Tensor> arguments,
             std::vector<Tensor>& results);
    [[nodiscard]] Tensor placed_tensor(const graph::TensorRef& ref) const;
    Tensor lend(const graph::TensorRef& ref);
    [[nodiscard]] std::size_t operator_count() const noexcept;
    [[nodiscard]] std::uint64_t constant_bytes() const;

    const graph::Graph graph_;
    const std::vector<graph::Argument> arguments_;
    const GradModeKind mode_;
    const bool aliases_outputs_;
    graph::Lowered lowered_;
    MemoryPlan memory_;
    std::vector<std::uint64_t> offset_of_;  ///< of planned values, in the slab
    IntrusivePtr<Storage> slab_;
    std::vector<std::shared_ptr<const vk::RuntimeKernel>> runtime_kernels_;  ///< by kernel call

    mutable std::atomic<std::thread::id> runner_;  ///< the thread whose turn it is
    mutable std::mutex mutex_;                     ///< guards what follows
    Commands copying_;                             ///< reads all inputs from the slab
    std::vector<vk::Binding> recorded_ranges_;     ///< of values with memory, when it was recorded
    Commands in_place_;  ///< for the arguments that lie at in_place_spots_
    Places in_place_spots_;
    Places last_spots_;               ///< of the last arguments
    std::uint32_t same_count_ = 0;    ///< replays in a row whose arguments lay there too
    std::uint32_t wanted_count_ = 2;  ///< of these, before commands are recorded for the spot
    std::size_t in_place_count_ = 0;  ///< inputs that the last replay read where they lay
    std::size_t recording_count_ = 0;
    std::uint64_t last_replay_ = 0;            ///< timeline value
    std::vector<IntrusivePtr<Storage>> lent_;  ///< parts of the slab that callers have
};

}  // namespace pumice
