// SPDX-License-Identifier: Apache-2.0
#include "graph/attention.h"

#include "graph/uses.h"
#include "ops/all_ops.h"
#include "ops/elementwise/binary.h"
#include "ops/matmul/attention.h"
#include "ops/norm/softmax.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace pumice::graph {

namespace {

// What scaled_dot_product_attention takes.
struct Operands {
    TensorRef query;
    TensorRef key;  ///< still turned: [..., E, S]
    TensorRef value;
    TensorRef mask;  ///< may be undefined
    double scale = 1.0;
};

template <class A>
const A& attrs_of(const Node& node) noexcept {
    return *reinterpret_cast<const A*>(node.attrs.data());
}

TensorRef turned(TensorRef ref) {
    const std::int64_t last = ref.sizes.count() - 1;
    std::swap(ref.sizes[last], ref.sizes[last - 1]);
    std::swap(ref.strides[last], ref.strides[last - 1]);
    return ref;
}

// Of ranks whose matrices and batches the kernels walk without a copy.
bool is_batch_of_matrices(const TensorRef& ref) noexcept {
    return ref.sizes.count() >= 2 && ref.sizes.count() <= ops::kMaxAttentionBatchRank + 2;
}

// Whether it broadcasts to these sizes.
bool fits(const TensorRef& mask, const Dims& sizes) noexcept {
    const std::int64_t missing = sizes.count() - mask.sizes.count();
    bool is_fit = missing >= 0;
    for (std::int64_t d = 0; is_fit && d < mask.sizes.count(); ++d) {
        is_fit = mask.sizes[d] == 1 || mask.sizes[d] == sizes[missing + d];
    }
    return is_fit;
}

class Recogniser {
public:
    explicit Recogniser(Graph& graph)
        : graph_(graph), uses_(graph), is_dropped_(graph.nodes.size()) {}

    void run() && {
        for (place_ = 0; place_ < graph_.nodes.size(); ++place_) {
            parts_.clear();
            if (const auto operands = match(graph_.nodes[place_])) {
                replace(*operands);
            }
        }
        std::vector<Node> kept;
        for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
            if (!is_dropped_[i]) {
                kept.push_back(std::move(graph_.nodes[i]));
            }
        }
        graph_.nodes = std::move(kept);
    }

private:
    // The call that made `ref`, which is read here alone and as it was made, with its operands as
    // they were.
    const Node* made(const TensorRef& ref) {
        const auto producer = uses_.producer_of(ref);
        if (!producer || uses_.read_count(ref.value) != 1) {
            return nullptr;
        }
        const Node& node = graph_.nodes[*producer];
        const bool is_steady =
            std::all_of(node.inputs.begin(), node.inputs.end(), [&](const TensorRef& input) {
                return uses_.is_unchanged(input, *producer, place_);
            });
        if (!is_steady || node.outputs.size() != 1 || node.outputs[0] != ref) {
            return nullptr;
        }
        parts_.push_back(*producer);
        return &node;
    }

    std::optional<Operands> match(const Node& result) {
        if (result.def != &ops::kMatmul) {
            return std::nullopt;
        }
        const Node* const weights = made(result.inputs[0]);
        if (weights == nullptr || weights->def != &ops::kSoftmax || !is_over_keys(*weights)) {
            return std::nullopt;
        }
        Operands operands;
        operands.value = result.inputs[1];
        const TensorRef& scores = weights->inputs[0];
        const bool is_found = take_product(scores, operands) || take_masked(scores, operands);
        return is_found && is_attention(operands) ? std::optional(operands) : std::nullopt;
    }

    static bool is_over_keys(const Node& softmax) noexcept {
        const std::int64_t dim = attrs_of<ops::SoftmaxAttrs>(softmax).dim;
        return dim == -1 || dim == softmax.inputs[0].sizes.count() - 1;
    }

    // Query, key and scale, if `ref` is a product, perhaps scaled.
    bool take_product(const TensorRef& ref, Operands& operands) {
        const std::size_t known_parts = parts_.size();
        const Node* scores = made(ref);
        operands.scale = 1.0;
        if (scores != nullptr &&
            (scores->def == &ops::kMulScalar || scores->def == &ops::kDivScalar)) {
            const double number = attrs_of<ops::BinaryAttrs>(*scores).scalar;
            operands.scale = scores->def == &ops::kMulScalar ? number : 1.0 / number;
            scores = made(scores->inputs[0]);
        }
        if (scores == nullptr || scores->def != &ops::kMatmul) {
            parts_.resize(known_parts);
            return false;
        }
        operands.query = scores->inputs[0];
        operands.key = scores->inputs[1];
        return true;
    }

    // The same and the mask, if `ref` is the sum of a product and a mask, in either order.
    bool take_masked(const TensorRef& ref, Operands& operands) {
        const Node* const sum = made(ref);
        if (sum == nullptr || sum->def != &ops::kAdd ||
            attrs_of<ops::BinaryAttrs>(*sum).alpha != 1.0) {
            return false;
        }
        for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
            const TensorRef& mask = sum->inputs[1 - i];
            const bool is_mask = sum->inputs[i].sizes == sum->outputs[0].sizes &&
                                 mask.dtype == sum->inputs[i].dtype &&
                                 fits(mask, sum->outputs[0].sizes);
            if (is_mask && take_product(sum->inputs[i], operands)) {
                operands.mask = mask;
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] static bool is_attention(const Operands& operands) noexcept {
        const auto& [query, key, value, mask, scale] = operands;
        return is_batch_of_matrices(query) && is_batch_of_matrices(key) &&
               is_batch_of_matrices(value) && is_floating_point(query.dtype) &&
               key.dtype == query.dtype && value.dtype == query.dtype;
    }

    // The last call becomes the attention; the others are gone.
    void replace(const Operands& operands) {
        Node& node = graph_.nodes[place_];
        Dims rows = node.outputs[0].sizes;
        rows.pop_back();
        node.def = &ops::kAttention;
        node.inputs = {operands.query, turned(operands.key), operands.value, operands.mask};
        node.outputs.push_back(add_value(rows));
        ops::AttentionAttrs attrs;
        attrs.scale = static_cast<float>(operands.scale);
        set_attrs(node, attrs);
        for (const std::size_t part : parts_) {
            is_dropped_[part] = true;
        }
    }

    // The logarithms of the softmax's sums, which the kernel leaves for a gradient.
    TensorRef add_value(const Dims& sizes) {
        TensorRef ref{.value = static_cast<std::uint32_t>(graph_.values.size()),
                      .sizes = sizes,
                      .strides = contiguous_strides(sizes),
                      .offset = 0,
                      .dtype = kFloat32};
        graph_.values.push_back(
            {.kind = ValueKind::kPlanned,
             .storage = make_placeholder(static_cast<std::uint64_t>(numel(sizes)) * sizeof(float)),
             .holders = {},
             .write_count = 1});
        return ref;
    }

    Graph& graph_;
    const Uses uses_;
    std::size_t place_ = 0;           ///< the call that is looked at
    std::vector<std::size_t> parts_;  ///< calls before it that it would stand for
    std::vector<bool> is_dropped_;
};

}  // namespace

void recognise_attention(Graph& graph) {
    Recogniser(graph).run();
}

}  // namespace pumice::graph
