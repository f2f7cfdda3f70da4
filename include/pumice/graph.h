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

/// How a function is captured. Switching a pass off changes no bit of any result, but for
/// recognise_attention, whose one kernel rounds less often.
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
    /// Results are the plan's own memory instead of copies: each is good until the next replay, or
    /// the plan's end; reading one after that throws GradModeError. What the function returns of
    /// the program's own tensors, and constants, are copies all the same.
    bool alias_outputs = false;
    /// For the memory planner's search, should its heuristic not reach the lower bound at once.
    double plan_time_limit_s = 0.5;
};

/// What a plan is made of. Bytes are device bytes.
struct PlanStats {
    std::size_t operator_count = 0;       ///< after the passes, fused ones too
    std::size_t kernel_count = 0;         ///< a replay
    std::size_t barrier_count = 0;        ///< a replay
    std::size_t recording_count = 0;      ///< times that the commands were recorded
    std::size_t inputs_in_place = 0;      ///< read by the last replay where they lay, not copied
    std::uint64_t planned_bytes = 0;      ///< the one block of all transients, inputs and outputs
    std::uint64_t lower_bound_bytes = 0;  ///< of any placement of these
    std::uint64_t constant_bytes = 0;     ///< kept results of folded operators
};

/// A captured function. Copies share one plan. Thread-safe: replays take their turns.
///
/// A replay runs the operators that the capture saw, in the mode of the capture, on the memory that
/// tensors other than the arguments had then: parameters and states are shared with the program,
/// and what the function wrote to them it writes again, version counters included. The results are
/// new tensors of the kind that the capture's mode gives, without history, bit for bit those of the
/// function for arguments that lie like the examples. Gradients and states that the function itself
/// made and left behind stay the plan's, and each replay writes them anew and makes them `grad`
/// again. What it uploads, writes and forgets is new in each replay.
///
/// Not noticed, so that a replay goes on with what the capture saw: a variable that the function
/// uses is rebound to another tensor (`w = other`; set_data is noticed), a branch would go
/// another way, a module changes between training and evaluation (compile notices), hooks come or
/// go. An argument that is also a state is read as it was when the replay began, whatever the
/// function writes before it reads it.
///
/// Random numbers are those that the function would draw at the replay, and the generator moves on
/// as far; dead draws count. Optimizers' steps count theirs, and take the learning rates of the
/// replay; see host_call.
class Plan {
public:
    /// Undefined; only assigning to it is legal.
    Plan() = default;

    /// Runs the function on these arguments. Like operators it may return before the device has
    /// been given the work: reading a result or synchronize() does that. Arguments have the same
    /// count, shapes, dtypes, kinds and requires_grad as the examples. Strides are free, but where
    /// the example's elements share memory (expand, unfold). Arguments are copied into the
    /// example's layout, and the last bits of some results depend on it.
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

    /// Whether a tensor that the function used was given other memory since (set_data, Module::to),
    /// or lost it (a result of a plan with alias_outputs), or was frozen or unfrozen though the
    /// function records; a gradient that the function adds to was exchanged (one that it clears
    /// first may be); or a host_call finds the plan out of date (an optimizer was given other
    /// state, groups or options than learning rates). Then replay would throw.
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
/// Nothing runs, and no version counts, until a replay. Only uploads (`tensor({1, 2})`), and
/// whatever runs under PersistentAllocGuard, happen at once and are constants of the plan. Values
/// of Scalars are the plan's too; host_number gives one that changes.
/// @throws what `fn` throws; GradModeError for a host's read of a value (naming the line), or where
///         inference mode changes inside (G75); UnsupportedError for writes to an argument, or a
///         backward() that leaves a gradient in one (take it with autograd::grad); OutOfMemoryError
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

/// A function or module that captures itself for each new signature of a call and replays: count,
/// shapes, strides, dtypes, kinds and requires_grad of the arguments, the thread's mode, and
/// whether modules train. Captures again once a plan is stale. Keeps `most_plans` plans, the least
/// recently used goes first. Copies share them. Inside another capture it is the plain function.
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

/// Makes a function, or a module's `forward`, capture and replay itself.
template <class F>
Compiled<std::decay_t<F>> compile(F&& fn,
                                  const CaptureOptions& options = CaptureOptions(),
                                  std::size_t most_plans = 8) {
    return {std::forward<F>(fn), options, most_plans};
}

/// Whether a capture runs on this thread, for code that has a choice.
bool is_capturing() noexcept;

/// Calls `call` whenever the function around it runs: now, or, under a capture, at each replay
/// before its operators, in the order of the function. It may not use the plan itself
/// (ArgumentError), nor wait for a thread that does; what it throws leaves the replay. Where
/// `is_current` gives false a plan is stale (empty: never).
/// @throws ArgumentError for an empty `call`; what it throws
void host_call(std::function<void()> call, std::function<bool()> is_current = {});

/// What `read` gives whenever the function around it runs, as host_call: a number of the host, such
/// as a rate that follows a schedule, as a zero-dimensional float32 tensor. Not to be written.
/// @throws ArgumentError for an empty `read`; what it throws; OutOfMemoryError
[[nodiscard]] Tensor host_number(std::function<double()> read);

}  // namespace pumice
