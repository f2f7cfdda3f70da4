// SPDX-License-Identifier: Apache-2.0
// The search for a lower height, branch by branch.
#include "plan/search.h"

#include "plan/random.h"

#include <algorithm>

namespace pumice::plan {
namespace {

constexpr std::size_t kFailedTableLength = std::size_t{1} << 18;
constexpr std::uint64_t kNodesBetweenQuestions = 64;
constexpr double kFadingARun = 0.7;

std::uint64_t scatter(std::uint64_t bits) {
    bits ^= bits >> 31;
    bits *= 0x9E3779B97F4A7C15U;
    bits ^= bits >> 29;
    bits *= 0xBF58476D1CE4E5B9U;
    return bits ^ (bits >> 32);
}

bool are_twins(const Item& left, const Item& right) {
    return left.first_section == right.first_section && left.end_section == right.end_section &&
           left.height == right.height && left.alignment == right.alignment;
}

}  // namespace

Search::Search(const Problem& problem)
    : problem_(problem),
      live_(static_cast<std::size_t>(problem.section_count), ItemSet(problem.items.size())),
      meeting_(problem.items.size(), ItemSet(problem.items.size())),
      waiting_(problem.items.size()),
      failures_(static_cast<std::size_t>(problem.section_count)),
      failed_(kFailedTableLength) {
    const std::vector<Item>& items = problem.items;
    Random random(1);
    for (std::size_t i = 0; i < items.size(); ++i) {
        const bool is_twin = i > 0 && are_twins(items[i - 1], items[i]);
        twin_.push_back(is_twin ? twin_.back() : i);
        hash_.push_back(random.next());
        for (auto s = static_cast<std::size_t>(items[i].first_section);
             s < static_cast<std::size_t>(items[i].end_section);
             ++s) {
            live_[s].insert(i);
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (items[j].end_section > items[i].first_section) {
                meeting_[i].insert(j);
                meeting_[j].insert(i);
            }
        }
    }
    std::for_each(live_.begin(), live_.end(), [](ItemSet& set) { set.close(); });
    std::for_each(meeting_.begin(), meeting_.end(), [](ItemSet& set) { set.close(); });
}

void Search::begin(Height target, const SearchStyle& style, std::uint64_t node_limit) {
    const auto section_count = static_cast<std::size_t>(problem_.section_count);
    const std::size_t item_count = problem_.items.size();
    if (target != target_) {
        failed_.assign(kFailedTableLength, 0);
    }
    target_ = target;
    padded_target_ = round_up(target, problem_.grain);
    section_rule_ = style.section_rule;
    node_limit_ = node_limit;
    run_node_count_ = 0;
    gave_up_ = false;
    offsets_.assign(item_count, 0);
    floors_.assign(item_count, 0);
    tops_.assign(section_count, 0);
    rests_.assign(section_count, 0);
    links_.assign(section_count, 0);
    for (double& failures : failures_) {
        failures *= kFadingARun;
    }
    is_marked_.assign(section_count, false);
    marked_.clear();
    raised_floor_ = 0;
    trail_.clear();
    candidates_.clear();
    ranks_ = rank_items(problem_, style.rank);
    for (std::size_t i = 0; i < item_count; ++i) {
        const Item& item = problem_.items[i];
        waiting_.insert(i);
        for (std::int32_t s = item.first_section; s < item.end_section; ++s) {
            rests_[static_cast<std::size_t>(s)] += item.padded;
            links_[static_cast<std::size_t>(s)] += s + 1 < item.end_section ? 1 : 0;
        }
    }
}

void Search::forget() {
    failures_.assign(failures_.size(), 0.0);
}

SearchResult Search::run(Height target,
                         const SearchStyle& style,
                         std::uint64_t node_limit,
                         const std::function<bool()>& should_stop) {
    should_stop_ = &should_stop;
    begin(target, style, node_limit);
    const Part whole = {0, static_cast<std::size_t>(problem_.section_count)};
    for (std::size_t s = whole.first; s < whole.end; ++s) {
        mark(s);
    }
    if (!settle()) {
        return SearchResult::kImpossible;
    }
    if (search(whole)) {
        return SearchResult::kFound;
    }
    return gave_up_ ? SearchResult::kGaveUp : SearchResult::kImpossible;
}

bool Search::is_spent() {
    ++node_count_;
    ++run_node_count_;
    gave_up_ = gave_up_ || run_node_count_ > node_limit_ ||
               (run_node_count_ % kNodesBetweenQuestions == 0 && (*should_stop_)());
    return gave_up_;
}

// Places all that waits in the part, or changes nothing.
bool Search::search(Part part) {
    while (part.first < part.end && rests_[part.first] == 0) {
        ++part.first;
    }
    while (part.end > part.first && rests_[part.end - 1] == 0) {
        --part.end;
    }
    if (part.first == part.end) {
        return true;
    }
    for (std::size_t s = part.first; s + 1 < part.end; ++s) {
        if (links_[s] == 0) {
            return search_pieces(part);
        }
    }
    if (is_spent()) {
        return false;
    }
    const std::uint64_t key = key_of(part);
    std::uint64_t& remembered = failed_[key % kFailedTableLength];
    if (remembered == key) {
        return false;
    }
    if (branch(part)) {
        return true;
    }
    if (!gave_up_) {
        remembered = key;
    }
    return false;
}

// The shortest first: what cannot be placed is found soonest there.
bool Search::search_pieces(Part part) {
    std::vector<Part> pieces;
    Part piece = {part.first, part.first};
    for (piece.end = part.first + 1; piece.end <= part.end; ++piece.end) {
        if (piece.end == part.end || links_[piece.end - 1] == 0) {
            pieces.push_back(piece);
            piece.first = piece.end;
        }
    }
    std::stable_sort(pieces.begin(), pieces.end(), [](const Part& left, const Part& right) {
        return left.end - left.first < right.end - right.first;
    });
    const std::size_t trail_length = trail_.size();
    for (const Part& next : pieces) {
        if (!search(next)) {
            undo_to(trail_length);
            return false;
        }
    }
    return true;
}

bool Search::branch(Part part) {
    const Height level = lowest_top(part);
    const std::size_t section = choose_section(part, level);
    const std::size_t first = candidates_.size();
    push_candidates(section, level);
    const std::size_t end = candidates_.size();
    bool is_found = false;
    bool is_hopeless = false;
    for (std::size_t i = first; i < end && !is_found && !is_hopeless; ++i) {
        is_found = try_item(part, candidates_[i], level, is_hopeless);
    }
    candidates_.resize(first);
    return is_found || (!is_hopeless && try_gap(part, section, level));
}

bool Search::try_item(Part part, std::size_t item, Height level, bool& is_hopeless) {
    const std::size_t trail_length = trail_.size();
    if (place(item, level)) {
        if (search(part)) {
            return true;
        }
        // An item that nothing waits to rest on stands in nobody's way.
        is_hopeless = gave_up_ || is_alone(item);
    }
    undo_to(trail_length);
    return false;
}

bool Search::try_gap(Part part, std::size_t section, Height level) {
    const Height above = level_above(section, level);
    if (above == kNoHeight || above + rests_[section] > padded_target_) {
        return false;
    }
    const std::size_t trail_length = trail_.size();
    set_top(section, above);
    if (raise_items(live_[section], above) && settle() && search(part)) {
        return true;
    }
    undo_to(trail_length);
    return false;
}

Height Search::lowest_top(Part part) const {
    Height level = kNoHeight;
    for (std::size_t s = part.first; s < part.end; ++s) {
        level = rests_[s] > 0 ? std::min(level, tops_[s]) : level;
    }
    return level;
}

std::size_t Search::choose_section(Part part, Height level) const {
    std::size_t chosen = part.end;
    double least_cost = 0.0;
    for (std::size_t s = part.first; s < part.end; ++s) {
        if (rests_[s] > 0 && tops_[s] == level) {
            const double cost = cost_of(s, level);
            if (chosen == part.end || cost < least_cost) {
                chosen = s;
                least_cost = cost;
            }
        }
    }
    return chosen;
}

double Search::cost_of(std::size_t section, Height level) const {
    const Height slack = padded_target_ - tops_[section] - rests_[section];
    double choice_count = slack > 0 ? 1.0 : 0.0;
    live_[section].for_each_in(waiting_, [&](std::size_t item) {
        choice_count += floors_[item] == level ? 1.0 : 0.0;
        return true;
    });
    switch (section_rule_) {
        case SectionRule::kFewestItems: return choice_count - 1e-3 * failures_[section];
        case SectionRule::kLeastSlack: return static_cast<double>(slack) + 1e-3 * choice_count;
        case SectionRule::kMostFailures: return choice_count / (1.0 + failures_[section]);
    }
    return 0.0;
}

void Search::push_candidates(std::size_t section, Height level) {
    const auto first = static_cast<std::ptrdiff_t>(candidates_.size());
    live_[section].for_each_in(waiting_, [&](std::size_t item) {
        const bool is_repeated = static_cast<std::ptrdiff_t>(candidates_.size()) > first &&
                                 twin_[candidates_.back()] == twin_[item];
        if (floors_[item] == level && !is_repeated) {
            candidates_.push_back(item);
        }
        return true;
    });
    std::stable_sort(
        candidates_.begin() + first, candidates_.end(), [&](std::size_t left, std::size_t right) {
            return ranks_[left] > ranks_[right];
        });
}

// What the section's items could rest on next, if none of them lies at `level`.
Height Search::level_above(std::size_t section, Height level) const {
    Height above = kNoHeight;
    live_[section].for_each_in(waiting_, [&](std::size_t item) {
        above = std::min(above, lowest_rest(item, section, level));
        return true;
    });
    return above;
}

Height Search::lowest_rest(std::size_t item, std::size_t section, Height level) const {
    if (floors_[item] > level) {
        return floors_[item];
    }
    Height rest = kNoHeight;
    meeting_[item].for_each_in(waiting_, [&](std::size_t other) {
        const bool is_lifted = floors_[other] == level && covers(other, section);
        rest = std::min(rest, floors_[other] + problem_.items[other].height + (is_lifted ? 1 : 0));
        return true;
    });
    return rest == kNoHeight ? rest : round_up(rest, problem_.items[item].alignment);
}

bool Search::covers(std::size_t item, std::size_t section) const {
    return live_[section].has(item);
}

bool Search::is_alone(std::size_t item) const {
    return meeting_[item].for_each_in(waiting_, [](std::size_t) { return false; });
}

std::uint64_t Search::key_of(Part part) const {
    std::uint64_t key = 0;
    for (std::size_t s = part.first; s < part.end; ++s) {
        key = scatter(key ^ (rests_[s] > 0 ? static_cast<std::uint64_t>(tops_[s]) : ~0U));
    }
    const auto end = static_cast<std::size_t>(problem_.first_item[part.end]);
    for (auto i = static_cast<std::size_t>(problem_.first_item[part.first]); i < end; ++i) {
        key += waiting_.has(i) ? hash_[twin_[i]] : 0;
    }
    return key;
}

bool Search::place(std::size_t item, Height level) {
    trail_.push_back({Change::kPlaced, static_cast<std::uint32_t>(item), 0});
    waiting_.erase(item);
    offsets_[item] = level;
    const Item& placed = problem_.items[item];
    const Height top = level + placed.padded;
    for (std::int32_t i = placed.first_section; i < placed.end_section; ++i) {
        const auto s = static_cast<std::size_t>(i);
        rests_[s] -= placed.padded;
        links_[s] -= i + 1 < placed.end_section ? 1 : 0;
        set_top(s, top);
        mark(s);
    }
    return raise_items(meeting_[item], top) && settle();
}

bool Search::raise_items(const ItemSet& items, Height least) {
    raised_floor_ = least;
    return items.for_each_in(waiting_, [&](std::size_t item) { return raise_item(item, least); });
}

bool Search::raise_item(std::size_t item, Height least) {
    const Height before = floors_[item];
    if (before >= least) {
        return true;
    }
    const Item& raised = problem_.items[item];
    const Height now = round_up(least, raised.alignment);
    trail_.push_back({Change::kFloor, static_cast<std::uint32_t>(item), before});
    floors_[item] = now;
    if (now + raised.height > target_) {
        return fail(static_cast<std::size_t>(raised.first_section));
    }
    for (auto s = static_cast<std::size_t>(raised.first_section);
         s < static_cast<std::size_t>(raised.end_section);
         ++s) {
        // Else the item was not the last at the section's top, and leaves no hole that is too deep.
        if (tops_[s] < now && (tops_[s] >= before || now + rests_[s] > padded_target_)) {
            mark(s);
        }
    }
    return true;
}

// Brings marked sections up to date; false where one has no room left.
bool Search::settle() {
    while (!marked_.empty()) {
        const std::size_t s = marked_.back();
        marked_.pop_back();
        is_marked_[s] = false;
        if (rests_[s] > 0 && !settle_section(s)) {
            return fail(s);
        }
    }
    return true;
}

// What is to come lies above the lowest floor, and what was just raised above the raised floor.
bool Search::settle_section(std::size_t section) {
    Height lowest = kNoHeight;
    Height raised_rest = 0;
    live_[section].for_each_in(waiting_, [&](std::size_t item) {
        lowest = std::min(lowest, floors_[item]);
        raised_rest += floors_[item] >= raised_floor_ ? problem_.items[item].padded : 0;
        return true;
    });
    set_top(section, std::max(lowest, tops_[section]));
    return tops_[section] + rests_[section] <= padded_target_ &&
           raised_floor_ + raised_rest <= padded_target_;
}

bool Search::fail(std::size_t section) {
    failures_[section] += 1.0;
    for (const std::size_t s : marked_) {
        is_marked_[s] = false;
    }
    marked_.clear();
    return false;
}

void Search::mark(std::size_t section) {
    if (!is_marked_[section]) {
        is_marked_[section] = true;
        marked_.push_back(section);
    }
}

void Search::set_top(std::size_t section, Height top) {
    if (tops_[section] != top) {
        trail_.push_back({Change::kTop, static_cast<std::uint32_t>(section), tops_[section]});
        tops_[section] = top;
    }
}

void Search::undo_to(std::size_t trail_length) {
    for (; trail_.size() > trail_length; trail_.pop_back()) {
        const Undo& undo = trail_.back();
        switch (undo.change) {
            case Change::kTop: tops_[undo.index] = undo.before; break;
            case Change::kFloor: floors_[undo.index] = undo.before; break;
            case Change::kPlaced: {
                const Item& item = problem_.items[undo.index];
                waiting_.insert(undo.index);
                for (std::int32_t i = item.first_section; i < item.end_section; ++i) {
                    rests_[static_cast<std::size_t>(i)] += item.padded;
                    links_[static_cast<std::size_t>(i)] += i + 1 < item.end_section ? 1 : 0;
                }
                break;
            }
        }
    }
}

}  // namespace pumice::plan
