// SPDX-License-Identifier: Apache-2.0
// What each case costs: the slowest are printed at the end, and with PUMICE_TEST_COSTS=FILE a line
// for each case goes there: seconds, seconds of all processors, pipelines, kernels, name, separated
// by tabs. Pipelines are what slow drivers spend their time on, so the device's entries that make
// them are counted.
#include "support/kernels_made.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

namespace pumice::test {
namespace {

constexpr std::size_t kPrinted = 20;

struct Cost {
    std::string name;
    double seconds = 0.0;
    double processor_seconds = 0.0;
    std::size_t pipelines = 0;
    std::string kernels;
};

double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct CostReporter : doctest::IReporter {
    explicit CostReporter(const doctest::ContextOptions& /*options*/) {
        if (const char* path = std::getenv("PUMICE_TEST_COSTS"); path != nullptr) {
            file_.open(path);
        }
    }

    void report_query(const doctest::QueryData& /*data*/) override {}

    void test_run_start() override {}

    void test_run_end(const doctest::TestRunStats& /*stats*/) override {
        std::sort(costs_.begin(), costs_.end(), [](const Cost& a, const Cost& b) {
            return a.seconds > b.seconds;
        });
        double seconds = 0.0;
        double processors = 0.0;
        std::size_t pipelines = 0;
        for (const Cost& cost : costs_) {
            seconds += cost.seconds;
            processors += cost.processor_seconds;
            pipelines += cost.pipelines;
        }
        std::printf("costs: %zu cases, %.0f s, %.0f s of processors, %zu pipelines; the slowest:\n",
                    costs_.size(),
                    seconds,
                    processors,
                    pipelines);
        for (std::size_t i = 0; i < std::min(kPrinted, costs_.size()); ++i) {
            const Cost& cost = costs_[i];
            std::printf("costs: %7.2f s %7.2f s %5zu  %s\n",
                        cost.seconds,
                        cost.processor_seconds,
                        cost.pipelines,
                        cost.name.c_str());
        }
    }

    void test_case_start(const doctest::TestCaseData& data) override {
        begin_count_of_kernels();
        begin_processors_ = processor_seconds();
        cost_ = Cost();
        cost_.name = data.m_name;
    }

    void test_case_reenter(const doctest::TestCaseData& /*data*/) override {}

    void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
        cost_.seconds = stats.seconds;
        cost_.processor_seconds = processor_seconds() - begin_processors_;
        cost_.pipelines = pipelines_made();
        cost_.kernels = kernels_made();
        write(cost_);
        costs_.push_back(cost_);
    }

    void test_case_exception(const doctest::TestCaseException& /*exception*/) override {}

    void subcase_start(const doctest::SubcaseSignature& /*signature*/) override {}

    void subcase_end() override {}

    void log_assert(const doctest::AssertData& /*data*/) override {}

    void log_message(const doctest::MessageData& /*data*/) override {}

    void test_case_skipped(const doctest::TestCaseData& /*data*/) override {}

private:
    // At once, so that a run that is stopped has told what it found.
    void write(const Cost& cost) {
        if (file_.is_open()) {
            file_ << cost.seconds << '\t' << cost.processor_seconds << '\t' << cost.pipelines
                  << '\t' << cost.kernels << '\t' << cost.name << std::endl;
        }
    }

    Cost cost_;
    double begin_processors_ = 0.0;
    std::vector<Cost> costs_;
    std::ofstream file_;
};

REGISTER_LISTENER("costs", 2, CostReporter);

}  // namespace
}  // namespace pumice::test
