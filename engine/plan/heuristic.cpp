// SPDX-License-Identifier: Apache-2.0
// A good placement at once: several passes that fill the lowest gap of the skyline.
#include "plan/heuristic.h"

#include "plan/random.h"
#include "plan/rank.h"

#include <algorithm>

namespace pumice::plan {
namespace {

struct PassRule {
    RankRule rank;
    bool wants_fullest = false;  ///< items over the gap's fullest section go first
};

/// One pass: fills the lowest gap, or lifts it where nothing fits, until nothing waits.
class SkylinePass {
public:
    SkylinePass(const Problem& problem, const PassRule& rule)
        : problem_(problem),
          wants_fullest_(rule.wants_fullest),
          ranks_(rank_items(problem, rule.rank)),
          is_waiting_(problem.items.size(), 1),
          offsets_(problem.items.size()),
          tops_(static_cast<std::size_t>(problem.section_count)),
          rests_(static_cast<std::size_t>(problem.section_count)) {
        for (const Item& item : problem.items) {
            for (std::int32_t s = item.first_section; s < item.end_section; ++s) {
                rests_[static_cast<std::size_t>(s)] += item.padded;
            }
        }
    }

    Placement run() {
        for (std::size_t waiting_count = offsets_.size(); waiting_count > 0;) {
            find_gap();
            const std::size_t item = choose_item();
            if (item == offsets_.size()) {
                lift_gap();
            } else {
                place(item);
                --waiting_count;
            }
        }
        return {offsets_, height_of(problem_, offsets_)};
    }

private:
    void find_gap() {
        const auto lowest = std::min_element(tops_.begin(), tops_.end());
        gap_first_ = static_cast<std::size_t>(lowest - tops_.begin());
        level_ = *lowest;
        gap_end_ = gap_first_ + 1;
        while (gap_end_ < tops_.size() && tops_[gap_end_] == level_) {
            ++gap_end_;
        }
    }

    [[nodiscard]] std::size_t fullest_section() const {
        std::size_t fullest = gap_first_;
        for (std::size_t s = gap_first_; s < gap_end_; ++s) {
            fullest = rests_[s] > rests_[fullest] ? s : fullest;
        }
        return fullest;
    }

    [[nodiscard]] std::size_t choose_item() const {
        const auto fullest = static_cast<std::int32_t>(fullest_section());
        std::size_t chosen = offsets_.size();
        bool is_chosen_over = false;
        const auto end = static_cast<std::size_t>(problem_.first_item[gap_end_]);
        for (auto i = static_cast<std::size_t>(problem_.first_item[gap_first_]); i < end; ++i) {
            const Item& item = problem_.items[i];
            if (is_waiting_[i] == 0 || static_cast<std::size_t>(item.end_section) > gap_end_) {
                continue;
            }
            const bool is_over =
                wants_fullest_ && item.first_section <= fullest && fullest < item.end_section;
            const bool is_first = chosen == offsets_.size();
            if (is_first || (is_over != is_chosen_over ? is_over : ranks_[i] > ranks_[chosen])) {
                chosen = i;
                is_chosen_over = is_over;
            }
        }
        return chosen;
    }

    void lift_gap() {
        const Height left = gap_first_ > 0 ? tops_[gap_first_ - 1] : kNoHeight;
        const Height right = gap_end_ < tops_.size() ? tops_[gap_end_] : kNoHeight;
        for (std::size_t s = gap_first_; s < gap_end_; ++s) {
            tops_[s] = std::min(left, right);
        }
    }

    // Sections that nothing waits for any more stand like walls.
    void place(std::size_t index) {
        const Item& item = problem_.items[index];
        is_waiting_[index] = 0;
        offsets_[index] = round_up(level_, item.alignment);
        for (auto s = static_cast<std::size_t>(item.first_section);
             s < static_cast<std::size_t>(item.end_section);
             ++s) {
            rests_[s] -= item.padded;
            tops_[s] = rests_[s] > 0 ? offsets_[index] + item.padded : kNoHeight;
        }
    }

    const Problem& problem_;
    bool wants_fullest_;
    std::vector<double> ranks_;
    std::vector<char> is_waiting_;
    std::vector<Height> offsets_;
    std::vector<Height> tops_;
    std::vector<Height> rests_;
    std::size_t gap_first_ = 0;
    std::size_t gap_end_ = 0;
    Height level_ = 0;
};

// By what one pass costs: a step an item, each over the sections and a part of the items.
std::uint64_t pass_count_of(const Problem& problem) {
    constexpr std::uint64_t kMostSteps = 1'200'000;
    constexpr std::uint64_t kMostPasses = 18;
    const std::uint64_t item_count = problem.items.size();
    const std::uint64_t steps =
        2 * item_count * (static_cast<std::uint64_t>(problem.section_count) + item_count / 2);
    return std::clamp<std::uint64_t>(kMostSteps / steps, 2, kMostPasses);
}

// Every pair of a slant and a section in turn; later turns shake the ranks.
PassRule rule_of(std::uint64_t pass) {
    constexpr std::uint64_t kSlantCount = 3;
    constexpr std::uint64_t kPairCount = 2 * kSlantCount;
    const std::uint64_t slant = pass / 2 % kSlantCount;
    const std::uint64_t turn = pass / kPairCount;
    PassRule rule;
    rule.wants_fullest = pass % 2 == 0;
    rule.rank.slant = 0.5 * static_cast<double>(slant);
    rule.rank.noise = 0.1 * static_cast<double>(turn);
    rule.rank.seed = pass;
    return rule;
}

}  // namespace

Placement place_quickly(const Problem& problem) {
    const std::uint64_t pass_count = pass_count_of(problem);
    Placement best;
    for (std::uint64_t pass = 0; pass < pass_count; ++pass) {
        Placement placement = SkylinePass(problem, rule_of(pass)).run();
        if (pass == 0 || placement.height < best.height) {
            best = std::move(placement);
        }
        if (best.height == problem.bound) {
            break;
        }
    }
    return best;
}

}  // namespace pumice::plan
