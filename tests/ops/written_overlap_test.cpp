// SPDX-License-Identifier: Apache-2.0
// Targets of writes that name an element more than once.
#include "pumice/pumice.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <functional>
#include <vector>

namespace pumice::test {

TEST_CASE("writes through views that overlap themselves are refused in every form") {
    Tensor base = zeros({5});
    Tensor windows = base.unfold(0, 3, 1);
    Tensor wide = base.expand({2, 5});
    const Tensor ones33 = ones({3, 3});
    const std::vector<std::function<void()>> calls = {
        [&] { windows.add_(1.0); },
        [&] { windows.mul_(ones33); },
        [&] { windows.copy_(ones33); },
        [&] { exp_(windows); },
        [&] { clamp_(windows, 0, 1); },
        [&] { add_out(windows, ones33, ones33); },
        [&] { exp_out(windows, ones33); },
        [&] { matmul_out(windows, ones33, ones33); },
        [&] { windows.index_put_({indexing::Slice()}, ones33); },
        [&] {
            windows.index_put_({tensor<int>({0})}, ones({1, 3}));
        },
        [&] {
            windows.slice(0, 0, 2) = ones({2, 3});
        },
        [&] { wide.add_(1.0); },
        [&] { wide += ones({5}); },
        [&] {
            as_strided(base, {2, 2, 1, 1, 2}, {1, 1, 1, 1, 1}, 0).add_(1.0);
        },
    };
    for (std::size_t i = 0; i < calls.size(); ++i) {
        CAPTURE(i);
        check_throws<ArgumentError>(calls[i], "has several elements in one place (strides");
    }
    CHECK(base._version() == 0);
    check_close(base, {0, 0, 0, 0, 0});
}

TEST_CASE("views that do not overlap are written, and fills where they do") {
    Tensor base = zeros({6});
    base.unfold(0, 2, 2).add_(1.0);
    base.unfold(0, 3, 1).select(0, 3).add_(1.0);
    as_strided(base, {2, 2}, {3, 2}, 0).add_(1.0);
    check_close(base, {2, 1, 2, 3, 2, 3});
    base.unfold(0, 3, 1).fill_(4);
    base.expand({3, 6}).slice(1, 0, 2).zero_();
    check_close(base, {0, 0, 4, 4, 4, 4});
}

TEST_CASE("a gradient that was set as an expanded tensor is added to") {
    const Tensor x = ones({2, 2}, {kFloat32, true});
    Tensor leaf = x;
    leaf.set_grad(ones({1}).expand({2, 2}));
    (x * 2).sum().backward();
    check_close(x.grad(), {3, 3, 3, 3});
}

}  // namespace pumice::test
