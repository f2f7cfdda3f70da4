// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/graph.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace pumice::graph {

/// Who writes and who reads the values of a graph; calls by their numbers. For passes, which join
/// calls while it stays as it was.
class Uses {
public:
    explicit Uses(const Graph& graph);

    /// Calls that read a value, and outputs of the graph, counted once a mention.
    [[nodiscard]] std::size_t read_count(std::uint32_t value) const noexcept {
        return read_counts_[value];
    }

    /// The call that alone writes the value, which the graph plans; nothing if there is none.
    [[nodiscard]] std::optional<std::size_t> producer_of(const TensorRef& ref) const;

    /// The first call after number `call` that writes the value; SIZE_MAX if there is none.
    [[nodiscard]] std::size_t next_writer(std::uint32_t value, std::size_t call) const noexcept;

    /// Whether a call that reads something at number `first` would read the same at `last`.
    [[nodiscard]] bool is_unchanged(const TensorRef& input,
                                    std::size_t first,
                                    std::size_t last) const noexcept {
        return !input.is_defined() || next_writer(input.value, first) > last;
    }

private:
    const Graph& graph_;
    std::vector<std::vector<std::size_t>> writers_;  ///< by value, in order
    std::vector<std::size_t> read_counts_;           ///< by value
};

}  // namespace pumice::graph
