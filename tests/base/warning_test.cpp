// SPDX-License-Identifier: Apache-2.0
// What checked builds warn of; other builds say nothing.
#include "pumice/pumice.h"

#include "base/warn.h"
#include "support/harness.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace pumice::test {

namespace {

// Hears every warning of its lifetime.
class Listener final : public WarningHandler {
public:
    Listener() : before_(WarningUtils::get_warning_handler()) {
        WarningUtils::set_warning_handler(this);
    }

    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    Listener(Listener&&) = delete;
    Listener& operator=(Listener&&) = delete;

    ~Listener() override { WarningUtils::set_warning_handler(before_); }

    void process(const Warning& warning) override { heard_.push_back(warning.msg()); }

    [[nodiscard]] const std::vector<std::string>& heard() const { return heard_; }

    // The number of warnings of checked builds that say `part`, and no other.
    void check_heard(std::size_t count, const std::string& part) const {
        CHECK(heard_.size() == (kIsChecked ? count : 0));
        for (const std::string& message : heard_) {
            CHECK(message.find(part) != std::string::npos);
        }
    }

private:
    WarningHandler* before_;
    std::vector<std::string> heard_;
};

}  // namespace

TEST_CASE("G9 InferenceMode(false) warns where it turns grad on inside no_grad") {
    const WarningUtils::WarnAlways always;
    const Listener listener;
    const std::string part = "InferenceMode(false) turned grad mode on";
    no_grad([] { inference_mode(false, [] {}); });
    listener.check_heard(1, part);
    inference_mode(false, [] {});
    inference_mode([] { inference_mode(false, [] {}); });
    no_grad([] { const PersistentAllocGuard guard; });
    listener.check_heard(1, part);
}

TEST_CASE("G27 an operator that is not recorded for its inference operands warns") {
    const Tensor i = inference_mode([] { return ones({2}, {kFloat32, true}); });
    const Tensor n = ones({2}, {kFloat32, true});
    const WarningUtils::WarnAlways always;
    const Listener listener;
    const std::string part = "on inference tensors alone is not recorded";
    CHECK(!exp(i).requires_grad());
    listener.check_heard(1, part);
    CHECK(add(i, n).requires_grad());
    no_grad([&i] { exp(i); });
    inference_mode([&i] { exp(i); });
    listener.check_heard(1, part);
}

TEST_CASE("a warning is given once a process unless it is asked for always") {
    static constinit WarningOnce warning("only a test");
    const Listener listener;
    warning.give();
    warning.give();
    CHECK(listener.heard() == std::vector<std::string>{"only a test"});
    const WarningUtils::WarnAlways always;
    warning.give();
    CHECK(listener.heard().size() == 2);
}

}  // namespace pumice::test
