// SPDX-License-Identifier: Apache-2.0
// Tutorial 1: tensors, views, autograd, and a line fitted by gradient descent.
#include <pumice/pumice.h>

#include <cstdio>
#include <exception>
#include <iostream>

namespace {

using namespace pumice;

void show_tensors() {
    Tensor x = arange(6).view({2, 3});  // int32, two rows of three
    std::cout << x << "\n\n";
    std::cout << x + tensor({10, 20, 30}) << "\n\n";  // the row is broadcast
    x.select(1, 0).fill_(6);                          // a view: writing it writes x
    std::cout << x << "\n\n";
    std::cout << mean(x.to(kFloat32), {1}) << "\n\n";
}

void show_gradients() {
    Tensor x = tensor({1.0F, 2.0F, 3.0F});
    x.set_requires_grad(true);
    const Tensor y = sum(x * x);
    y.backward();
    std::cout << x.grad() << "\n\n";  // dy/dx = 2 x

    // Nothing is recorded here, so there is nothing to walk back over.
    const Tensor z = no_grad([&] { return sum(x * x); });
    std::cout << "requires grad: " << z.requires_grad() << "\n\n";
}

// y = 3 x - 1, seen at eight points.
void fit_a_line() {
    const Tensor x = arange(8).to(kFloat32) / 8.0;
    const Tensor y = x * 3.0 - 1.0;
    Tensor slope = zeros({1}, {kFloat32, true});
    Tensor offset = zeros({1}, {kFloat32, true});
    for (int step = 0; step < 400; ++step) {
        const Tensor loss = mse_loss(x * slope + offset, y);
        loss.backward();
        const NoGradGuard guard;  // the update itself is not to be recorded
        slope -= slope.grad() * 0.5;
        offset -= offset.grad() * 0.5;
        slope.set_grad({});
        offset.set_grad({});
    }
    std::printf("slope %.3f, offset %.3f\n", slope.item<double>(), offset.item<double>());
}

}  // namespace

int main() {
    try {
        show_tensors();
        show_gradients();
        fit_a_line();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
