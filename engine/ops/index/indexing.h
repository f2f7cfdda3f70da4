// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace pumice::ops {

/// Note [Index bounds]:
/// Indices live on the device, where a kernel cannot throw, and reading them back before every call
/// would make the host wait. So an index outside its dimension reads NaN (0 in dtypes without NaN)
/// and is left out of sums. The kernel reports it under the number of the public function, and the
/// next read on the host throws (Note [Reports] in vk/reports.h). Gradients report nothing: they
/// have the indices of their forward call, which did.

/// How an index tensor addresses one dimension of another.
enum class IndexForm : bool {
    kElements,  ///< gather: the index has x's dimensions and moves single elements
    kRows,      ///< index_select, embedding: one dimension of indices moves whole rows
};

}  // namespace pumice::ops
