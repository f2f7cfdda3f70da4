// SPDX-License-Identifier: Apache-2.0
#include "differential/generator.h"

#include "differential/slot.h"

#include <algorithm>
#include <array>
#include <functional>

namespace differential {

namespace {

class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    Program run() {
        add_leaf(true);
        add_leaf(random_.has_luck(60));
        add_leaf(random_.has_luck(30));
        const std::int64_t length = 4 + random_.below(14);
        for (std::int64_t i = 0; i < length; ++i) {
            add_step();
        }
        add_last_walk();
        program_.slot_count = static_cast<int>(slots_.size());
        return std::move(program_);
    }

private:
    static constexpr int kTries = 40;

    Slot& slot(int index) { return slots_[static_cast<std::size_t>(index)]; }

    // A slot that passes, or -1; the later ones are drawn more often.
    int pick(const std::function<bool(const Slot&)>& passes) {
        for (int i = 0; i < kTries; ++i) {
            const auto count = static_cast<std::int64_t>(slots_.size());
            const std::int64_t drawn = std::max(random_.below(count), random_.below(count));
            if (slot(static_cast<int>(drawn)).is_alive && passes(slot(static_cast<int>(drawn)))) {
                return static_cast<int>(drawn);
            }
        }
        return -1;
    }

    int pick_any() {
        return pick([](const Slot&) { return true; });
    }

    Shape any_shape() {
        static const std::array<Shape, 13> kShapes = {{{},
                                                       {1},
                                                       {2},
                                                       {3},
                                                       {4},
                                                       {2, 2},
                                                       {2, 3},
                                                       {3, 2},
                                                       {4, 2},
                                                       {6},
                                                       {2, 3, 2},
                                                       {3, 1},
                                                       {0, 2}}};
        return kShapes[static_cast<std::size_t>(random_.below(kShapes.size() - 1)) +
                       (random_.has_luck(2) ? 1 : 0)];
    }

    Mode any_mode() {
        const std::int64_t drawn = random_.below(100);
        if (drawn < 86) {
            return Mode::kGrad;
        }
        return drawn < 95 ? Mode::kNoGrad : Mode::kInference;
    }

    int new_slot(const Slot& made) {
        slots_.push_back(made);
        return static_cast<int>(slots_.size()) - 1;
    }

    void append(Op op,
                Mode mode,
                std::vector<int> results,
                std::vector<int> operands,
                Shape numbers = {},
                double value = 0) {
        program_.steps.push_back(
            {op, mode, std::move(results), std::move(operands), std::move(numbers), value});
    }

    void add_leaf(bool is_tracked) {
        Slot made;
        made.sizes = any_shape();
        made.storage = next_storage_++;
        made.is_tracked = is_tracked;
        const Shape sizes = made.sizes;
        append(Op::kLeaf, Mode::kGrad, {new_slot(made)}, {}, sizes, is_tracked ? 1 : 0);
    }

    void add_step() {
        const std::int64_t drawn = random_.below(100);
        if (drawn < 28) {
            add_view();
        } else if (drawn < 52) {
            add_write();
        } else if (drawn < 74) {
            add_new();
        } else if (drawn < 82) {
            add_custom();
        } else if (drawn < 84) {
            add_leaf(random_.has_luck(50));
        } else {
            add_flag_or_walk();
        }
    }

    // --- Views.

    bool has_dims(const Slot& x) { return !x.sizes.empty() && count_of(x.sizes) > 0; }

    void add_view() {
        const int from =
            pick([this](const Slot& x) { return has_dims(x) || random_.has_luck(10); });
        if (from < 0) {
            return;
        }
        constexpr std::array kOps = {Op::kSelect,
                                     Op::kSelect,
                                     Op::kSlice,
                                     Op::kSlice,
                                     Op::kSlice,
                                     Op::kTranspose,
                                     Op::kReshape,
                                     Op::kReshape,
                                     Op::kExpand,
                                     Op::kUnsqueeze,
                                     Op::kUnfold,
                                     Op::kSplit,
                                     Op::kSplit,
                                     Op::kDetach,
                                     Op::kDetach,
                                     Op::kData,
                                     Op::kTensorData};
        const Op op = kOps[static_cast<std::size_t>(random_.below(kOps.size()))];
        Slot made = slot(from);
        made.is_leaf = false;
        made.is_view = true;
        const Mode mode = any_mode();
        made.is_frail = made.is_frail || (mode != Mode::kGrad && made.is_tracked);
        Shape numbers;
        if (!shape_view(op, made, numbers)) {
            return;
        }
        std::vector<int> results;
        if (op == Op::kSplit) {
            made.is_frail = true;
            Slot second = made;
            made.sizes[static_cast<std::size_t>(numbers[0])] = numbers[1];
            second.sizes[static_cast<std::size_t>(numbers[0])] = numbers[2];
            results = {new_slot(made), new_slot(second)};
        } else {
            results = {new_slot(made)};
        }
        append(op, mode, results, {from}, numbers);
    }

    // Draws the numbers of a view of `made`, and makes its shape the view's.
    bool shape_view(Op op, Slot& made, Shape& numbers) {
        switch (op) {
            case Op::kDetach:
            case Op::kData:
            case Op::kTensorData:
                made.is_tracked = false;
                made.is_leaf = true;
                made.is_view = false;
                return true;
            case Op::kReshape: return reshape_view(made, numbers);
            case Op::kUnsqueeze: {
                const auto rank = static_cast<std::int64_t>(made.sizes.size());
                numbers = {random_.below(rank + 1)};
                made.sizes.insert(made.sizes.begin() + numbers[0], 1);
                return rank < 4;
            }
            case Op::kExpand: {
                made.sizes.insert(made.sizes.begin(), 2 + random_.below(2));
                numbers = made.sizes;
                made.is_frail = true;
                return count_of(made.sizes) <= kMostElements && made.sizes.size() < 4;
            }
            default: return !made.sizes.empty() && shape_along_dim(op, made, numbers);
        }
    }

    bool reshape_view(Slot& made, Shape& numbers) {
        const std::int64_t count = count_of(made.sizes);
        if (count == 0) {
            return false;
        }
        std::vector<Shape> fitting = {{count}};
        for (std::int64_t d = 1; d <= count; ++d) {
            if (count % d == 0) {
                fitting.push_back({d, count / d});
            }
        }
        made.sizes = fitting[static_cast<std::size_t>(
            random_.below(static_cast<std::int64_t>(fitting.size())))];
        numbers = made.sizes;
        return true;
    }

    bool shape_along_dim(Op op, Slot& made, Shape& numbers) {
        const std::int64_t dim = random_.below(static_cast<std::int64_t>(made.sizes.size()));
        std::int64_t& extent = made.sizes[static_cast<std::size_t>(dim)];
        switch (op) {
            case Op::kSelect:
                if (extent == 0) {
                    return false;
                }
                numbers = {dim, random_.below(extent)};
                made.sizes.erase(made.sizes.begin() + dim);
                return true;
            case Op::kSlice: {
                const std::int64_t start = random_.below(extent + 1);
                const std::int64_t end = start + random_.below(extent - start + 1);
                const std::int64_t step = 1 + random_.below(2);
                const std::int64_t length = (end - start + step - 1) / step;
                numbers = {dim, start, end, step};
                extent = length;
                return length > 0 || random_.has_luck(5);
            }
            case Op::kTranspose: {
                const std::int64_t other =
                    random_.below(static_cast<std::int64_t>(made.sizes.size()));
                numbers = {dim, other};
                std::swap(extent, made.sizes[static_cast<std::size_t>(other)]);
                return made.sizes.size() > 1;
            }
            case Op::kUnfold: {
                if (extent < 1) {
                    return false;
                }
                const std::int64_t length = 1 + random_.below(extent);
                const std::int64_t step = 1 + random_.below(2);
                numbers = {dim, length, step};
                extent = (extent - length) / step + 1;
                made.is_frail = made.is_frail || (extent > 1 && step < length);
                made.sizes.push_back(length);
                return made.sizes.size() < 5 && count_of(made.sizes) <= kMostElements;
            }
            default: {
                if (extent < 2) {
                    return false;
                }
                const std::int64_t first = 1 + random_.below(extent - 1);
                numbers = {dim, first, extent - first};
                return true;
            }
        }
    }

    // --- Writes.

    bool is_writable(const Slot& x, Mode mode) {
        const bool is_refused =
            (mode == Mode::kGrad &&
             (x.is_frail || (x.is_tracked && (x.is_leaf || is_tracked_leaf(x.storage))))) ||
            x.is_inference != (mode == Mode::kInference && x.is_inference);
        return count_of(x.sizes) > 0 ? (!is_refused || random_.has_luck(2)) : random_.has_luck(3);
    }

    bool is_tracked_leaf(int storage) const {
        return std::any_of(slots_.begin(), slots_.end(), [storage](const Slot& x) {
            return x.storage == storage && x.is_leaf && x.is_tracked && !x.is_view;
        });
    }

    int pick_operand_for(const Slot& target) {
        return pick([&target](const Slot& x) {
            return x.storage != target.storage && broadcasts(x.sizes, target.sizes);
        });
    }

    static bool broadcasts(const Shape& from, const Shape& to) {
        if (from.size() > to.size()) {
            return false;
        }
        for (std::size_t i = 1; i <= from.size(); ++i) {
            const std::int64_t mine = from[from.size() - i];
            if (mine != 1 && mine != to[to.size() - i]) {
                return false;
            }
        }
        return true;
    }

    void mark_written(const Slot& target, bool is_tracked, Mode mode) {
        const int storage = target.storage;
        if (mode != Mode::kGrad || (!is_tracked && !target.is_tracked)) {
            return;
        }
        for (Slot& x : slots_) {
            if (x.storage == storage) {
                x.is_tracked = true;
                x.is_leaf = false;
            }
        }
    }

    void add_write() {
        const Mode mode = any_mode();
        const int target = pick([this, mode](const Slot& x) { return is_writable(x, mode); });
        if (target < 0) {
            return;
        }
        constexpr std::array kOps = {Op::kAddInPlace,
                                     Op::kSubInPlace,
                                     Op::kMulInPlace,
                                     Op::kMulInPlace,
                                     Op::kCopyInPlace,
                                     Op::kCopyInPlace,
                                     Op::kAddScalarInPlace,
                                     Op::kMulScalarInPlace,
                                     Op::kMulScalarInPlace,
                                     Op::kTanhInPlace,
                                     Op::kReluInPlace,
                                     Op::kSigmoidInPlace,
                                     Op::kZeroInPlace,
                                     Op::kFillInPlace,
                                     Op::kIndexPut,
                                     Op::kAssign,
                                     Op::kAssign,
                                     Op::kAssignScalar,
                                     Op::kAddOut};
        write(kOps[static_cast<std::size_t>(random_.below(kOps.size()))], mode, target);
    }

    double any_number() { return 0.5 * static_cast<double>(1 + random_.below(4)); }

    void write(Op op, Mode mode, int target) {
        const Slot x = slot(target);
        switch (op) {
            case Op::kAddInPlace:
            case Op::kSubInPlace:
            case Op::kMulInPlace:
            case Op::kCopyInPlace: return write_tensor(op, mode, target, x, {});
            case Op::kIndexPut:
            case Op::kAssign:
            case Op::kAssignScalar: return write_part(op, mode, target, x);
            case Op::kAddOut: return write_out(mode, target, x);
            default: append(op, mode, {}, {target}, {}, any_number()); mark_written(x, false, mode);
        }
    }

    void write_tensor(Op op, Mode mode, int target, const Slot& written, const Shape& numbers) {
        const int source = pick_operand_for(written);
        if (source >= 0) {
            const bool is_tracked = slot(source).is_tracked;
            append(op, mode, {}, {target, source}, numbers);
            mark_written(written, is_tracked, mode);
        }
    }

    void write_part(Op op, Mode mode, int target, const Slot& x) {
        if (!has_dims(x)) {
            return;
        }
        Slot part = x;
        if (op == Op::kIndexPut) {
            const std::int64_t start = random_.below(x.sizes[0]);
            const std::int64_t end = start + 1 + random_.below(x.sizes[0] - start);
            part.sizes[0] = end - start;
            write_tensor(op, mode, target, part, {start, end});
            return;
        }
        const std::int64_t dim =
            op == Op::kAssign ? random_.below(static_cast<std::int64_t>(x.sizes.size())) : 0;
        const std::int64_t at = random_.below(x.sizes[static_cast<std::size_t>(dim)]);
        part.sizes.erase(part.sizes.begin() + dim);
        if (op == Op::kAssign) {
            write_tensor(op, mode, target, part, {dim, at});
            return;
        }
        append(op, mode, {}, {target}, {at}, any_number());
        mark_written(x, false, mode);
    }

    // Refused while anything is tracked.
    void write_out(Mode mode, int target, const Slot& x) {
        const auto fits = [&x, mode](const Slot& other) {
            return other.sizes == x.sizes && (mode != Mode::kGrad || !other.is_tracked);
        };
        const int a = pick(fits);
        const int b = pick(fits);
        if (a >= 0 && b >= 0 && fits(x)) {
            append(Op::kAddOut, mode, {}, {target, a, b});
        }
    }

    // --- New tensors.

    void add_new() {
        constexpr std::array kOps = {
            Op::kAdd,       Op::kAdd,       Op::kSub,  Op::kMul,    Op::kMul,     Op::kAddScalar,
            Op::kMulScalar, Op::kMulScalar, Op::kTanh, Op::kRelu,   Op::kSigmoid, Op::kSquare,
            Op::kClone,     Op::kClone,     Op::kSum,  Op::kSumDim, Op::kMean,    Op::kSoftmax,
            Op::kMatmul,    Op::kCat,       Op::kCat};
        const Op op = kOps[static_cast<std::size_t>(random_.below(kOps.size()))];
        const int first = pick([](const Slot& x) { return count_of(x.sizes) > 0; });
        if (first < 0) {
            return;
        }
        const Mode mode = any_mode();
        Slot made;
        made.sizes = slot(first).sizes;
        std::vector<int> operands = {first};
        Shape numbers;
        if (!shape_new(op, made.sizes, operands, numbers)) {
            return;
        }
        give_new(op, mode, made, operands, numbers);
    }

    void give_new(
        Op op, Mode mode, Slot made, const std::vector<int>& operands, const Shape& numbers) {
        made.storage = next_storage_++;
        made.is_inference = mode == Mode::kInference;
        for (const int operand : operands) {
            made.is_tracked = made.is_tracked || (mode == Mode::kGrad && slot(operand).is_tracked);
        }
        made.is_leaf = !made.is_tracked;
        std::vector<int> results = {new_slot(made)};
        if (op == Op::kTwoOutputs) {
            made.is_tracked = false;
            made.storage = next_storage_++;
            results.push_back(new_slot(made));
        }
        append(op, mode, results, operands, numbers, any_number());
    }

    bool shape_new(Op op, Shape& sizes, std::vector<int>& operands, Shape& numbers) {
        const auto rank = static_cast<std::int64_t>(sizes.size());
        const std::int64_t dim = rank > 0 ? random_.below(rank) : 0;
        switch (op) {
            case Op::kAdd:
            case Op::kSub:
            case Op::kMul: {
                const int other =
                    pick([&sizes](const Slot& x) { return broadcasts(x.sizes, sizes); });
                operands.push_back(other);
                return other >= 0;
            }
            case Op::kSum:
            case Op::kMean: sizes.clear(); return true;
            case Op::kSumDim:
            case Op::kSoftmax:
                numbers = {dim};
                if (op == Op::kSumDim && rank > 0) {
                    sizes.erase(sizes.begin() + dim);
                }
                return rank > 0;
            case Op::kMatmul: return shape_matmul(sizes, operands);
            case Op::kCat: {
                const int other = pick([&sizes](const Slot& x) { return x.sizes == sizes; });
                operands.push_back(other);
                numbers = {dim};
                if (rank > 0) {
                    sizes[static_cast<std::size_t>(dim)] *= 2;
                }
                return rank > 0 && other >= 0 && count_of(sizes) <= kMostElements;
            }
            default: return true;
        }
    }

    bool shape_matmul(Shape& sizes, std::vector<int>& operands) {
        if (sizes.size() != 2) {
            return false;
        }
        const int other = pick([&sizes](const Slot& x) {
            return x.sizes.size() == 2 && x.sizes[0] == sizes[1] && x.sizes[1] > 0;
        });
        if (other < 0) {
            return false;
        }
        operands.push_back(other);
        sizes[1] = slot(other).sizes[1];
        return count_of(sizes) <= kMostElements;
    }

    void add_custom() {
        constexpr std::array kOps = {Op::kCube,
                                     Op::kScaleDirty,
                                     Op::kReturnView,
                                     Op::kReturnOwnView,
                                     Op::kReturnInput,
                                     Op::kTwoOutputs,
                                     Op::kCheckpoint};
        const Op op = kOps[static_cast<std::size_t>(random_.below(kOps.size()))];
        const Mode mode = any_mode();
        const int x = pick([this, op, mode](const Slot& candidate) {
            // Unrecorded, LibTorch gives a view of the operand where Pumice gives the operand.
            return op == Op::kScaleDirty
                       ? mode == Mode::kGrad && candidate.is_tracked && is_writable(candidate, mode)
                       : count_of(candidate.sizes) > 0;
        });
        if (x < 0) {
            return;
        }
        Slot made = slot(x);
        if (op == Op::kReturnView) {
            made.sizes.insert(made.sizes.begin(), 1);
        }
        const int storage = made.storage;
        made.is_view = op == Op::kReturnView || op == Op::kReturnInput || op == Op::kReturnOwnView;
        made.is_frail = made.is_frail || made.is_view;
        made.is_tracked = false;
        give_new(op, mode, made, {x}, {random_.below(2)});
        if (op == Op::kReturnView || op == Op::kReturnInput || op == Op::kScaleDirty) {
            slots_.back().storage = storage;
        }
        if (op == Op::kScaleDirty) {
            mark_written(slot(x), false, mode);
        }
    }

    // --- Flags and walks.

    void add_flag_or_walk() {
        const std::int64_t drawn = random_.below(100);
        const int tracked = pick([](const Slot& x) { return x.is_tracked; });
        if (drawn < 8) {
            const int x = pick([](const Slot& s) { return !s.is_view; });
            if (x >= 0) {
                append(Op::kDetachInPlace, Mode::kGrad, {}, {x});
                slot(x).is_tracked = false;
                slot(x).is_leaf = true;
            }
        } else if (drawn < 22) {
            add_requires_grad();
        } else if (tracked < 0) {
            return;
        } else if (drawn < 36) {
            append(Op::kRetainGrad, Mode::kGrad, {}, {tracked});
        } else if (drawn < 52) {
            append(Op::kHook, Mode::kGrad, {}, {tracked}, {random_.below(2)});
        } else if (drawn < 74) {
            append(Op::kBackward, Mode::kGrad, {}, {tracked}, {random_.has_luck(75) ? 1 : 0});
        } else if (drawn < 94) {
            add_grad(tracked);
        } else {
            append(Op::kDrop, Mode::kGrad, {}, {tracked});
            slot(tracked).is_alive = false;
        }
    }

    void add_requires_grad() {
        const int x = pick([](const Slot& s) { return s.is_leaf; });
        if (x >= 0) {
            const bool on = random_.has_luck(40);
            append(Op::kRequiresGrad, Mode::kGrad, {}, {x}, {on ? 1 : 0});
            slot(x).is_tracked = on;
        }
    }

    void add_grad(int root) {
        const int input = pick([](const Slot& x) { return x.is_tracked; });
        if (input < 0) {
            return;
        }
        const bool creates = random_.has_luck(60);
        Slot made;
        made.sizes = slot(input).sizes;
        made.storage = next_storage_++;
        made.is_tracked = creates;
        made.is_leaf = !creates;
        append(Op::kGrad, Mode::kGrad, {new_slot(made)}, {root, input}, {creates ? 1 : 0});
    }

    void add_last_walk() {
        const int root = pick([](const Slot& x) { return x.is_tracked && !x.is_leaf; });
        if (root >= 0) {
            append(Op::kBackward, Mode::kGrad, {}, {root}, {0});
        }
    }

    Random random_;
    Program program_;
    std::vector<Slot> slots_;
    int next_storage_ = 0;
};

}  // namespace

Program generate(std::uint64_t seed) {
    return Generator(seed).run();
}

}  // namespace differential
