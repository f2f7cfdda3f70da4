// SPDX-License-Identifier: Apache-2.0
#ifndef PUMICE_RANDOM_KIND_GLSL
#define PUMICE_RANDOM_KIND_GLSL

//@enum RandomKind
const uint kRandomKindUniform = 0u;
const uint kRandomKindNormal = 1u;
const uint kRandomKindInteger = 2u;

#endif
