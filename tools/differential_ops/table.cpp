// SPDX-License-Identifier: Apache-2.0
#include "rows.h"

#include <utility>

namespace pumice::differential {

const std::vector<Row>& table() {
    static const std::vector<Row> kTable = [] {
        std::vector<Row> all;
        for (auto* family : {unary_rows,
                             binary_rows,
                             select_rows,
                             in_place_rows,
                             factory_rows,
                             reduce_rows,
                             product_rows,
                             spatial_rows,
                             norm_rows,
                             loss_rows,
                             index_rows,
                             join_rows,
                             view_rows}) {
            for (Row& row : family()) {
                all.push_back(std::move(row));
            }
        }
        return all;
    }();
    return kTable;
}

}  // namespace pumice::differential
