// SPDX-License-Identifier: Apache-2.0
// Pipelines by kernel and constants, and the layouts that they share.
#include "vk/pipelines.h"

#include "pumice/error.h"

#include "base/at_once.h"
#include "vk/cache_file.h"
#include "vk/check.h"
#include "vk/features.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <iterator>

namespace pumice::vk {
namespace {

constexpr std::size_t kFirstPlaces = 256;

// Note [Compiling]: drivers take milliseconds for a pipeline, some seconds, so nobody compiles
// under a lock. The queue has every pipeline of a call in hand before it takes its own lock. A
// pipeline that is there is found without a lock: entries are only ever added to the table, and a
// table that is full is replaced by a larger one and kept, for somebody may be reading it. Whoever
// asks for a pipeline first makes it; who asks for the same one meanwhile waits for that one, and
// tries himself if it failed. Several that are wanted together are made at once (`prepare`).
//
// A driver's cache (VkPipelineCache) keeps pipelines by their SPIR-V, their constants and its own
// version. SwiftShader locks it while it compiles, so that one thread compiles at a time, and
// writes nothing of it to a file; lavapipe does not either. A driver whose cache is empty after a
// pipeline was made with it gets none any more.

std::uint64_t hash_of(const KernelUse& use) noexcept {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
    std::uint64_t hash = (static_cast<std::uint64_t>(use.kernel) + 1) * kOdd;
    for (const std::uint32_t word : use.spec) {
        hash = (hash ^ word) * kOdd;
        hash ^= hash >> 32U;
    }
    return hash;
}

VkDescriptorType descriptor_type(const BindingLayout& layout, std::uint32_t binding) noexcept {
    return (layout.texel_mask >> binding & 1U) != 0 ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                                                    : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
}

}  // namespace

PipelineCache::PipelineCache(const PhysicalDevice& physical,
                             const DeviceHandles& handles,
                             const VolkDeviceTable& table)
    : physical_(physical),
      handles_(handles),
      table_(table),
      recent_(static_cast<std::size_t>(KernelId::kCount)) {
    table_of_entries_ = tables_.emplace_back(std::make_unique<Table>(kFirstPlaces)).get();
    load();
}

PipelineCache::~PipelineCache() {
    save();
    for (const Entry& entry : entries_) {
        table_.vkDestroyPipeline(handles_.device, entry.pipeline.handle, nullptr);
    }
    for (const BindingLayout& each : layouts_) {
        table_.vkDestroyDescriptorUpdateTemplate(handles_.device, each.update, nullptr);
        table_.vkDestroyPipelineLayout(handles_.device, each.pipeline, nullptr);
        table_.vkDestroyDescriptorSetLayout(handles_.device, each.set, nullptr);
    }
    table_.vkDestroyPipelineCache(handles_.device, driver_cache_, nullptr);
}

void PipelineCache::load() {
    file_path_ = cache_file_path(physical_.info.uuid, physical_.properties.driverVersion);
    const std::vector<std::byte> bytes = read_cache_file(file_path_, physical_.properties);
    VkPipelineCacheCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
    info.initialDataSize = bytes.size();
    info.pInitialData = bytes.data();
    const VkResult result =
        table_.vkCreatePipelineCache(handles_.device, &info, nullptr, &driver_cache_);
    if (result >= 0) {
        return;
    }
    info.initialDataSize = 0;  // the driver may refuse what an earlier build of it wrote
    PUMICE_VK_CHECK(table_.vkCreatePipelineCache(handles_.device, &info, nullptr, &driver_cache_),
                    "vkCreatePipelineCache");
}

void PipelineCache::save() noexcept {
    if (file_path_.empty() || !is_changed_.exchange(false)) {
        return;
    }
    try {
        std::size_t size_bytes = 0;
        PUMICE_VK_CHECK(
            table_.vkGetPipelineCacheData(handles_.device, driver_cache_, &size_bytes, nullptr),
            "vkGetPipelineCacheData");
        std::vector<std::byte> bytes(size_bytes);
        PUMICE_VK_CHECK(table_.vkGetPipelineCacheData(
                            handles_.device, driver_cache_, &size_bytes, bytes.data()),
                        "vkGetPipelineCacheData");
        bytes.resize(size_bytes);
        write_summed_file(file_path_, bytes, CacheFileKind::kPipelines);
    } catch (...) {  // a cache that is not saved costs time only
    }
}

std::string PipelineCache::module_folder() const {
    return file_path_.empty() ? "" : file_path_.substr(0, file_path_.rfind('.'));
}

const Pipeline* PipelineCache::find(const KernelUse& use) noexcept {
    std::atomic<const Entry*>& recent = recent_[static_cast<std::size_t>(use.kernel)];
    const Entry* const last = recent.load(std::memory_order_acquire);
    if (last != nullptr && is_same(*last, use.spec)) [[likely]] {
        return &last->pipeline;
    }
    const Entry* const entry = look_up(use, hash_of(use));
    if (entry == nullptr || !entry->is_made.load(std::memory_order_acquire)) {
        return nullptr;
    }
    recent.store(entry, std::memory_order_release);
    return &entry->pipeline;
}

const Pipeline& PipelineCache::get(const KernelUse& use) {
    const Pipeline* const found = find(use);
    return found != nullptr ? *found : make(entry_of(use));
}

void PipelineCache::prepare(std::span<const KernelUse> uses) {
    std::vector<Entry*> missing;
    for (const KernelUse& use : uses) {
        if (find(use) != nullptr) {
            continue;
        }
        Entry* const entry = &entry_of(use);
        if (std::find(missing.begin(), missing.end(), entry) == missing.end()) {
            missing.push_back(entry);
        }
    }
    do_at_once(missing.size(), [&](std::size_t i) { make(*missing[i]); });
}

bool PipelineCache::is_same(const Entry& entry, std::span<const std::uint32_t> spec) noexcept {
    if (entry.spec_count != spec.size()) {
        return false;
    }
    // A handful of words: a call of memcmp would cost more than the comparison.
    std::uint32_t difference = 0;
    for (std::size_t i = 0; i < spec.size(); ++i) {
        difference |= entry.spec[i] ^ spec[i];
    }
    return difference == 0;
}

PipelineCache::Entry* PipelineCache::look_up(const KernelUse& use,
                                             std::uint64_t hash) const noexcept {
    const Table& table = *table_of_entries_.load(std::memory_order_acquire);
    const std::size_t mask = table.slots.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
        Entry* const entry = table.slots[at].load(std::memory_order_acquire);
        if (entry == nullptr ||
            (entry->hash == hash && entry->kernel == use.kernel && is_same(*entry, use.spec))) {
            return entry;
        }
    }
}

// The use's entry, which may have no pipeline yet.
PipelineCache::Entry& PipelineCache::entry_of(const KernelUse& use) {
    check_kernel(kernel_info(use.kernel), use.spec);
    const std::uint64_t hash = hash_of(use);
    const std::lock_guard lock(mutex_);
    if (Entry* const entry = look_up(use, hash); entry != nullptr) {
        return *entry;
    }
    if (2 * (entries_.size() + 1) > tables_.back()->slots.size()) {
        grow();
    }
    Entry& entry = entries_.emplace_back();
    entry.kernel = use.kernel;
    entry.spec_count = static_cast<std::uint32_t>(use.spec.size());
    std::copy(use.spec.begin(), use.spec.end(), entry.spec.begin());
    entry.hash = hash;
    put(*tables_.back(), entry);
    return entry;
}

const Pipeline& PipelineCache::make(Entry& entry) {
    const CompileGate::Stay stay(gate_);
    std::unique_lock lock(mutex_);
    made_.wait(lock, [&entry] { return !entry.is_being_made; });
    if (entry.is_made) {
        return entry.pipeline;
    }
    entry.is_being_made = true;
    lock.unlock();
    try {
        const Pipeline made = compile_for(entry);
        lock.lock();
        entry.pipeline = made;
        entry.is_made.store(true, std::memory_order_release);
        ++pipeline_count_;
    } catch (...) {
        lock.lock();
        entry.is_being_made = false;
        made_.notify_all();
        throw;
    }
    entry.is_being_made = false;
    made_.notify_all();
    return entry.pipeline;
}

Pipeline PipelineCache::compile_for(const Entry& entry) {
    const KernelInfo& info = kernel_info(entry.kernel);
    const std::span spec(entry.spec.data(), entry.spec_count);
    Pipeline pipeline{.layout = &layout_of(info)};
    const VkPipelineLayout its_layout = pipeline.layout->pipeline;
    // The device's number is of this process alone: nothing to keep.
    pipeline.handle = entry.kernel == KernelId::kDeviceNumber
                          ? compile(info, spec, its_layout, VK_NULL_HANDLE)
                          : compile_kept(info, spec, its_layout);
    return pipeline;
}

Pipeline PipelineCache::make_own(const KernelInfo& info, std::span<const std::uint32_t> spec) {
    const CompileGate::Stay stay(gate_);
    Pipeline pipeline{.layout = &layout_of(info)};
    pipeline.handle = compile_kept(info, spec, pipeline.layout->pipeline);
    return pipeline;
}

VkPipeline PipelineCache::compile_kept(const KernelInfo& info,
                                       std::span<const std::uint32_t> spec,
                                       VkPipelineLayout layout) {
    if (!keeps_pipelines_) {
        return compile(info, spec, layout, VK_NULL_HANDLE);
    }
    const VkPipeline made = compile(info, spec, layout, driver_cache_);
    if (!is_changed_.exchange(true) && is_cache_empty()) {
        keeps_pipelines_ = false;
        is_changed_ = false;
    }
    return made;
}

bool PipelineCache::is_cache_empty() const noexcept {
    std::size_t size_bytes = 0;
    const VkResult result =
        table_.vkGetPipelineCacheData(handles_.device, driver_cache_, &size_bytes, nullptr);
    return result >= 0 && size_bytes <= sizeof(VkPipelineCacheHeaderVersionOne);
}

void PipelineCache::check_kernel(const KernelInfo& info,
                                 std::span<const std::uint32_t> spec) const {
    const std::uint32_t lacking = info.features & ~physical_.capabilities.features;
    if (lacking != 0) {
        throw UnsupportedError(info.name, physical_.info.name + " lacks " + feature_names(lacking));
    }
    if (info.code == nullptr) {
        throw UnsupportedError(info.name, "this build's shader compiler could not make the kernel");
    }
    if (spec.size() > info.spec_count || spec.size() > kMaxSpecWords) {
        throw InternalError(
            info.name,
            "too many specialization constants; got " + std::to_string(spec.size()) +
                ", wanted at most " +
                std::to_string(std::min<std::size_t>(info.spec_count, kMaxSpecWords)));
    }
    if (info.binding_count + (info.reports ? 1U : 0U) > kMaxBindings) {
        throw InternalError(info.name, "more than 8 storage buffers");
    }
}

void PipelineCache::put(Table& table, Entry& entry) noexcept {
    const std::size_t mask = table.slots.size() - 1;
    std::size_t at = entry.hash & mask;
    while (table.slots[at].load(std::memory_order_relaxed) != nullptr) {
        at = (at + 1) & mask;
    }
    table.slots[at].store(&entry, std::memory_order_release);
}

void PipelineCache::grow() {
    auto larger = std::make_unique<Table>(2 * tables_.back()->slots.size());
    for (Entry& entry : entries_) {
        put(*larger, entry);
    }
    tables_.push_back(std::move(larger));
    table_of_entries_.store(tables_.back().get(), std::memory_order_release);
}

// A kernel that was written at run time has one module, which reads texels where texel_mask says
// so.
KernelCode PipelineCache::code_of(const KernelInfo& info) const noexcept {
    const bool has_other = info.texel_code.words != nullptr;
    return has_other && physical_.capabilities.reads_texels
               ? info.texel_code
               : KernelCode{info.code, info.word_count};
}

const BindingLayout& PipelineCache::layout_of(const KernelInfo& kernel) {
    const std::uint32_t binding_count = kernel.binding_count + (kernel.reports ? 1U : 0U);
    const std::uint32_t texel_mask = texel_mask_of(kernel);
    const std::lock_guard lock(mutex_);
    auto found = std::find_if(layouts_.begin(), layouts_.end(), [&](const BindingLayout& each) {
        return each.binding_count == binding_count && each.texel_mask == texel_mask;
    });
    if (found == layouts_.end()) {
        layouts_.push_back(
            {.binding_count = binding_count, .texel_mask = texel_mask, .number = layouts_.size()});
        found = std::prev(layouts_.end());
    }
    BindingLayout& layout = *found;
    // Each step is skipped when an earlier call got past it before a later step failed.
    if (layout.set == VK_NULL_HANDLE) {
        make_set_layout(layout);
    }
    if (layout.pipeline == VK_NULL_HANDLE) {
        // One range for all, so that kernels differ in their number of buffers only.
        const VkPushConstantRange range{
            VK_SHADER_STAGE_COMPUTE_BIT, 0, physical_.capabilities.max_push_bytes};
        VkPipelineLayoutCreateInfo info{};
        info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
        info.setLayoutCount = 1;
        info.pSetLayouts = &layout.set;
        info.pushConstantRangeCount = 1;
        info.pPushConstantRanges = &range;
        PUMICE_VK_CHECK(
            table_.vkCreatePipelineLayout(handles_.device, &info, nullptr, &layout.pipeline),
            "vkCreatePipelineLayout");
    }
    if (layout.update == VK_NULL_HANDLE && binding_count > 0) {
        make_update_template(layout);
    }
    return layout;
}

void PipelineCache::make_set_layout(BindingLayout& layout) const {
    std::array<VkDescriptorSetLayoutBinding, kMaxBindings> bindings{};
    for (std::uint32_t i = 0; i < layout.binding_count; ++i) {
        bindings[i].binding = i;
        bindings[i].descriptorType = descriptor_type(layout, i);
        bindings[i].descriptorCount = 1;
        bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
    }
    VkDescriptorSetLayoutCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
    info.flags = physical_.capabilities.has_push_descriptors
                     ? VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR
                     : 0;
    info.bindingCount = layout.binding_count;
    info.pBindings = bindings.data();
    PUMICE_VK_CHECK(
        table_.vkCreateDescriptorSetLayout(handles_.device, &info, nullptr, &layout.set),
        "vkCreateDescriptorSetLayout");
}

void PipelineCache::make_update_template(BindingLayout& layout) const {
    std::array<VkDescriptorUpdateTemplateEntry, kMaxBindings> entries{};
    for (std::uint32_t i = 0; i < layout.binding_count; ++i) {
        entries[i].dstBinding = i;
        entries[i].descriptorCount = 1;
        entries[i].descriptorType = descriptor_type(layout, i);
        entries[i].offset = i * sizeof(Descriptor);
        entries[i].stride = sizeof(Descriptor);
    }
    VkDescriptorUpdateTemplateCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_UPDATE_TEMPLATE_CREATE_INFO;
    info.descriptorUpdateEntryCount = layout.binding_count;
    info.pDescriptorUpdateEntries = entries.data();
    info.templateType = physical_.capabilities.has_push_descriptors
                            ? VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_PUSH_DESCRIPTORS_KHR
                            : VK_DESCRIPTOR_UPDATE_TEMPLATE_TYPE_DESCRIPTOR_SET;
    info.descriptorSetLayout = layout.set;
    info.pipelineBindPoint = VK_PIPELINE_BIND_POINT_COMPUTE;
    info.pipelineLayout = layout.pipeline;
    PUMICE_VK_CHECK(
        table_.vkCreateDescriptorUpdateTemplate(handles_.device, &info, nullptr, &layout.update),
        "vkCreateDescriptorUpdateTemplate");
}

VkPipeline PipelineCache::compile(const KernelInfo& info,
                                  std::span<const std::uint32_t> spec,
                                  VkPipelineLayout layout,
                                  VkPipelineCache cache) {
    const auto begin = std::chrono::steady_clock::now();
    VkShaderModuleCreateInfo code{};
    code.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
    code.codeSize = std::size_t{code_of(info).word_count} * sizeof(std::uint32_t);
    code.pCode = code_of(info).words;
    VkShaderModule module = VK_NULL_HANDLE;
    PUMICE_VK_CHECK(table_.vkCreateShaderModule(handles_.device, &code, nullptr, &module),
                    "vkCreateShaderModule");

    std::vector<VkSpecializationMapEntry> map(spec.size());
    for (std::uint32_t i = 0; i < spec.size(); ++i) {
        map[i] = {i, static_cast<std::uint32_t>(i * sizeof(std::uint32_t)), sizeof(std::uint32_t)};
    }
    const VkSpecializationInfo constants{
        static_cast<std::uint32_t>(spec.size()), map.data(), spec.size_bytes(), spec.data()};
    VkComputePipelineCreateInfo pipeline{};
    pipeline.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
    pipeline.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
    pipeline.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
    pipeline.stage.module = module;
    pipeline.stage.pName = "main";
    pipeline.stage.pSpecializationInfo = &constants;
    pipeline.layout = layout;
    VkPipeline made = VK_NULL_HANDLE;
    const VkResult result =
        table_.vkCreateComputePipelines(handles_.device, cache, 1, &pipeline, nullptr, &made);
    table_.vkDestroyShaderModule(handles_.device, module, nullptr);
    PUMICE_VK_CHECK(result, "vkCreateComputePipelines for " + std::string(info.name));
    const std::chrono::nanoseconds taken = std::chrono::steady_clock::now() - begin;
    driver_ns_ += static_cast<std::uint64_t>(taken.count());
    ++compiled_count_;
    return made;
}

}  // namespace pumice::vk
