// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace pumice {

/// The public functions whose indices or labels kernels check (Note [Index bounds] in
/// ops/index/indexing.h). A kernel gets the number and reports it; kNone is not reported.
enum class IndexUser : std::uint8_t {
    kNone,
    kGather,
    kIndexSelect,
    kEmbedding,
    kIndex,
    kIndexPut,
    kScatterAdd,
    kIndexAdd,
    kIndexCopy,
    kCrossEntropy,
    kNllLoss,
    kOneHot,
};

/// How an error tells of it.
struct IndexUserText {
    std::string_view name;     ///< of the function
    std::string_view operand;  ///< in the plural
    bool counts_back = false;  ///< whether negative indices count from the end
};

constexpr IndexUserText text_of(IndexUser user) noexcept {
    switch (user) {
        case IndexUser::kNone: break;
        case IndexUser::kGather: return {"gather", "indices"};
        case IndexUser::kIndexSelect: return {"index_select", "indices"};
        case IndexUser::kEmbedding: return {"embedding", "indices"};
        case IndexUser::kIndex: return {"index", "indices", true};
        case IndexUser::kIndexPut: return {"index_put_", "indices", true};
        case IndexUser::kScatterAdd: return {"scatter_add", "indices"};
        case IndexUser::kIndexAdd: return {"index_add", "indices"};
        case IndexUser::kIndexCopy: return {"index_copy", "indices"};
        case IndexUser::kCrossEntropy: return {"cross_entropy", "targets"};
        case IndexUser::kNllLoss: return {"nll_loss", "targets"};
        case IndexUser::kOneHot: return {"one_hot", "indices"};
    }
    return {"unknown", "indices"};
}

}  // namespace pumice
