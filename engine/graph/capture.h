// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/grad_mode.h"

#include "dispatch/observer.h"
#include "graph/graph.h"

#include <functional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace pumice::graph {

using Function = std::function<std::vector<Tensor>(std::span<const Tensor>)>;

/// Turns one run of a function into a graph. No operator runs on the device meanwhile but those
/// under PersistentAllocGuard and uploads: their results are external values.
class Capture final : private dispatch::Capturer {
public:
    /// Calls `fn` once, in this thread's mode, on placeholders that are like `examples` (shape,
    /// dtype, kind, requires_grad).
    /// @throws what `fn` throws; GradModeError (G75); ArgumentError for a capture inside another,
    ///         or an undefined example or output
    static Graph run(const Function& fn, std::span<const Tensor> examples);

    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    Capture(Capture&&) = delete;
    Capture& operator=(Capture&&) = delete;
    /// Takes back the writes that were counted: none was done.
    ~Capture() override;

private:
    explicit Capture(AutogradState state) : state_(state) {}

    void check(const dispatch::OpCall& call) override;
    void append(const dispatch::OpCall& call, std::span<const Tensor> outputs) override;

    void note_grad_set(const Tensor& tensor) override;

    GeneratorState& generator() noexcept override { return graph_.host->generator(); }

    Tensor generator_tensor() override { return graph_.host->generator_tensor(); }

    void add_call(std::function<void()> call, std::function<bool()> is_current) override {
        graph_.host->add_call(std::move(call), std::move(is_current));
    }

    Tensor add_number(std::function<double()> read) override {
        return graph_.host->add_number(std::move(read));
    }

    std::vector<Tensor> add_inputs(std::span<const Tensor> examples);
    static void check_inputs(std::span<const Tensor> inputs);
    void add_outputs(std::vector<Tensor>& outputs);
    void keep_escaped();
    void renew_constants();
    std::uint32_t value_of(const TensorImpl& impl);
    void note_holder(Value& value, const TensorImpl& impl);
    TensorRef ref_of(const Tensor& tensor);
    [[nodiscard]] bool uses(const Tensor& tensor) const;
    void note_write(std::string_view op, const TensorImpl& impl, std::uint32_t index);
    void count_writes();
    void note_flags();

    // A normal tensor that was written.
    struct Write {
        std::uint32_t value = 0;
        IntrusivePtr<VersionCounter> version;
        std::uint32_t before = 0;  // the version, before the first write
    };

    const AutogradState state_;
    Graph graph_;
    std::vector<Write> writes_;
    std::unordered_set<const VersionCounter*> written_;
    std::unordered_map<const Storage*, std::uint32_t> value_of_;
};

}  // namespace pumice::graph
