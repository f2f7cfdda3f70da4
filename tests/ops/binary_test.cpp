// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace pumice::test {

namespace {

struct Case {
    const char* name;
    std::function<Tensor(Tensor, Tensor)> op;
    std::function<double(double, double)> reference;
    double low;
    double high;
};

const std::vector<Case>& arithmetic() {
    static const std::vector<Case> all = {
        {"add",
         [](Tensor a, Tensor b) { return add(std::move(a), std::move(b)); },
         [](double a, double b) { return a + b; },
         -3,
         3},
        {"add with alpha",
         [](Tensor a, Tensor b) { return add(std::move(a), std::move(b), 2.5); },
         [](double a, double b) { return a + 2.5 * b; },
         -3,
         3},
        {"sub",
         [](Tensor a, Tensor b) { return sub(std::move(a), std::move(b)); },
         [](double a, double b) { return a - b; },
         -3,
         3},
        {"sub with alpha",
         [](Tensor a, Tensor b) { return sub(std::move(a), std::move(b), 0.5); },
         [](double a, double b) { return a - 0.5 * b; },
         -3,
         3},
        {"mul",
         [](Tensor a, Tensor b) { return mul(std::move(a), std::move(b)); },
         [](double a, double b) { return a * b; },
         -3,
         3},
        {"div",
         [](Tensor a, Tensor b) { return div(std::move(a), std::move(b)); },
         [](double a, double b) { return a / b; },
         0.5,
         3},
        {"pow",
         [](Tensor a, Tensor b) { return pow(std::move(a), std::move(b)); },
         [](double a, double b) { return std::pow(a, b); },
         0.5,
         3},
        {"maximum", maximum, [](double a, double b) { return std::max(a, b); }, -3, 3},
        {"minimum", minimum, [](double a, double b) { return std::min(a, b); }, -3, 3},
    };
    return all;
}

// The same for a number at the right.
struct ScalarCase {
    const char* name;
    std::function<Tensor(Tensor)> op;
    std::function<double(double)> reference;
};

const std::vector<ScalarCase>& with_numbers() {
    static const std::vector<ScalarCase> all = {
        {"add", [](Tensor a) { return add(std::move(a), 1.5); }, [](double a) { return a + 1.5; }},
        {"sub", [](Tensor a) { return sub(std::move(a), 1.5); }, [](double a) { return a - 1.5; }},
        {"rsub",
         [](Tensor a) { return rsub(std::move(a), 1.5); },
         [](double a) { return 1.5 - a; }},
        {"mul", [](Tensor a) { return mul(std::move(a), 1.5); }, [](double a) { return a * 1.5; }},
        {"div", [](Tensor a) { return div(std::move(a), 1.5); }, [](double a) { return a / 1.5; }},
        {"pow 2", [](Tensor a) { return pow(std::move(a), 2); }, [](double a) { return a * a; }},
        {"pow 0", [](Tensor a) { return pow(std::move(a), 0); }, [](double) { return 1.0; }},
        {"pow -1.5",
         [](Tensor a) { return pow(std::move(a), -1.5); },
         [](double a) { return std::pow(a, -1.5); }},
    };
    return all;
}

std::vector<double> broadcast_map(const Tensor& a,
                                  const Tensor& b,
                                  const Dims& sizes,
                                  const std::function<double(double, double)>& reference) {
    const std::vector<double> left = expand(a, sizes).to_vector<double>();
    const std::vector<double> right = expand(b, sizes).to_vector<double>();
    std::vector<double> wanted;
    for (std::size_t i = 0; i < left.size(); ++i) {
        wanted.push_back(reference(left[i], right[i]));
    }
    return wanted;
}

}  // namespace

TEST_CASE("binary operators agree in all modes, shapes and dtypes") {
    for (const Case& test : arithmetic()) {
        INFO(test.name);
        const Function function = [&](const std::vector<Tensor>& in) {
            return test.op(in[0], in[1]);
        };
        for (const std::int64_t count : {0, 1, 7, 257}) {
            for (const DType dtype : {kFloat32, kFloat16, kBFloat16}) {
                const Tensor a = random_tensor({count}, test.low, test.high, 3, dtype);
                const Tensor b = random_tensor({count}, test.low, test.high, 4, dtype);
                const Tensor y = check_modes(function, {a, b});
                CHECK(y.dtype() == dtype);
                check_close(y, broadcast_map(a, b, {count}, test.reference));
            }
        }
    }
}

TEST_CASE("binary operators broadcast and take views") {
    struct Shapes {
        Dims a;
        Dims b;
        Dims result;
    };

    const Shapes shapes[] = {{{5, 7}, {7}, {5, 7}},
                             {{5, 1}, {1, 7}, {5, 7}},
                             {{}, {3, 2}, {3, 2}},
                             {{2, 1, 3, 1}, {4, 1, 5}, {2, 4, 3, 5}},
                             {{3, 0}, {1, 1}, {3, 0}},
                             {{2, 1, 2, 1, 3, 1}, {1, 3, 1, 2, 1, 2}, {2, 3, 2, 2, 3, 2}}};
    for (const Shapes& shape : shapes) {
        const Tensor a = random_tensor(shape.a, 0.5, 3, 1);
        const Tensor b = random_tensor(shape.b, 0.5, 3, 2);
        for (const Case& test : arithmetic()) {
            INFO(test.name << " " << to_string(shape.a) << " " << to_string(shape.b));
            const Tensor y = test.op(a, b);
            CHECK(y.sizes() == shape.result);
            check_close(y, broadcast_map(a, b, shape.result, test.reference));
        }
    }
    const Tensor base = random_tensor({8, 9, 10});
    const Tensor view = base.transpose(0, 2).slice(1, 1, 9, 2);
    const Tensor other = random_tensor({10, 1, 8}).slice(2, 0, 8);
    check_close(add(view, other),
                broadcast_map(view, other, {10, 4, 8}, [](double a, double b) { return a + b; }));
    check_throws<ShapeError>(
        [] {
            add(zeros({2, 3}), zeros({4}));
        },
        "[add] the operands' shapes must broadcast; got a [2, 3] float32 and b [4] float32");
}

TEST_CASE("binary operators with a number") {
    const Tensor x = random_tensor({5, 13}, 0.5, 3);
    for (const ScalarCase& test : with_numbers()) {
        INFO(test.name);
        const Function function = [&](const std::vector<Tensor>& in) { return test.op(in[0]); };
        std::vector<double> wanted = x.to_vector<double>();
        for (double& value : wanted) {
            value = test.reference(value);
        }
        check_close(check_modes(function, {x}), wanted);
        check_gradients(function, {random_tensor({7}, 0.5, 3)});
    }
    check_close(2.0 - x, (-(x - 2.0)).to_vector<double>());
    check_close(2.0 * x, (x + x).to_vector<double>());
}

TEST_CASE("binary operators have gradients that sum over broadcast dimensions") {
    for (const Case& test : arithmetic()) {
        INFO(test.name);
        const Function function = [&](const std::vector<Tensor>& in) {
            return test.op(in[0], in[1]);
        };
        check_gradients(function,
                        {random_tensor({3, 4}, 0.5, 1.4, 1), random_tensor({4}, 1.6, 2.5, 2)});
        check_gradients(function,
                        {random_tensor({1, 4}, 1.6, 2.5, 1), random_tensor({3, 1}, 0.5, 1.4, 2)});
    }
}

TEST_CASE("maximum and minimum share the gradient of a tie and let NaN win") {
    Tensor a = tensor<float>({1.0F, 2.0F, 3.0F});
    Tensor b = tensor<float>({1.0F, 3.0F, 2.0F});
    a.set_requires_grad(true);
    b.set_requires_grad(true);
    maximum(a, b).sum().backward();
    check_close(a.grad(), {0.5, 0, 1});
    check_close(b.grad(), {0.5, 1, 0});
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor x = tensor<float>({nan, 1.0F, nan});
    const Tensor y = tensor<float>({1.0F, nan, nan});
    check_close(maximum(x, y), {nan, nan, nan});
    check_close(minimum(x, y), {nan, nan, nan});
    // Beside NaN both get the gradient.
    Tensor p = x.clone();
    Tensor q = y.clone();
    p.set_requires_grad(true);
    q.set_requires_grad(true);
    maximum(p, q).sum().backward();
    check_close(p.grad(), {1, 1, 1});
    check_close(q.grad(), {1, 1, 1});
}

TEST_CASE("maximum and minimum hand out gradients over broadcast, turned and converted operands") {
    const Tensor rows = random_tensor({37, 5}, -1, 1, 1);
    const Tensor row = random_tensor({37}, -1, 1, 2, kFloat16);
    for (const bool is_maximum : {true, false}) {
        Tensor a = rows.clone();
        Tensor b = row.clone();
        a.set_requires_grad(true);
        b.set_requires_grad(true);
        const Tensor turned = transpose(a, 0, 1);
        const Tensor y = is_maximum ? maximum(turned, b) : minimum(turned, b);
        sum(mul(y, y.detach())).backward();
        const std::vector<double> va = rows.to_vector<double>();
        const std::vector<double> vb = row.to_vector<double>();
        std::vector<double> wanted_a(va.size());
        std::vector<double> wanted_b(vb.size());
        for (std::size_t i = 0; i < vb.size(); ++i) {
            for (std::size_t j = 0; j < 5; ++j) {
                const double value = va[i * 5 + j];
                const bool takes_a = (value > vb[i]) == is_maximum;
                (takes_a ? wanted_a[i * 5 + j] : wanted_b[i]) += takes_a ? value : vb[i];
            }
        }
        check_close(a.grad(), wanted_a);
        check_close(b.grad(), wanted_b, test::tolerance_of(kFloat16));
    }
}

TEST_CASE("pow is accurate and follows C at its limits") {
    const float inf = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> special = {0.0F,
                                        -0.0F,
                                        1.0F,
                                        -1.0F,
                                        2.0F,
                                        -2.0F,
                                        0.5F,
                                        -0.5F,
                                        3.0F,
                                        -3.0F,
                                        inf,
                                        -inf,
                                        nan,
                                        1e38F,
                                        -1e38F,
                                        16777216.0F};
    std::vector<float> bases;
    std::vector<float> exponents;
    for (const float base : special) {
        for (const float exponent : special) {
            bases.push_back(base);
            exponents.push_back(exponent);
        }
    }
    const std::vector<float> logs = random_values(20000, -60, 60, 7);
    const std::vector<float> factors = random_values(20000, -1, 1, 8);
    for (std::size_t i = 0; i < logs.size(); ++i) {
        bases.push_back(static_cast<float>(std::exp(static_cast<double>(logs[i]))));
        exponents.push_back(85.0F * factors[i] / logs[i]);
    }
    const std::vector<float> got = pow(tensor(bases), tensor(exponents)).to_vector<float>();
    double worst = 0.0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double wanted = std::pow(static_cast<double>(bases[i]), exponents[i]);
        const auto rounded = static_cast<float>(wanted);
        INFO("pow(" << bases[i] << ", " << exponents[i] << ") gives " << got[i] << ", wanted "
                    << wanted);
        if (std::isnan(wanted)) {
            CHECK(std::isnan(got[i]));
        } else if (std::isinf(rounded) || rounded == 0.0F) {
            CHECK(got[i] == rounded);
            CHECK(std::signbit(got[i]) == std::signbit(rounded));
        } else {
            worst = std::max(worst, ulp_error(got[i], wanted));
        }
    }
    MESSAGE("pow: at most " << worst << " ulp");
    CHECK(worst <= 4.0);
}

TEST_CASE("gradients of pow at zero are finite where the limit is") {
    Tensor a = tensor<float>({0.0F, 0.0F, 2.0F});
    Tensor b = tensor<float>({2.0F, 0.0F, 3.0F});
    a.set_requires_grad(true);
    b.set_requires_grad(true);
    pow(a, b).sum().backward();
    check_close(a.grad(), {0, 0, 12});
    check_close(b.grad(), {0, 0, 8 * std::log(2.0)});
}

TEST_CASE("comparisons and logic give bool") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor a = tensor<float>({1.0F, 2.0F, 3.0F, nan, 0.0F});
    const Tensor b = tensor<float>({2.0F, 2.0F, 1.0F, 1.0F, -0.0F});
    using Flags = std::vector<int>;
    CHECK(eq(a, b).dtype() == kBool);
    CHECK(eq(a, b).to_vector<int>() == Flags{0, 1, 0, 0, 1});
    CHECK(ne(a, b).to_vector<int>() == Flags{1, 0, 1, 1, 0});
    CHECK(lt(a, b).to_vector<int>() == Flags{1, 0, 0, 0, 0});
    CHECK(le(a, b).to_vector<int>() == Flags{1, 1, 0, 0, 1});
    CHECK(gt(a, b).to_vector<int>() == Flags{0, 0, 1, 0, 0});
    CHECK(ge(a, b).to_vector<int>() == Flags{0, 1, 1, 0, 1});
    CHECK(eq(a, 2).to_vector<int>() == Flags{0, 1, 0, 0, 0});
    CHECK(ne(a, 2).to_vector<int>() == Flags{1, 0, 1, 1, 1});
    CHECK(lt(a, 2).to_vector<int>() == Flags{1, 0, 0, 0, 1});
    CHECK(le(a, 2).to_vector<int>() == Flags{1, 1, 0, 0, 1});
    CHECK(gt(a, 2).to_vector<int>() == Flags{0, 0, 1, 0, 0});
    CHECK(ge(a, 2).to_vector<int>() == Flags{0, 1, 1, 0, 0});
    CHECK(logical_and(a, b).to_vector<int>() == Flags{1, 1, 1, 1, 0});
    CHECK(logical_or(a, zeros({5})).to_vector<int>() == Flags{1, 1, 1, 1, 0});
    CHECK(logical_xor(a, b).to_vector<int>() == Flags{0, 0, 0, 0, 0});
    const Tensor bytes = tensor<std::uint8_t>({1, 200, 255});
    CHECK(gt(bytes, 199).to_vector<int>() == Flags{0, 1, 1});
    CHECK(eq(bytes, 456).to_vector<int>() == Flags{0, 0, 0});
    CHECK(lt(bytes, tensor<std::int8_t>({-1, -1, -1})).to_vector<int>() == Flags{0, 0, 0});
}

TEST_CASE("dtypes are promoted as in PyTorch") {
    const auto of = [](DType dtype) { return ones({2}, dtype); };
    CHECK(add(of(kInt8), of(kUInt8)).dtype() == kInt32);
    CHECK(add(of(kBool), of(kUInt8)).dtype() == kUInt8);
    CHECK(add(of(kInt32), of(kFloat16)).dtype() == kFloat16);
    CHECK(add(of(kBFloat16), of(kFloat16)).dtype() == kFloat32);
    CHECK(add(of(kFloat16), scalar_tensor(1.0)).dtype() == kFloat16);
    CHECK(add(of(kInt8), scalar_tensor(1.0)).dtype() == kFloat32);
    CHECK(add(of(kInt8), 1).dtype() == kInt8);
    CHECK(add(of(kInt8), 1.5).dtype() == kFloat32);
    CHECK(add(of(kBool), 1).dtype() == kInt32);
    CHECK(add(of(kBool), true).dtype() == kBool);
    CHECK(div(of(kInt32), of(kInt8)).dtype() == kFloat32);
    CHECK(div(of(kInt32), 2).dtype() == kFloat32);
    // The operand is rounded to the common dtype before the operation.
    const Tensor big = tensor<std::int32_t>({2049});
    CHECK(add(big, ones({1}, kFloat16)).to_vector<float>() == std::vector<float>{2048.0F});
}

TEST_CASE("integers wrap, bools are or and and") {
    using Ints = std::vector<int>;
    const Tensor a = tensor<std::uint8_t>({200, 7, 0});
    const Tensor b = tensor<std::uint8_t>({100, 9, 1});
    CHECK(add(a, b).to_vector<int>() == Ints{44, 16, 1});
    CHECK(sub(a, b).to_vector<int>() == Ints{100, 254, 255});
    CHECK(mul(a, b).to_vector<int>() == Ints{32, 63, 0});
    CHECK(add(a, b, 2).to_vector<int>() == Ints{144, 25, 2});
    CHECK(maximum(a, b).to_vector<int>() == Ints{200, 9, 1});
    CHECK(minimum(a, b).to_vector<int>() == Ints{100, 7, 0});
    CHECK(div(a, b).to_vector<float>() == std::vector<float>{2.0F, 7.0F / 9.0F, 0.0F});
    const Tensor x = tensor<std::int32_t>({2, -3, 0, 1, -1});
    CHECK(pow(x, 3).to_vector<int>() == Ints{8, -27, 0, 1, -1});
    CHECK(pow(x, tensor<std::int32_t>({31, 2, 0, -5, -3})).to_vector<int>() ==
          Ints{std::numeric_limits<int>::min(), 9, 1, 1, -1});
    const Tensor t = tensor<bool>({true, true, false});
    const Tensor f = tensor<bool>({true, false, false});
    CHECK(add(t, f).to_vector<int>() == Ints{1, 1, 0});
    CHECK(add(t, f).dtype() == kBool);
    CHECK(mul(t, f).to_vector<int>() == Ints{1, 0, 0});
    check_throws<DTypeError>([&] { sub(t, f); }, "[sub]");
    check_throws<ArgumentError>([&] { add(a, b, 0.5); },
                                "[add] alpha must not be a floating point");
    check_throws<ArgumentError>([&] { pow(x, -1); }, "negative integer powers are not allowed");
    check_throws<ArgumentError>([&] { mul(x, Tensor()); }, "[mul]");
}

TEST_CASE("binary in-place forms keep the dtype and write only the view") {
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16}) {
        Tensor x = random_tensor({6, 7}, 1, 2, 9, dtype);
        const Tensor before = x.clone();
        Tensor view = x.slice(0, 1, 6, 2).slice(1, 0, 7, 3);
        const Tensor other = random_tensor({3, 1}, 1, 2, 10);
        const std::vector<double> sum = add(view, other).to(dtype).to_vector<double>();
        CHECK(add_(view, other).is_same(view));
        CHECK(view.dtype() == dtype);
        CHECK(view.to_vector<double>() == sum);
        sub_(view, other);
        check_close(x, before.to_vector<double>(), 4 * tolerance_of(dtype));
    }
    Tensor x = tensor<float>({1.0F, 2.0F, 4.0F});
    check_close(mul_(x, 3.0), {3, 6, 12});
    check_close(div_(x, tensor<float>({3.0F, 2.0F, 1.0F})), {1, 3, 12});
    check_close(pow_(x, 2), {1, 9, 144});
    check_close(add_(x, 1), {2, 10, 145});
    check_close(sub_(x, 2), {0, 8, 143});
    check_close(mul_(x, tensor<float>({2.0F, 0.5F, 1.0F})), {0, 4, 143});
    check_close(div_(x, 2), {0, 2, 71.5});
    check_close(add_(x, tensor<float>({1.0F, 1.0F, 1.0F}), 0.5), {0.5, 2.5, 72});
    check_close(sub_(x, tensor<float>({1.0F, 1.0F, 1.0F}), 0.5), {0, 2, 71.5});
    Tensor ints = tensor<std::int32_t>({1, 2});
    check_throws<DTypeError>([&] { add_(ints, 0.5); }, "can't be cast");
    check_throws<ShapeError>([&] { add_(x, zeros({2, 3})); }, "[add_]");
}

TEST_CASE("an in-place operand may overlap what is written") {
    Tensor x = tensor<float>({1.0F, 2.0F, 3.0F, 4.0F, 5.0F});
    Tensor head = x.narrow(0, 1, 4);
    add_(head, x.narrow(0, 0, 4));
    check_close(x, {1, 3, 5, 7, 9});
    Tensor square_matrix = tensor<float>({1.0F, 2.0F, 3.0F, 4.0F}).view({2, 2});
    add_(square_matrix, square_matrix.t());
    check_close(square_matrix, {2, 5, 5, 8});
    add_(square_matrix, square_matrix);
    check_close(square_matrix, {4, 10, 10, 16});
    Tensor wide = zeros({1, 3}).expand({2, 3});
    check_throws<ArgumentError>([&] { add_(wide, 1.0); }, "[add_]");
}

TEST_CASE("in-place gradients pass through the old value") {
    Tensor a = tensor<float>({1.0F, 2.0F});
    Tensor b = tensor<float>({3.0F, 4.0F});
    a.set_requires_grad(true);
    b.set_requires_grad(true);
    Tensor y = a.clone();
    mul_(y, b);
    add_(y, a);
    y.sum().backward();
    check_close(a.grad(), {4, 5});
    check_close(b.grad(), {1, 2});
}

TEST_CASE("binary out forms") {
    const Tensor a = random_tensor({4, 5}, 1, 2, 1);
    const Tensor b = random_tensor({5}, 1, 2, 2);
    Tensor out = zeros({4, 5});
    check_same_bits(add_out(out, a, b, 2), add(a, b, 2));
    check_same_bits(sub_out(out, a, b, 2), sub(a, b, 2));
    check_same_bits(mul_out(out, a, b), mul(a, b));
    check_same_bits(div_out(out, a, b), div(a, b));
    Tensor wrong = zeros({4, 4});
    check_throws<ShapeError>([&] { add_out(wrong, a, b); }, "[add_out]");
}

TEST_CASE("in-place and out forms of ragged five-dimensional tensors check dtype and shape") {
    const auto ragged = [](DType dtype) {
        return full({2, 3, 2, 3, 2}, 4, dtype).permute({4, 1, 0, 3, 2}).slice(1, 0, 3, 2);
    };
    Tensor ints = ragged(kInt32);
    REQUIRE(ints.sizes() == Dims{2, 2, 2, 3, 2});
    const std::vector<int> fours(48, 4);
    check_throws<DTypeError>([&] { div_(ints, 2); },
                             "[div_] the result has dtype float32, which can't be cast to "
                             "the written tensor's int32");
    check_throws<DTypeError>([&] { div_(ints, ones({2})); }, "[div_] the result has dtype float32");
    check_throws<DTypeError>([&] { add_(ints, 0.5); }, "[add_] the result has dtype");
    check_throws<ShapeError>(
        [&] {
            add_(ints, ones({3, 1, 1, 1, 1, 1}, kInt32));
        },
        "[add_] the result has shape [3, 2, 2, 2, 3, 2], which the written "
        "tensor [2, 2, 2, 3, 2] int32 does not have");
    Tensor flags = ragged(kBool);
    check_throws<DTypeError>([&] { add_(flags, ints); }, "[add_] the result has dtype int32");
    CHECK(ints.to_vector<int>() == fours);
    CHECK(mul_(ints, 3).to_vector<int>() == std::vector<int>(48, 12));
    Tensor reals = ragged(kFloat32);
    CHECK(add_(reals, ints).to_vector<int>() == std::vector<int>(48, 16));
    Tensor out = ragged(kFloat32);
    check_throws<UnsupportedError>(
        [&] { mul_out(out, reals, reals); },
        "[mul_out] out's dimensions must collapse to 4; got out [2, 2, 2, "
        "3, 2] float32");
    check_throws<ShapeError>([&] { mul_out(out, ones({3}), ones({3})); },
                             "[mul_out] the result has");
    CHECK(out.to_vector<int>() == fours);
}

TEST_CASE("bools are subtracted in no form") {
    Tensor flags = tensor<bool>({true, false});
    Tensor out = flags.clone();
    check_throws<DTypeError>([&] { sub(flags, true); }, "[sub] is not defined for bool");
    check_throws<DTypeError>([&] { rsub(flags, true); }, "[rsub] is not defined for bool");
    check_throws<DTypeError>([&] { sub_(flags, true); }, "[sub_] is not defined for bool");
    check_throws<DTypeError>([&] { sub_(flags, flags); }, "[sub_] is not defined for bool");
    check_throws<DTypeError>([&] { sub_out(out, flags, flags); },
                             "[sub_out] is not defined for bool");
    CHECK(flags.to_vector<int>() == std::vector<int>{1, 0});
    Tensor bytes = tensor<std::uint8_t>({3, 1});
    CHECK(sub_(bytes, true).to_vector<int>() == std::vector<int>{2, 0});
}

TEST_CASE("integer scalars past int32 are refused where int32 is computed in") {
    constexpr std::int64_t kFar = std::int64_t{1} << 40;
    Tensor x = tensor<std::int32_t>({7, -7});
    check_throws<ArgumentError>([&] { add(x, kFar); },
                                "[add] integers are computed in int32, so a scalar must be "
                                "in [-2147483648, 2147483647]; got 1099511627776");
    check_throws<ArgumentError>([&] { add(x, x, kFar); }, "[add] integers are computed in int32");
    check_throws<ArgumentError>([&] { mul_(x, 2147483648LL); }, "got 2147483648");
    check_throws<ArgumentError>([&] { rsub(x, -2147483649LL); }, "got -2147483649");
    check_throws<ArgumentError>([&] { pow(x, kFar); }, "[pow]");
    check_throws<ArgumentError>([&] { lt(x, kFar); }, "[lt]");
    check_throws<ArgumentError>([&] { eq(x.to(kUInt8), kFar + 7); }, "[eq]");
    CHECK(x.to_vector<int>() == std::vector<int>{7, -7});
    CHECK(add(x, -2147483648LL).to_vector<int>() == std::vector<int>{-2147483641, 2147483641});
    CHECK(div(x, 1LL << 33U).to_vector<double>()[0] == 7.0 / 8589934592.0);
    CHECK(mul(ones({1}), kFar).item() == 1099511627776.0);
}

}  // namespace pumice::test
