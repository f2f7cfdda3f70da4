// SPDX-License-Identifier: Apache-2.0
// Division by numbers that the host knows (ops::divisor_of).
#ifndef PUMICE_DIVIDE_GLSL
#define PUMICE_DIVIDE_GLSL

// n / divisor for n < 2^31.
uint divide(uint n, uint magic, uint shift) {
    uint high, low;
    umulExtended(n, magic, high, low);
    return (high + n) >> shift;
}

#endif
