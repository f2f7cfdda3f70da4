// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/placed_graph.h"
#include "vk/queue.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace pumice::graph {

/// The recorded commands of a plan. One recording reads all inputs from the slab, where each replay
/// copies the arguments; one more reads arguments that keep their place where they are.
class Commands {
public:
    /// Of each input, its place outside of the slab; a null buffer if it has none there.
    using Places = std::vector<vk::Binding>;

    struct Recorded {
        std::shared_ptr<vk::Recording> recording;
        Places places;  ///< where the commands read the inputs
    };

    /// `placed` lives as long as this object. Records the commands that read the slab.
    /// @throws what vk::Queue::record throws
    explicit Commands(const PlacedGraph& placed);
    /// Waits for the last replay.
    ~Commands();
    Commands(const Commands&) = delete;
    Commands& operator=(const Commands&) = delete;
    Commands(Commands&&) = delete;
    Commands& operator=(Commands&&) = delete;

    /// The commands to replay for these arguments. Records, and then waits for the last replay, if
    /// values have moved or arguments have kept their places long enough.
    const Recorded& choose(std::span<const Tensor> arguments);

    void replay(const Recorded& commands);

    [[nodiscard]] std::size_t recording_count() const noexcept { return recording_count_; }

    [[nodiscard]] std::size_t barrier_count() const;

private:
    [[nodiscard]] vk::Binding range_of(const Slot& slot, const Places& places) const;
    [[nodiscard]] bool has_moved() const noexcept;
    [[nodiscard]] std::shared_ptr<vk::Recording> record(const Places& places);
    void record_again();
    [[nodiscard]] vk::Binding readable_place(std::size_t input, const Tensor& argument) const;
    const Recorded& choose_by_places(std::span<const Tensor> arguments);

    const PlacedGraph& placed_;
    Recorded copying_;                          ///< reads all inputs from the slab
    std::vector<vk::Binding> recorded_ranges_;  ///< of values with memory, when it was recorded
    Recorded in_place_;                         ///< for the arguments that are at in_place_at_
    Places in_place_at_;
    Places last_places_;              ///< of the last arguments
    std::uint32_t same_count_ = 0;    ///< replays in a row whose arguments were there too
    std::uint32_t wanted_count_ = 2;  ///< of these, before commands are recorded for the places
    std::size_t recording_count_ = 0;
    std::uint64_t last_replay_ = 0;  ///< timeline value
};

}  // namespace pumice::graph
