// SPDX-License-Identifier: Apache-2.0
// What checked builds warn of; other builds say nothing.
#include "base/warning.h"

#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace pumice::test {

namespace {

std::vector<std::string>& heard() {
    static std::vector<std::string> messages;
    return messages;
}

// Hears every warning of its lifetime.
class Listener {
public:
    Listener()
        : before_(set_warning_handler(
              [](const char* message) noexcept { heard().emplace_back(message); })) {
        heard().clear();
        set_warn_always(true);
    }

    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    Listener(Listener&&) = delete;
    Listener& operator=(Listener&&) = delete;

    ~Listener() {
        set_warn_always(false);
        set_warning_handler(before_);
    }

private:
    WarningHandler before_;
};

// The number of warnings that say `part`, and no other.
void check_heard(std::size_t count, const std::string& part) {
    CHECK(heard().size() == (kIsChecked ? count : 0));
    for (const std::string& message : heard()) {
        CHECK(message.find(part) != std::string::npos);
    }
}

}  // namespace

TEST_CASE("G9 InferenceMode(false) warns where it turns grad on inside no_grad") {
    const Listener listener;
    const std::string part = "InferenceMode(false) turned grad mode on";
    no_grad([] { inference_mode(false, [] {}); });
    check_heard(1, part);
    inference_mode(false, [] {});
    inference_mode([] { inference_mode(false, [] {}); });
    no_grad([] { const PersistentAllocGuard guard; });
    check_heard(1, part);
}

TEST_CASE("G27 an operator that is not recorded for its inference operands warns") {
    const Tensor i = inference_mode([] { return ones({2}, {kFloat32, true}); });
    const Tensor n = ones({2}, {kFloat32, true});
    const Listener listener;
    const std::string part = "on inference tensors alone is not recorded";
    CHECK(!exp(i).requires_grad());
    check_heard(1, part);
    CHECK(add(i, n).requires_grad());
    no_grad([&i] { exp(i); });
    inference_mode([&i] { exp(i); });
    check_heard(1, part);
}

TEST_CASE("a warning is given once a process unless it is asked for always") {
    static constinit Warning warning("only a test");
    const WarningHandler before =
        set_warning_handler([](const char* message) noexcept { heard().emplace_back(message); });
    heard().clear();
    warning.give();
    warning.give();
    CHECK(heard() == std::vector<std::string>{"only a test"});
    set_warning_handler(before);
}

}  // namespace pumice::test
