// SPDX-License-Identifier: Apache-2.0
// Runs the suite. Under a validation layer, a message fails the test that caused it; before the
// first test, the layer and its switches are checked, because a wrong set-up is silent.
#define DOCTEST_CONFIG_IMPLEMENT
#include "pumice/device.h"
#include "pumice/error.h"

#include "support/end_process.h"
#include "vk/device.h"
#include "vk/validation.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct MessageListener : doctest::IReporter {
    explicit MessageListener(const doctest::ContextOptions& /*options*/) {}

    void report_query(const doctest::QueryData& /*data*/) override {}

    void test_run_start() override {}

    void test_run_end(const doctest::TestRunStats& /*stats*/) override {}

    void test_case_start(const doctest::TestCaseData& data) override { name_ = data.m_name; }

    void test_case_reenter(const doctest::TestCaseData& /*data*/) override {}

    void test_case_end(const doctest::CurrentTestCaseStats& /*stats*/) override { blame(); }

    void test_case_exception(const doctest::TestCaseException& /*exception*/) override {}

    void subcase_start(const doctest::SubcaseSignature& /*signature*/) override {}

    void subcase_end() override {}

    void log_assert(const doctest::AssertData& /*data*/) override {}

    void log_message(const doctest::MessageData& /*data*/) override {}

    void test_case_skipped(const doctest::TestCaseData& /*data*/) override {}

    static int guilty_count;

private:
    // Everything that the test recorded is submitted and seen by the layer before the next starts.
    void blame() {
        if (pumice::vk::device_if_made() != nullptr) {
            try {
                pumice::synchronize();
            } catch (const pumice::Error& error) {
                std::printf("after test '%s': %s\n", name_, error.what());
            }
        }
        const std::uint64_t count = pumice::vk::validation_message_count();
        if (count == count_before_) {
            return;
        }
        ++guilty_count;
        std::printf("VALIDATION: test '%s' caused %llu messages; the last ones:\n",
                    name_,
                    static_cast<unsigned long long>(count - count_before_));
        for (const std::string& message : pumice::vk::validation_messages()) {
            std::printf("  %s\n", message.c_str());
        }
        count_before_ = count;
    }

    const char* name_ = "";
    std::uint64_t count_before_ = 0;
};

int MessageListener::guilty_count = 0;

bool has_value(const char* name, std::string_view wanted) {
    const char* value = std::getenv(name);
    return value != nullptr && value == wanted;
}

// True when the gate is set up as asked, or nobody asked for it.
bool check_layer() {
    const pumice::vk::ValidationLayer layer = pumice::vk::validation_layer();
    if (!layer.is_asked_for) {
        std::puts("validation layer: not asked for");
        return true;
    }
    if (!layer.is_present) {
        std::puts("validation layer: asked for, but the loader does not find it");
        return false;
    }
    std::printf("validation layer: %s, implementation %u\n",
                layer.spec_version.c_str(),
                layer.implementation_version);
    const bool is_sync = has_value("VK_LAYER_VALIDATE_SYNC", "1") &&
                         has_value("VK_LAYER_SYNCVAL_SHADER_ACCESSES_HEURISTIC", "1");
    const bool is_gpuav = has_value("VK_LAYER_GPUAV_ENABLE", "1");
    if (!is_sync && !is_gpuav) {
        std::puts(
            "validation layer: neither VK_LAYER_VALIDATE_SYNC with "
            "VK_LAYER_SYNCVAL_SHADER_ACCESSES_HEURISTIC nor VK_LAYER_GPUAV_ENABLE is 1");
        return false;
    }
    return has_value("VK_LAYER_ENABLE_MESSAGE_LIMIT", "0");
}

}  // namespace

REGISTER_LISTENER("validation", 1, MessageListener);

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    if (!context.shouldExit() && !check_layer()) {
        return 2;
    }
    const int status = context.run();
    if (MessageListener::guilty_count > 0) {
        std::printf("VALIDATION: %d tests caused messages\n", MessageListener::guilty_count);
    }
    pumice::test::end_process(MessageListener::guilty_count > 0 ? 1 : status);
}
