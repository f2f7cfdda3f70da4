// SPDX-License-Identifier: Apache-2.0
#include "vk/pipelines.h"

#include "pumice/error.h"

#include "vk/cache_file.h"
#include "vk/check.h"
#include "vk/features.h"

#include <algorithm>

namespace pumice::vk {
namespace {

constexpr std::size_t kFirstPlaces = 256;

std::uint64_t hash_of(KernelId kernel, std::span<const std::uint32_t> spec) noexcept {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
    std::uint64_t hash = (static_cast<std::uint64_t>(kernel) + 1) * kOdd;
    for (const std::uint32_t word : spec) {
        hash = (hash ^ word) * kOdd;
        hash ^= hash >> 32U;
    }
    return hash;
}

}  // namespace

PipelineCache::PipelineCache(const PhysicalDevice& physical,
                             const DeviceHandles& handles,
                             const VolkDeviceTable& table)
    : physical_(physical),
      handles_(handles),
      table_(table),
      places_(kFirstPlaces),
      recent_(static_cast<std::size_t>(KernelId::kCount)) {
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
    if (file_path_.empty() || !is_changed_) {
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
        is_changed_ = false;
    } catch (...) {  // NOLINT(bugprone-empty-catch): a cache that is not saved costs time only
    }
}

std::string PipelineCache::module_folder() const {
    return file_path_.empty() ? "" : file_path_.substr(0, file_path_.rfind('.'));
}

const Pipeline& PipelineCache::get(KernelId kernel, std::span<const std::uint32_t> spec) {
    const Entry*& recent = recent_[static_cast<std::size_t>(kernel)];
    if (recent != nullptr && is_same(*recent, spec)) [[likely]] {
        return recent->pipeline;
    }
    const Entry& entry = find(kernel, spec);
    recent = &entry;
    return entry.pipeline;
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

const PipelineCache::Entry& PipelineCache::find(KernelId kernel,
                                                std::span<const std::uint32_t> spec) {
    const std::uint64_t hash = hash_of(kernel, spec);
    const std::size_t mask = places_.size() - 1;
    for (std::size_t at = hash & mask; places_[at].entry != 0; at = (at + 1) & mask) {
        if (places_[at].hash != hash) {
            continue;
        }
        const Entry& entry = entries_[places_[at].entry - 1];
        if (entry.kernel == kernel && is_same(entry, spec)) {
            return entry;
        }
    }
    return make(kernel, spec, hash);
}

Pipeline PipelineCache::make_own(const KernelInfo& info, std::span<const std::uint32_t> spec) {
    Pipeline pipeline{.layout = &layout(info.binding_count + (info.reports ? 1U : 0U))};
    pipeline.handle = compile(info, spec, pipeline.layout->pipeline, driver_cache_);
    is_changed_ = true;
    return pipeline;
}

const PipelineCache::Entry& PipelineCache::make(KernelId kernel,
                                                std::span<const std::uint32_t> spec,
                                                std::uint64_t hash) {
    const KernelInfo& info = kernel_info(kernel);
    check_kernel(info, spec);
    // Of this process alone: nothing to keep.
    const bool is_kept = kernel != KernelId::kDeviceNumber;
    if (2 * (entries_.size() + 1) > places_.size()) {
        grow();
    }
    Entry& entry = entries_.emplace_back();
    try {
        entry.kernel = kernel;
        entry.spec_count = static_cast<std::uint32_t>(spec.size());
        std::copy(spec.begin(), spec.end(), entry.spec.begin());
        entry.pipeline.layout = &layout(info.binding_count + (info.reports ? 1U : 0U));
        entry.pipeline.handle = compile(
            info, spec, entry.pipeline.layout->pipeline, is_kept ? driver_cache_ : VK_NULL_HANDLE);
    } catch (...) {
        entries_.pop_back();
        throw;
    }
    put(hash, static_cast<std::uint32_t>(entries_.size()));
    is_changed_ |= is_kept;
    return entry;
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

void PipelineCache::put(std::uint64_t hash, std::uint32_t entry) noexcept {
    const std::size_t mask = places_.size() - 1;
    std::size_t at = hash & mask;
    while (places_[at].entry != 0) {
        at = (at + 1) & mask;
    }
    places_[at] = {hash, entry};
}

void PipelineCache::grow() {
    std::vector<Place> old(places_.size() * 2);
    old.swap(places_);
    for (const Place& place : old) {
        if (place.entry != 0) {
            put(place.hash, place.entry);
        }
    }
}

const BindingLayout& PipelineCache::layout(std::uint32_t binding_count) {
    BindingLayout& layout = layouts_[binding_count];
    layout.binding_count = binding_count;
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
        bindings[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
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
        entries[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        entries[i].offset = i * sizeof(VkDescriptorBufferInfo);
        entries[i].stride = sizeof(VkDescriptorBufferInfo);
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
                                  VkPipelineCache cache) const {
    VkShaderModuleCreateInfo code{};
    code.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
    code.codeSize = std::size_t{info.word_count} * sizeof(std::uint32_t);
    code.pCode = info.code;
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
    return made;
}

}  // namespace pumice::vk
