// SPDX-License-Identifier: Apache-2.0
#include "vk/texel_views.h"

#include "pumice/pumice.h"

#include "support/harness.h"
#include "vk/buffer.h"
#include "vk/device.h"

#include <doctest/doctest.h>

#include <set>
#include <vector>

namespace pumice::vk {

namespace {

// A buffer that dies with it.
struct OwnBuffer {
    explicit OwnBuffer(std::uint64_t size_bytes)
        : buffer(device().create_buffer(size_bytes, MemoryKind::kDevice)) {}

    OwnBuffer(const OwnBuffer&) = delete;
    OwnBuffer& operator=(const OwnBuffer&) = delete;
    OwnBuffer(OwnBuffer&&) = delete;
    OwnBuffer& operator=(OwnBuffer&&) = delete;

    ~OwnBuffer() { device().destroy_buffer(buffer); }

    [[nodiscard]] Binding range(std::uint64_t offset_bytes, std::uint64_t size_bytes) const {
        return {&buffer, offset_bytes, size_bytes};
    }

    Buffer buffer;
};

bool reads_texels() {
    if (!device().capabilities().reads_texels) {
        MESSAGE("skipped: this device reads words");
        return false;
    }
    return true;
}

}  // namespace

TEST_CASE("texel views: a range that was asked for before has its view") {
    if (!reads_texels()) {
        return;
    }
    const OwnBuffer own(1024);
    TexelViews& views = device().texel_views();
    const VkBufferView first = views.get(own.range(0, 512), TexelWidth::kWord, 1, 0);
    CHECK(views.get(own.range(0, 512), TexelWidth::kWord, 2, 1) == first);
    CHECK(views.get(own.range(256, 512), TexelWidth::kWord, 2, 1) != first);
    CHECK(views.get(own.range(0, 256), TexelWidth::kWord, 2, 1) != first);
    CHECK(views.get(own.range(0, 512), TexelWidth::kQuad, 2, 1) != first);
}

TEST_CASE("texel views: more than are kept, all of commands that have not ended") {
    if (!reads_texels()) {
        return;
    }
    constexpr std::uint64_t kCount = 5000;  // past the 2,048 that are kept
    const OwnBuffer own(256 * (kCount + 1));
    TexelViews& views = device().texel_views();
    std::set<VkBufferView> made;
    for (std::uint64_t i = 0; i < kCount; ++i) {
        made.insert(views.get(own.range(256 * i, 256), TexelWidth::kWord, i + 1, 0));
    }
    CHECK(made.size() == kCount);  // none died, or a handle would have come twice
}

TEST_CASE("texel views: operators on thousands of ranges give their values") {
    constexpr std::int64_t kRows = 6000;
    const Tensor x = arange(kRows * 64).to(kFloat32).view({kRows, 64});
    for (int pass = 0; pass < 2; ++pass) {
        std::vector<Tensor> sums;
        for (std::int64_t row = 0; row < kRows; row += 2) {
            sums.push_back(sum(x.select(0, row)));
        }
        const std::vector<float> got = stack(sums).to_vector<float>();
        for (std::size_t i = 0; i < got.size(); ++i) {
            const double first = 64.0 * 2.0 * static_cast<double>(i);
            REQUIRE(got[i] == doctest::Approx(64 * first + 63 * 32));
        }
    }
}

TEST_CASE("texel views: a buffer that dies takes its views along, and its range means another") {
    for (int i = 0; i < 8; ++i) {
        const Tensor x = full({1 << 16}, i);
        CHECK(sum(x).item<float>() == static_cast<float>(i) * (1 << 16));
        synchronize();
        empty_cache();
    }
}

}  // namespace pumice::vk
