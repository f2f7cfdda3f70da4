// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/export.h"
#include "pumice/grad_mode.h"
#include "pumice/tensor.h"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// @file
/// Functions on tensors, run once to be seen and then replayed: kernels chosen, memory placed and
/// commands recorded beforehand.

namespace PUMICE_API pumice {

/// How a function is captured. Switching a pass off changes no bit of any result; only
/// recognise_attention does, because its one kernel rounds less often than the parts.
struct CaptureOptions {
    bool eliminate_dead_code = true;              ///< drop operators whose results nobody sees
    bool fold_constants = true;                   ///< run what depends on nothing once, at capture
    bool eliminate_common_subexpressions = true;  ///< run equal operators on equal operands once
    /// Run matmul, softmax and matmul of an attention, with the scale and the mask between them, as
    /// scaled_dot_product_attention; results are within that operator's bound, and zeros instead of
    /// NaN for queries whose keys are all masked.
    bool recognise_attention = true;
    bool fuse_elementwise = true;  ///< run chains of elementwise operators as one kernel each
    /// Run such chains, before or after, in the kernels of reductions, softmax, norms, matrix
    /// products and convolutions; not without fuse_elementwise.
    bool fuse_into_kernels = true;
    /// Results are the plan's own memory instead of copies. Each is valid until the next replay or
    /// the plan's end; reading it after that throws GradModeError. Results that are the program's
    /// own tensors, and constants, are copies all the same.
    bool alias_outputs = false;
    /// Time for the memory planner's search, which begins if its heuristic misses the lower bound.
    double plan_time_limit_s = 0.5;
};

/// What a plan is made of. Bytes are device bytes.
struct PlanStats {
    std::size_t operator_count = 0;       ///< left by the passes; a fused chain counts as one
    std::size_t kernel_count = 0;         ///< in one replay
    std::size_t barrier_count = 0;        ///< in one replay
    std::size_t recording_count = 0;      ///< times that the commands were recorded
    std::size_t inputs_in_place = 0;      ///< read by the last replay where they lay, not copied
    std::uint64_t planned_bytes = 0;      ///< the one block of all transients, inputs and outputs
    std::uint64_t lower_bound_bytes = 0;  ///< the least that any placement of these needs
    std::uint64_t constant_bytes = 0;     ///< kept results of folded operators
};

/// A captured function. Copies share one plan. Thread-safe: replays take their turns.
///
/// A replay runs the operators that the capture saw, in the mode of the capture. Tensors other than
/// the arguments (parameters, states) are shared with the program: a replay uses the memory that
/// they had at the capture, and writes what the function wrote to them, counting versions. The
/// results are new tensors of the kind that the capture's mode gives, without history. They are bit
/// for bit those of the function, for arguments with the examples' strides. Gradients and states
/// that the function itself made and left behind stay in the plan's memory; each replay writes them
/// anew and makes them `grad` again. A tensor that the function uploads, writes and drops starts
/// afresh in each replay.
///
/// Some changes are not noticed; a replay then does what the capture saw. These are: a variable
/// that the function uses now names another tensor (`w = other`; set_data is noticed), a branch
/// would go another way, a module was switched between training and evaluation (compile notices),
/// hooks were added or removed. An argument that is also a state is read as it was when the replay
/// began, whatever the function writes before it reads it.
///
/// Random numbers are those that the function would draw at the time of the replay, and the
/// generator advances as far as it would, draws with unused results included. A captured optimizer
/// step counts as a step and uses the learning rates at the time of the replay; see host_call.
class Plan {
public:
    /// Undefined; only assigning to it is legal.
    Plan() = default;

    /// Runs the function on these arguments. Like an operator it may return before the device has
    /// the work; reading a result or synchronize() hands it over. Arguments must have the count,
    /// shapes, dtypes, kinds and requires_grad of the examples. Strides may differ, unless the
    /// example's elements share memory (expand, unfold). Arguments are copied into the example's
    /// layout, on which the last bits of some results depend.
    /// @throws GradModeError (E19) in another mode than the capture's; ArgumentError, ShapeError or
    ///         DTypeError naming the argument; ArgumentError if the plan is stale; what a host_call
    ///         throws, and nothing has run then; OutOfMemoryError, DeviceError
    // NOLINTNEXTLINE(modernize-use-nodiscard): a replay may be wanted for what it writes
    std::vector<Tensor> replay(std::span<const Tensor> arguments) const;

    /// replay.
    /// @{
    // NOLINTNEXTLINE(modernize-use-nodiscard): as above
    std::vector<Tensor> replay(std::initializer_list<Tensor> arguments) const {
        return replay(std::span(arguments.begin(), arguments.size()));
    }

    template <std::same_as<Tensor>... T>
    std::vector<Tensor> operator()(const T&... arguments) const {
        return replay({arguments...});
    }

    /// @}

    /// Whether replay would throw because the program has changed something that the plan relies
    /// on:
    /// - a tensor that the function uses was given other memory (set_data, Module::to), or lost it,
    ///   being a result of a plan with alias_outputs;
    /// - such a tensor was frozen or unfrozen, and the function records;
    /// - a gradient that the function adds to was exchanged (one that it clears first may be);
    /// - a host_call finds the plan out of date (an optimizer has other state, groups or options;
    ///   learning rates may change).
    [[nodiscard]] bool is_stale() const;
    /// Figures of the plan.
    [[nodiscard]] PlanStats stats() const;
    /// The operators and what flows between them, in Graphviz' language.
    [[nodiscard]] std::string dot() const;
    /// Writes one replay's planned memory as MemoryTrace::dump writes a program's, so that
    /// `lower_bound` recomputes the bound. @throws FileError
    void dump_trace(const std::string& path) const;

    /// The engine's object behind the handle; opaque to users.
    class PUMICE_HIDDEN Impl;

    /// For the engine.
    explicit Plan(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

private:
    [[nodiscard]] Impl& checked() const;

    std::shared_ptr<Impl> impl_;
};

namespace detail {

using CaptureFunction = std::function<std::vector<Tensor>(std::span<const Tensor>)>;

Plan capture(const CaptureFunction& fn,
             std::span<const Tensor> examples,
             const CaptureOptions& options);

inline std::vector<Tensor> to_results(Tensor result) {
    return {std::move(result)};
}

inline std::vector<Tensor> to_results(std::vector<Tensor> results) {
    return results;
}

template <std::same_as<Tensor>... T>
std::vector<Tensor> to_results(const std::tuple<T...>& results) {
    return std::apply([](const auto&... each) { return std::vector<Tensor>{each...}; }, results);
}

template <class R>
R from_results(std::vector<Tensor> results) {
    if constexpr (std::is_same_v<R, Tensor>) {
        return std::move(results[0]);
    } else if constexpr (std::is_same_v<R, std::vector<Tensor>>) {
        return results;
    } else {
        return [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
            return R{std::move(results[kIndex])...};
        }
        (std::make_index_sequence<std::tuple_size_v<R>>());
    }
}

template <class F, std::size_t... kIndex>
concept TakesTensors =
    std::invocable<F&, decltype((void(kIndex), std::declval<const Tensor&>()))...>;

template <class F, std::size_t... kIndex>
constexpr bool takes(std::index_sequence<kIndex...> /*indices*/) {
    return TakesTensors<F, kIndex...>;
}

[[noreturn]] void refuse_count(std::size_t count);

// Calls `fn` with as many tensors as there are, up to eight.
template <std::size_t kCount = 1, class F>
std::vector<Tensor> call_with(F& fn, std::span<const Tensor> inputs) {
    if constexpr (kCount > 8) {
        refuse_count(inputs.size());
    } else {
        if constexpr (takes<F>(std::make_index_sequence<kCount>())) {
            if (inputs.size() == kCount) {
                return [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>) {
                    return to_results(std::invoke(fn, inputs[kIndex]...));
                }
                (std::make_index_sequence<kCount>());
            }
        }
        return call_with<kCount + 1>(fn, inputs);
    }
}

/// Plans by what they were captured for; see Compiled.
class PlanCache {
public:
    PlanCache(const CaptureOptions& options, std::size_t most_plans);

    /// @throws what Plan::replay and capture throw
    std::vector<Tensor> run(const CaptureFunction& fn,
                            std::span<const Tensor> arguments,
                            const std::vector<bool>& modes);
    [[nodiscard]] std::size_t capture_count() const;

private:
    struct PUMICE_HIDDEN State;
    std::shared_ptr<State> state_;
};

template <class M>
concept ModulePointer = requires(M& module) {
    module->training_modes();
};

}  // namespace detail

/// Calls `fn` once, on placeholders like `examples`, in this thread's mode, and makes a plan of the
/// operators that it calls; none runs yet. `fn` takes as many tensors as there are examples (at
/// most eight), or one `std::span<const Tensor>`, and returns a Tensor, a vector or a tuple of
/// them.
///
/// Nothing runs, and no version is counted, until a replay. Only uploads (`tensor({1, 2})`), and
/// whatever runs under PersistentAllocGuard, happen at once; they are constants of the plan.
/// Scalars are constants too; host_number gives a number that changes.
/// @throws what `fn` throws; GradModeError if it reads a value on the host (the text names the
///         line) or changes inference mode (G75); UnsupportedError if it writes to an argument, or
///         leaves a gradient in one (take that with autograd::grad); ArgumentError for a capture
///         inside another or for an undefined tensor; OutOfMemoryError
/// Source: grad-mode rules G72 to G76.
template <class F>
Plan capture(F&& fn,
             const std::vector<Tensor>& examples,
             const CaptureOptions& options = CaptureOptions()) {
    if constexpr (std::invocable<F&, std::span<const Tensor>>) {
        return detail::capture(
            [&fn](std::span<const Tensor> inputs) {
                return detail::to_results(std::invoke(fn, inputs));
            },
            examples,
            options);
    } else {
        return detail::capture(
            [&fn](std::span<const Tensor> inputs) { return detail::call_with(fn, inputs); },
            examples,
            options);
    }
}

/// A function or module that is captured at the first call with a new signature, and replayed at
/// later calls with it. The signature is the count, shapes, strides, dtypes, kinds and
/// requires_grad of the arguments, the thread's mode, and which modules train. A stale plan is
/// captured again. At most `most_plans` plans are kept, and the least recently used is dropped
/// first. Copies share the plans. Threads may call it at the same time. Inside another capture it
/// is the plain function.
template <class F>
class Compiled {
public:
    /// For compile.
    Compiled(F fn, const CaptureOptions& options, std::size_t most_plans)
        : fn_(std::move(fn)), cache_(options, most_plans) {}

    /// As the function; what it returns has no history. @throws what capture and Plan::replay throw
    template <std::same_as<Tensor>... T>
    auto operator()(const T&... arguments) {
        const std::array<Tensor, sizeof...(T)> inputs{arguments...};
        if constexpr (detail::ModulePointer<F>) {
            using Result = std::decay_t<decltype(fn_->forward(arguments...))>;
            const auto call = [this](std::span<const Tensor> in) {
                const auto forward = [this](const auto&... each) { return fn_->forward(each...); };
                return detail::to_results(spread<sizeof...(T)>(forward, in));
            };
            return detail::from_results<Result>(cache_.run(call, inputs, fn_->training_modes()));
        } else {
            using Result = std::decay_t<std::invoke_result_t<F&, const T&...>>;
            const auto call = [this](std::span<const Tensor> in) {
                return detail::to_results(spread<sizeof...(T)>(fn_, in));
            };
            return detail::from_results<Result>(cache_.run(call, inputs, {}));
        }
    }

    /// Times that the function was captured.
    [[nodiscard]] std::size_t capture_count() const { return cache_.capture_count(); }

private:
    template <std::size_t kCount, class G>
    static decltype(auto) spread(G& fn, std::span<const Tensor> in) {
        return [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>)->decltype(auto) {
            return std::invoke(fn, in[kIndex]...);
        }
        (std::make_index_sequence<kCount>());
    }

    F fn_;
    detail::PlanCache cache_;
};

/// Wraps a function, or a module's `forward`, so that it is captured and replayed by signature; see
/// Compiled. @throws ArgumentError for most_plans of 0
template <class F>
Compiled<std::decay_t<F>> compile(F&& fn,
                                  const CaptureOptions& options = CaptureOptions(),
                                  std::size_t most_plans = 8) {
    return {std::forward<F>(fn), options, most_plans};
}

/// Whether this thread is inside a capture.
bool is_capturing() noexcept;

/// Calls `call` whenever the function around it runs: at once or, in a captured function, at the
/// beginning of each replay, in the order of the function. `call` must not use the plan itself
/// (ArgumentError), nor wait for a thread that does. An exception of `call` leaves the replay. The
/// plan is stale when `is_current` gives false; an empty one never does.
/// @throws ArgumentError for an empty `call`; what it throws
void host_call(std::function<void()> call, std::function<bool()> is_current = {});

/// A zero-dimensional float32 tensor with the number that `read` gives whenever the function around
/// it runs (see host_call): a rate that follows a schedule, for instance. The tensor must not be
/// written.
/// @throws ArgumentError for an empty `read`; what it throws; OutOfMemoryError
[[nodiscard]] Tensor host_number(std::function<double()> read);

}  // namespace pumice
