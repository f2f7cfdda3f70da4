// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pumice::plan {

/// Sets of item numbers, one bit each, all over the same items.
class ItemSet {
public:
    explicit ItemSet(std::size_t item_count) : words_((item_count + 63) / 64) {}

    void insert(std::size_t item) { words_[item / 64] |= std::uint64_t{1} << (item % 64); }

    void erase(std::size_t item) { words_[item / 64] &= ~(std::uint64_t{1} << (item % 64)); }

    [[nodiscard]] bool has(std::size_t item) const {
        return ((words_[item / 64] >> (item % 64)) & 1) != 0;
    }

    /// Forgets the empty words at both ends, for sets that change no more.
    void close() {
        end_word_ = words_.size();
        while (end_word_ > 0 && words_[end_word_ - 1] == 0) {
            --end_word_;
        }
        while (first_word_ < end_word_ && words_[first_word_] == 0) {
            ++first_word_;
        }
    }

    /// Calls `visit(item)` for what is in this closed set and in `other`, in rising order, until it
    /// returns false. Whether it never did.
    template <typename Visit>
    // NOLINTNEXTLINE(modernize-use-nodiscard): a caller whose visit never stops has no use for it
    bool for_each_in(const ItemSet& other, Visit visit) const {
        for (std::size_t word = first_word_; word < end_word_; ++word) {
            for (std::uint64_t rest = words_[word] & other.words_[word]; rest != 0;
                 rest &= rest - 1) {
                if (!visit(word * 64 + static_cast<std::size_t>(std::countr_zero(rest)))) {
                    return false;
                }
            }
        }
        return true;
    }

private:
    std::vector<std::uint64_t> words_;
    std::size_t first_word_ = 0;
    std::size_t end_word_ = 0;
};

}  // namespace pumice::plan
