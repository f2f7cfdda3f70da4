// SPDX-License-Identifier: Apache-2.0
// A table and its columns as numbers, texts and times; and what `pumice forecast` reads from it.
#include "pumice/data.h"

#include "fuzz.h"
#include "series/series.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using pumice::fuzz::may_refuse;
    const std::string path = pumice::fuzz::file_of(pumice::fuzz::text_of(data, size));
    may_refuse([&] {
        const pumice::data::CsvTable table(path);
        for (const std::string& name : table.column_names()) {
            const auto texts = table.text_column(name);
            pumice::fuzz::require(static_cast<std::int64_t>(texts.size()) == table.row_count());
            may_refuse([&] { static_cast<void>(table.number_column(name)); });
            may_refuse([&] {
                const pumice::data::TimeAxis axis(path, texts);
                pumice::fuzz::require(axis.next(3).size() == 3 && axis.season_length() >= 1);
            });
        }
    });
    may_refuse([&] {
        const pumice::series::Series series = pumice::series::read_series(path, {});
        pumice::fuzz::require(!series.values.empty());
    });
    return 0;
}
