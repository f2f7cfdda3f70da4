// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plan/item_set.h"
#include "plan/problem.h"
#include "plan/rank.h"

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace pumice::plan {

/// Which of the lowest sections is filled next.
enum class SectionRule : std::uint8_t { kFewestItems, kLeastSlack, kMostFailures };

constexpr std::uint64_t kSectionRuleCount = 3;

/// How one search goes about it.
struct SearchStyle {
    SectionRule section_rule = SectionRule::kFewestItems;
    RankRule rank;  ///< of the items that are tried in a section
};

enum class SearchResult : std::uint8_t { kFound, kImpossible, kGaveUp };

/// Depth-first search for a placement no higher than a target.
///
/// Note [Skyline search]: the tops of the placed items form a skyline over the sections. A node
/// takes the lowest level of it and one section there, and tries each item that fits: the next item
/// of that section lies at this level exactly, or the section stays empty up to the next level that
/// something could rest on. Items only ever rest on others (any placement can be pushed down into
/// such a one), so this misses none. A branch ends when a section's top and what is still to come
/// in it pass the target. Where no item links two parts of time any more, they are searched one
/// after the other, and parts that failed are remembered by their skyline and items. (MiniMalloc
/// prunes by sections and splits likewise, but branches on every item of the lowest levels.)
class Search {
public:
    explicit Search(const Problem& problem);

    /// Looks for a placement of at most `target` with at most `node_limit` nodes; asks
    /// `should_stop` now and then.
    SearchResult run(Height target,
                     const SearchStyle& style,
                     std::uint64_t node_limit,
                     const std::function<bool()>& should_stop);

    /// Runs learn from earlier ones where they fail most; this ends that.
    void forget();

    /// After kFound.
    [[nodiscard]] const std::vector<Height>& offsets() const noexcept { return offsets_; }

    /// Nodes of all runs.
    [[nodiscard]] std::uint64_t node_count() const noexcept { return node_count_; }

private:
    /// Sections [first, end).
    struct Part {
        std::size_t first = 0;
        std::size_t end = 0;
    };

    enum class Change : std::uint8_t { kTop, kFloor, kPlaced };

    struct Undo {
        Change change = Change::kTop;
        std::uint32_t index = 0;
        Height before = 0;
    };

    void begin(Height target, const SearchStyle& style, std::uint64_t node_limit);
    bool search(Part part);
    bool search_pieces(Part part);
    bool branch(Part part);
    bool try_item(Part part, std::size_t item, Height level, bool& is_hopeless);
    bool try_gap(Part part, std::size_t section, Height level);
    bool is_spent();

    [[nodiscard]] Height lowest_top(Part part) const;
    [[nodiscard]] std::size_t choose_section(Part part, Height level) const;
    [[nodiscard]] double cost_of(std::size_t section, Height level) const;
    void push_candidates(std::size_t section, Height level);
    [[nodiscard]] Height level_above(std::size_t section, Height level) const;
    [[nodiscard]] Height lowest_rest(std::size_t item, std::size_t section, Height level) const;
    [[nodiscard]] bool covers(std::size_t item, std::size_t section) const;
    [[nodiscard]] bool is_alone(std::size_t item) const;
    [[nodiscard]] std::uint64_t key_of(Part part) const;

    bool place(std::size_t item, Height level);
    bool raise_item(std::size_t item, Height least);
    bool raise_items(const ItemSet& items, Height least);
    bool settle();
    bool settle_section(std::size_t section);
    bool fail(std::size_t section);
    void mark(std::size_t section);
    void set_top(std::size_t section, Height top);
    void undo_to(std::size_t trail_length);

    const Problem& problem_;
    const std::function<bool()>* should_stop_ = nullptr;

    std::vector<ItemSet> live_;      ///< per section
    std::vector<ItemSet> meeting_;   ///< per item: those that live with it
    std::vector<std::size_t> twin_;  ///< per item: the first that nothing tells from it
    std::vector<std::uint64_t> hash_;

    Height target_ = 0;
    Height padded_target_ = 0;
    SectionRule section_rule_ = SectionRule::kFewestItems;
    std::uint64_t node_limit_ = 0;
    std::uint64_t run_node_count_ = 0;
    std::uint64_t node_count_ = 0;
    bool gave_up_ = false;

    ItemSet waiting_;                  ///< items that are not placed
    std::vector<Height> offsets_;      ///< per placed item
    std::vector<Height> floors_;       ///< per waiting item: the lowest offset it can still have
    Height raised_floor_ = 0;          ///< that items were last raised to
    std::vector<Height> tops_;         ///< per section: the lowest offset of what is still to come
    std::vector<Height> rests_;        ///< per section: padded heights of its waiting items
    std::vector<std::int32_t> links_;  ///< per section: waiting items that reach into the next
    std::vector<double> failures_;     ///< per section, fading
    std::vector<double> ranks_;        ///< per item
    std::vector<Undo> trail_;
    std::vector<std::size_t> marked_;  ///< sections whose top may be out of date
    std::vector<bool> is_marked_;
    std::vector<std::size_t> candidates_;  ///< of all open nodes, one after the other
    std::vector<std::uint64_t> failed_;    ///< table of keys of parts without a placement
};

}  // namespace pumice::plan
