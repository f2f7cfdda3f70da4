// SPDX-License-Identifier: Apache-2.0
// Where chains of maps enter a kernel that is compiled again at run time, with the functions behind
// these names written for it (engine/graph/hosted_kernel.cpp). The kernel says in its head which
// bindings they are about: //@hook result BINDING, //@hook operand BINDING... (all of one
// tensor, the one at the first of them. A call that has no tensor for another binding binds that
// tensor there too; a tensor of its own there is read without the hook). It also defines
// UNKNOWN_ZERO, a uint that is 0 whenever it runs, of a push constant, so that no compiler knows
// (Note [Opaque bits] in engine/graph/chain.cpp).
#ifndef PUMICE_HOOKS_GLSL
#define PUMICE_HOOKS_GLSL

#include "dtype.glsl"

// What is stored instead of a result's bits, right-aligned both, at its element of the output.
#ifdef HOOKS_RESULT
uint hooked_result(uint bits, uint element);
#else
#define hooked_result(bits, element) (bits)
#endif

// The word that holds an element of the operand: `word`, or one that never was in memory.
#ifdef HOOKS_OPERAND
uint hooked_operand(uint element);
#define operand_word(word, element, dtype) place_bits(hooked_operand(element), element, dtype)
#else
#define operand_word(word, element, dtype) (word)
#endif

#endif
