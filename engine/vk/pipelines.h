// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "vk/compile_gate.h"
#include "vk/instance.h"
#include "vk/kernel_use.h"
#include "vk/kernels.h"
#include "vk/vulkan.h"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace pumice::vk {

/// What kernels with the same buffers share: as many, and the same ones of them texels.
struct BindingLayout {
    VkDescriptorSetLayout set = VK_NULL_HANDLE;
    VkPipelineLayout pipeline = VK_NULL_HANDLE;
    /// Reads an array of Descriptor; of the push kind where the device has that.
    VkDescriptorUpdateTemplate update = VK_NULL_HANDLE;
    std::uint32_t binding_count = 0;
    std::uint32_t texel_mask = 0;  ///< bit i: binding i is a uniform texel buffer
    std::size_t number = 0;        ///< among the layouts of its PipelineCache
};

/// What one binding is told.
union Descriptor {
    VkDescriptorBufferInfo buffer;
    VkBufferView texels;
};

/// A kernel under given specialization constants, ready to bind.
struct Pipeline {
    VkPipeline handle = VK_NULL_HANDLE;
    const BindingLayout* layout = nullptr;
};

/// What was compiled so far: pipelines, those of kernels written at run time too, and the driver's
/// time for them, that of several threads added up.
struct CompileStats {
    std::size_t pipeline_count = 0;
    std::uint64_t driver_ns = 0;
};

/// Every pipeline that was ever asked for, made on first use and kept until the device dies.
/// Thread-safe. See Note [Compiling] in pipelines.cpp.
///
/// The driver's own cache is read from and saved to $XDG_CACHE_HOME/pumice (or ~/.cache/pumice),
/// unless `PUMICE_CACHE=off` or the driver keeps nothing in it.
class PipelineCache {
public:
    static constexpr std::uint32_t kMaxBindings = 8;
    static constexpr std::size_t kMaxSpecWords = 16;

    /// Which bindings of a kernel are texels on this device.
    [[nodiscard]] std::uint32_t texel_mask_of(const KernelInfo& info) const noexcept {
        return physical_.capabilities.reads_texels ? info.texel_mask : 0;
    }

    PipelineCache(const PhysicalDevice& physical,
                  const DeviceHandles& handles,
                  const VolkDeviceTable& table);
    ~PipelineCache();
    PipelineCache(const PipelineCache&) = delete;
    PipelineCache& operator=(const PipelineCache&) = delete;
    PipelineCache(PipelineCache&&) = delete;
    PipelineCache& operator=(PipelineCache&&) = delete;

    /// The pipeline if it is there. Takes no lock.
    const Pipeline* find(const KernelUse& use) noexcept;

    /// The same, made if it is not there; waits for nothing but that pipeline. Constants past the
    /// end of `spec` keep the shader's default. Never under a lock that others want: a driver may
    /// take seconds.
    /// @throws UnsupportedError naming the features that the device lacks, DeviceError,
    ///         OutOfMemoryError, InternalError
    const Pipeline& get(const KernelUse& use);

    /// Makes all that are not there, several at once. @throws as `get`
    void prepare(std::span<const KernelUse> uses);

    /// A pipeline that the caller destroys. @throws DeviceError, OutOfMemoryError
    Pipeline make_own(const KernelInfo& info, std::span<const std::uint32_t> spec);

    /// Where every thread is while it compiles.
    CompileGate& gate() noexcept { return gate_; }

    /// Where modules of kernels that were written at run time are kept for this device and driver;
    /// empty if nothing is.
    [[nodiscard]] std::string module_folder() const;

    /// Writes the driver's cache to disk if pipelines were made since the last time. Failing to is
    /// no error: the next process compiles again.
    void save() noexcept;

    [[nodiscard]] std::size_t pipeline_count() const noexcept { return pipeline_count_; }

    [[nodiscard]] CompileStats compile_stats() const noexcept {
        return {compiled_count_, driver_ns_};
    }

private:
    struct Entry {
        KernelId kernel{};
        std::uint32_t spec_count = 0;
        std::array<std::uint32_t, kMaxSpecWords> spec{};
        std::uint64_t hash = 0;
        bool is_being_made = false;         ///< under the lock
        std::atomic<bool> is_made = false;  ///< and the pipeline never changes from here on
        Pipeline pipeline;
    };

    /// Open addressing, at most half full; a power of two slots. Entries are only ever added.
    struct Table {
        explicit Table(std::size_t slot_count) : slots(slot_count) {}

        std::vector<std::atomic<Entry*>> slots;
    };

    static bool is_same(const Entry& entry, std::span<const std::uint32_t> spec) noexcept;
    static void put(Table& table, Entry& entry) noexcept;
    [[nodiscard]] Entry* look_up(const KernelUse& use, std::uint64_t hash) const noexcept;
    Entry& entry_of(const KernelUse& use);
    const Pipeline& make(Entry& entry);
    Pipeline compile_for(const Entry& entry);
    void grow();
    void check_kernel(const KernelInfo& info, std::span<const std::uint32_t> spec) const;
    [[nodiscard]] KernelCode code_of(const KernelInfo& info) const noexcept;
    const BindingLayout& layout_of(const KernelInfo& kernel);
    void make_set_layout(BindingLayout& layout) const;
    void make_update_template(BindingLayout& layout) const;
    VkPipeline compile(const KernelInfo& info,
                       std::span<const std::uint32_t> spec,
                       VkPipelineLayout layout,
                       VkPipelineCache cache);
    VkPipeline compile_kept(const KernelInfo& info,
                            std::span<const std::uint32_t> spec,
                            VkPipelineLayout layout);
    [[nodiscard]] bool is_cache_empty() const noexcept;
    void load();

    const PhysicalDevice& physical_;
    const DeviceHandles& handles_;
    const VolkDeviceTable& table_;
    VkPipelineCache driver_cache_ = VK_NULL_HANDLE;
    std::string file_path_;                     ///< empty when nothing is kept on disk
    std::atomic<bool> is_changed_ = false;      ///< since the cache was saved
    std::atomic<bool> keeps_pipelines_ = true;  ///< the driver does in its cache, as far as known
    std::atomic<std::size_t> pipeline_count_ = 0;
    std::atomic<std::size_t> compiled_count_ = 0;
    std::atomic<std::uint64_t> driver_ns_ = 0;
    CompileGate gate_;
    std::atomic<Table*> table_of_entries_ = nullptr;  ///< the last one
    /// By kernel: the last one asked for, found without a hash.
    std::vector<std::atomic<const Entry*>> recent_;
    std::mutex mutex_;              ///< guards what follows; never held during a compilation
    std::condition_variable made_;  ///< or given up
    std::deque<Entry> entries_;     ///< never moves: readers hold references
    std::vector<std::unique_ptr<Table>> tables_;  ///< older ones, too: somebody may be reading
    std::deque<BindingLayout> layouts_;           ///< never moves, as the entries
};

}  // namespace pumice::vk
