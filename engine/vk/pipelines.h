// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/instance.h"
#include "vk/kernels.h"
#include "vk/vulkan.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace pumice::vk {

/// What kernels with the same number of storage buffers share.
struct BindingLayout {
    VkDescriptorSetLayout set = VK_NULL_HANDLE;
    VkPipelineLayout pipeline = VK_NULL_HANDLE;
    /// Reads an array of VkDescriptorBufferInfo; of the push kind where the device has that.
    VkDescriptorUpdateTemplate update = VK_NULL_HANDLE;
    std::uint32_t binding_count = 0;
};

/// A kernel under given specialization constants, ready to bind.
struct Pipeline {
    VkPipeline handle = VK_NULL_HANDLE;
    const BindingLayout* layout = nullptr;
};

/// Every pipeline that was ever asked for, made on first use and kept until the device dies.
///
/// Not thread-safe: the queue calls it under its lock. The driver's own cache is read from and
/// saved to $XDG_CACHE_HOME/pumice (or ~/.cache/pumice), unless `PUMICE_CACHE=off`.
class PipelineCache {
public:
    static constexpr std::uint32_t kMaxBindings = 8;
    static constexpr std::size_t kMaxSpecWords = 16;

    PipelineCache(const PhysicalDevice& physical,
                  const DeviceHandles& handles,
                  const VolkDeviceTable& table);
    ~PipelineCache();
    PipelineCache(const PipelineCache&) = delete;
    PipelineCache& operator=(const PipelineCache&) = delete;
    PipelineCache(PipelineCache&&) = delete;
    PipelineCache& operator=(PipelineCache&&) = delete;

    /// `spec[i]` is the value of specialization constant i; constants past its end keep the
    /// shader's default.
    /// @throws UnsupportedError naming the features that the device lacks, DeviceError,
    ///         OutOfMemoryError, InternalError
    const Pipeline& get(KernelId kernel, std::span<const std::uint32_t> spec);

    /// A pipeline that the caller destroys. @throws DeviceError, OutOfMemoryError
    Pipeline make_own(const KernelInfo& info, std::span<const std::uint32_t> spec);

    /// Where modules of kernels that were written at run time are kept for this device and driver;
    /// empty if nothing is.
    [[nodiscard]] std::string module_folder() const;

    /// Writes the driver's cache to disk if pipelines were made since the last time. Failing to is
    /// no error: the next process compiles again.
    void save() noexcept;

    [[nodiscard]] std::size_t pipeline_count() const noexcept { return entries_.size(); }

private:
    struct Entry {
        KernelId kernel{};
        std::uint32_t spec_count = 0;
        std::array<std::uint32_t, kMaxSpecWords> spec{};
        Pipeline pipeline;
    };

    /// A place of the open-addressing table; entry 0 means empty, else index + 1.
    struct Place {
        std::uint64_t hash = 0;
        std::uint32_t entry = 0;
    };

    static bool is_same(const Entry& entry, std::span<const std::uint32_t> spec) noexcept;
    const Entry& find(KernelId kernel, std::span<const std::uint32_t> spec);
    const Entry& make(KernelId kernel, std::span<const std::uint32_t> spec, std::uint64_t hash);
    void check_kernel(const KernelInfo& info, std::span<const std::uint32_t> spec) const;
    void grow();
    void put(std::uint64_t hash, std::uint32_t entry) noexcept;
    const BindingLayout& layout(std::uint32_t binding_count);
    void make_set_layout(BindingLayout& layout) const;
    void make_update_template(BindingLayout& layout) const;
    VkPipeline compile(const KernelInfo& info,
                       std::span<const std::uint32_t> spec,
                       VkPipelineLayout layout,
                       VkPipelineCache cache) const;
    void load();

    const PhysicalDevice& physical_;
    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    VkPipelineCache driver_cache_ = VK_NULL_HANDLE;
    std::string file_path_;  ///< empty when nothing is kept on disk
    bool is_changed_ = false;
    std::array<BindingLayout, kMaxBindings + 1> layouts_{};
    std::vector<Place> places_;         ///< a power of two, at most half full
    std::deque<Entry> entries_;         ///< never moves: callers hold references
    std::vector<const Entry*> recent_;  ///< by kernel: the last one asked for, found without a hash
};

}  // namespace pumice::vk
