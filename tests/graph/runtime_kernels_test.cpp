// SPDX-License-Identifier: Apache-2.0
#include "graph/runtime_kernels.h"

#include "pumice/graph.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/held_compiler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace pumice {
namespace {

// Four kernels that no other test has, for the numbers are compiled in.
std::vector<Tensor> function_of(const Tensor& x) {
    std::vector<Tensor> results;
    for (const double number : {0.72351, 0.72352, 0.72353, 0.72354}) {
        results.push_back(sum(exp(mul(x, number)), {0}));
    }
    return results;
}

TEST_CASE("runtime kernels: a capture compiles several at once, and others go on") {
    const Tensor x = test::random_tensor({5, 7});
    const Tensor one = ones({4});
    static_cast<void>(add(one, one).to_host());
    const std::vector<Tensor> wanted = function_of(x);
    test::HeldCompiler compiler(vk::device());
    std::vector<Tensor> results;
    std::thread thread([&] { results = capture(function_of, {x})(x); });
    CHECK(compiler.wait_for(std::min(4U, std::max(1U, std::thread::hardware_concurrency()))));
    test::check_close(add(one, one), {2, 2, 2, 2});
    CHECK(compiler.held_count() > 0);  // or it was waited for
    compiler.let_go();
    thread.join();
    REQUIRE(results.size() == wanted.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
        test::check_same_bits(results[i], wanted[i]);
    }
}

}  // namespace
}  // namespace pumice
