// SPDX-License-Identifier: Apache-2.0
// Options of a group of parameters.
#include "pumice/optim/param_group.h"

#include "pumice/error.h"

namespace pumice::optim {

OptimizerParamGroup::OptimizerParamGroup(const OptimizerParamGroup& other)
    : params_(other.params_), options_(other.has_options() ? other.options_->clone() : nullptr) {}

OptimizerParamGroup& OptimizerParamGroup::operator=(const OptimizerParamGroup& other) {
    OptimizerParamGroup copy(other);
    return *this = std::move(copy);
}

OptimizerOptions& OptimizerParamGroup::options() const {
    if (options_ == nullptr) {
        throw ArgumentError("OptimizerParamGroup",
                            "wanted a group with options; got one that will have the optimizer's");
    }
    return *options_;
}

}  // namespace pumice::optim
