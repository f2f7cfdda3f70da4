// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/io.h"
#include "pumice/nn/module.h"
#include "pumice/optim.h"

#include <concepts>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

/// @file
/// torch::save and torch::load with safetensors files: a tensor under the name "0", several under
/// "0", "1", ..., a module or an optimizer under the names of its state_dict. LibTorch's own files
/// (zip archives with pickles) are not read. Whether a tensor requires grad is kept (G55).
/// All throw FileError for a file that cannot be read or written.

namespace torch {

/// Writes tensors. @throws ArgumentError for an undefined one
/// @{
inline void save(const std::vector<pumice::Tensor>& tensors, const std::string& path) {
    pumice::nn::StateDict named;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        named.insert(std::to_string(i), tensors[i]);
    }
    pumice::io::save_safetensors(path, named);
}

inline void save(const pumice::Tensor& tensor, const std::string& path) {
    save(std::vector<pumice::Tensor>{tensor}, path);
}

/// @}

/// Appends the tensors of such a file, in their order.
/// @throws ArgumentError unless the names are "0", "1", ... without a gap
inline void load(std::vector<pumice::Tensor>& tensors, const std::string& path) {
    const pumice::io::SafetensorsFile file(path);
    std::vector<pumice::Tensor> loaded;
    for (std::size_t i = 0; i < file.entries().size(); ++i) {
        loaded.push_back(file.load(std::to_string(i)));
    }
    tensors.insert(tensors.end(), loaded.begin(), loaded.end());
}

/// Makes the handle one of the tensor "0" of such a file. @throws ArgumentError without that name
inline void load(pumice::Tensor& tensor, const std::string& path) {
    tensor = pumice::io::SafetensorsFile(path).load("0");
}

/// Writes a module's parameters and buffers, or an optimizer's state.
/// @{
inline void save(const pumice::nn::Module& module, const std::string& path) {
    pumice::io::save_safetensors(path, module.state_dict());
}

inline void save(const pumice::optim::Optimizer& optimizer, const std::string& path) {
    pumice::io::save_safetensors(path, optimizer.state_dict());
}

template <class Impl>
void save(const pumice::nn::ModuleHolder<Impl>& module, const std::string& path) {
    save(*module, path);
}

template <std::derived_from<pumice::nn::Module> M>
void save(const std::shared_ptr<M>& module, const std::string& path) {
    save(*module, path);
}

/// @}

/// Copies such a file's values into a module or an optimizer, which must have the same names.
/// @throws ArgumentError, ShapeError, DTypeError as their load_state_dict
/// @{
inline void load(pumice::nn::Module& module, const std::string& path) {
    module.load_state_dict(pumice::io::load_safetensors(path));
}

inline void load(pumice::optim::Optimizer& optimizer, const std::string& path) {
    optimizer.load_state_dict(pumice::io::load_safetensors(path));
}

template <class Impl>
void load(const pumice::nn::ModuleHolder<Impl>& module, const std::string& path) {
    load(*module, path);
}

template <std::derived_from<pumice::nn::Module> M>
void load(const std::shared_ptr<M>& module, const std::string& path) {
    load(*module, path);
}

/// @}

}  // namespace torch
