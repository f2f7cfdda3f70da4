// SPDX-License-Identifier: Apache-2.0
#include "support/harness.h"
#include "support/unary_cases.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>

namespace pumice::test {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double normal_cdf(double x) {
    return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

double gelu_tanh(double x) {
    const double u = std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
    return 0.5 * x * (1.0 + std::tanh(u));
}

struct Case {
    std::string name;
    std::function<Tensor(Tensor)> op;
    double (*reference)(double);
    double low;  // range of the random values and of the gradients
    double high;
    double most_ulp;  // at any float32
};

std::vector<Case> make_cases() {
    std::vector<Case> all;
    for (const UnaryFunction& each : kUnaryFunctions) {
        const UnaryCase& what = unary_case(each.name);
        all.push_back({std::string(each.name),
                       each.call,
                       what.reference,
                       what.low,
                       what.high,
                       what.most_ulp});
    }
    all.push_back({"gelu",
                   [](Tensor x) { return gelu(std::move(x)); },
                   [](double x) { return x * normal_cdf(x); },
                   -4,
                   4,
                   4});
    return all;
}

const std::vector<Case>& cases() {
    static const std::vector<Case> all = make_cases();
    return all;
}

// Floats of all magnitudes and both signs, with the special ones first.
std::vector<float> all_kinds_of_floats() {
    std::vector<float> values = {0.0F,
                                 -0.0F,
                                 1.0F,
                                 -1.0F,
                                 std::numeric_limits<float>::infinity(),
                                 -std::numeric_limits<float>::infinity(),
                                 std::numeric_limits<float>::quiet_NaN(),
                                 std::numeric_limits<float>::max(),
                                 std::numeric_limits<float>::lowest(),
                                 std::numeric_limits<float>::min(),
                                 88.7F,
                                 -87.3F,
                                 89.0F,
                                 -104.0F,
                                 3000.5F,
                                 1e5F,
                                 1e10F};
    for (std::uint64_t bits = 0x00800000; bits < 0x100000000U; bits += 65521) {
        float value = 0.0F;
        const auto word = static_cast<std::uint32_t>(bits);
        std::memcpy(&value, &word, sizeof(value));
        if (std::isnormal(value)) {
            values.push_back(value);
        }
    }
    return values;
}

void check_ulps(const Case& test, const std::vector<float>& values, const std::vector<float>& got) {
    double worst = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double wanted = test.reference(static_cast<double>(values[i]));
        const auto rounded = static_cast<float>(wanted);
        if (std::isnan(wanted) || std::isinf(rounded)) {
            INFO(test.name << "(" << values[i] << ") gives " << got[i] << ", wanted " << wanted);
            CHECK((std::isnan(wanted) ? std::isnan(got[i]) : got[i] == rounded));
            continue;
        }
        const double error = ulp_error(got[i], wanted);
        if (!(error <= test.most_ulp)) {
            INFO(test.name << "(" << values[i] << ") gives " << got[i] << ", wanted " << wanted
                           << ": " << error << " ulp");
            CHECK(error <= test.most_ulp);
            return;
        }
        worst = std::max(worst, error);
    }
    MESSAGE(test.name << ": at most " << worst << " ulp");
}

std::vector<double> map_of(const Tensor& x, double (*reference)(double)) {
    std::vector<double> wanted = x.to_vector<double>();
    for (double& value : wanted) {
        value = reference(value);
    }
    return wanted;
}

}  // namespace

TEST_CASE("unary operators keep floating dtypes, and integers where the formula does") {
    for (const UnaryFunction& each : kUnaryFunctions) {
        CAPTURE(std::string(each.name));
        const Tensor x = tensor<std::int32_t>({1, 0});
        CHECK(each.call(x).dtype() == (unary_case(each.name).keeps_dtype ? kInt32 : kFloat32));
        CHECK(each.call(x.to(kFloat16)).dtype() == kFloat16);
    }
}

TEST_CASE("unary operators are accurate over all floats") {
    const std::vector<float> values = all_kinds_of_floats();
    const Tensor x = tensor(values);
    for (const Case& test : cases()) {
        if (test.name == "gelu" || test.name == "silu") {
            // x * 0 at -infinity is NaN in the formula and here; the limit is not asked for.
            std::vector<float> finite;
            for (const float value : values) {
                if (std::isfinite(value) && std::abs(value) < 80.0F) {
                    finite.push_back(value);
                }
            }
            check_ulps(test, finite, test.op(tensor(finite)).to_vector<float>());
            continue;
        }
        check_ulps(test, values, test.op(x).to_vector<float>());
    }
}

TEST_CASE("unary operators agree in all modes, shapes and dtypes" * doctest::test_suite("long")) {
    for (const Case& test : cases()) {
        INFO(test.name);
        const Function function = [&test](const std::vector<Tensor>& in) { return test.op(in[0]); };
        for (const std::int64_t count : {0, 1, 7, 64, 1021}) {
            for (const DType dtype : {kFloat32, kFloat16, kBFloat16}) {
                const Tensor x = random_tensor({count}, test.low, test.high, 3, dtype);
                const Tensor y = check_modes(function, {x});
                CHECK(y.dtype() == dtype);
                check_close(y, map_of(x, test.reference), 4 * tolerance_of(dtype));
            }
        }
        const Tensor x = random_tensor({5, 6, 7}, test.low, test.high);
        const Tensor view = x.transpose(0, 2).slice(1, 1, 6, 2);
        check_close(test.op(view), map_of(view, test.reference));
    }
}

TEST_CASE("unary operators have gradients") {
    for (const Case& test : cases()) {
        INFO(test.name);
        check_gradients([&test](const std::vector<Tensor>& in) { return test.op(in[0]); },
                        {random_tensor({3, 5}, test.low, test.high)});
    }
}

TEST_CASE("gelu's tanh form differs from the erf form and has its own gradient") {
    const Tensor x = random_tensor({257}, -4, 4);
    const Function function = [](const std::vector<Tensor>& in) { return gelu(in[0], "tanh"); };
    check_close(check_modes(function, {x}), map_of(x, gelu_tanh));
    CHECK(gelu(x, "tanh").to_vector<float>() != gelu(x).to_vector<float>());
    check_gradients(function, {random_tensor({7}, -3, 3)});
    check_throws<ArgumentError>([&] { gelu(x, "fast"); },
                                "[gelu] approximate must be \"none\" or \"tanh\"; got \"fast\"");
}

TEST_CASE("softplus follows beta and threshold") {
    const Tensor x = random_tensor({100}, -4, 4);
    std::vector<double> wanted = x.to_vector<double>();
    for (double& value : wanted) {
        value = value * 3.0 > 2.0 ? value : std::log1p(std::exp(value * 3.0)) / 3.0;
    }
    check_close(softplus(x, 3.0, 2.0), wanted);
    check_close(softplus(x), map_of(x, [](double v) { return std::log1p(std::exp(v)); }));
    check_gradients([](const std::vector<Tensor>& in) { return softplus(in[0], 3.0, 2.0); },
                    {tensor<float>({-2.0F, -0.5F, 0.1F, 0.4F, 1.5F})});
}

TEST_CASE("clamp bounds values, keeps NaN and passes the gradient on the bounds") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor x = tensor<float>({-2.0F, -1.0F, 0.5F, 1.0F, 3.0F, nan});
    check_close(clamp(x, -1.0, 1.0), {-1, -1, 0.5, 1, 1, nan});
    check_close(clamp(x, {}, 0.5), {-2, -1, 0.5, 0.5, 0.5, nan});
    check_close(clamp(x, 0.75, {}), {0.75, 0.75, 0.75, 1, 3, nan});
    check_close(clamp(x, 2.0, 1.0), {1, 1, 1, 1, 1, nan});
    const Tensor ints = tensor<std::int32_t>({-5, 0, 7});
    CHECK(clamp(ints, -1, 3).to_vector<int>() == std::vector<int>{-1, 0, 3});
    CHECK(clamp(ints, -1, 3).dtype() == kInt32);
    CHECK(clamp(ints, -1.5, {}).dtype() == kFloat32);
    check_throws<ArgumentError>([&] { clamp(x, {}, {}); }, "[clamp]");
    Tensor leaf = x.clone();
    leaf.set_requires_grad(true);
    clamp(leaf, -1.0, 1.0).sum().backward();
    check_close(leaf.grad(), {0, 1, 1, 1, 0, 0});
}

TEST_CASE("clamp: the gradient needs no operand, so that it may be overwritten") {
    Tensor leaf = random_tensor({71}, -2, 2, 5);
    leaf.set_requires_grad(true);
    std::vector<double> wanted;
    for (const double value : leaf.to_vector<double>()) {
        wanted.push_back(value >= -1.0 && value <= 0.5 ? 3.0 : 0.0);
    }
    Tensor x = mul(leaf, 3.0);
    const Tensor y = clamp(x, -3.0, 1.5);
    zero_(x);
    y.sum().backward();
    check_close(leaf.grad(), wanted);
    leaf.set_grad({});
    Tensor z = mul(leaf, 3.0);
    clamp_(z, -3.0, 1.5);
    z.sum().backward();
    check_close(leaf.grad(), wanted);
}

TEST_CASE("nan_to_num replaces what is asked") {
    const auto inf = static_cast<float>(kInfinity);
    const Tensor x = tensor<float>({1.0F, std::numeric_limits<float>::quiet_NaN(), inf, -inf});
    check_close(nan_to_num(x), {1, 0, 3.4028234663852886e38, -3.4028234663852886e38});
    check_close(nan_to_num(x, 5.0, 6.0, -7.0), {1, 5, 6, -7});
    check_close(nan_to_num(x.to(kFloat16)), {1, 0, 65504, -65504});
    Tensor leaf = x.clone();
    leaf.set_requires_grad(true);
    nan_to_num(leaf).sum().backward();
    check_close(leaf.grad(), {1, 0, 0, 0});
}

TEST_CASE("classification and logic give bool") {
    const auto inf = static_cast<float>(kInfinity);
    const Tensor x =
        tensor<float>({0.0F, 2.0F, std::numeric_limits<float>::quiet_NaN(), inf, -inf});
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16}) {
        const Tensor y = x.to(dtype);
        CHECK(isnan(y).dtype() == kBool);
        CHECK(isnan(y).to_vector<int>() == std::vector<int>{0, 0, 1, 0, 0});
        CHECK(isfinite(y).to_vector<int>() == std::vector<int>{1, 1, 0, 0, 0});
        CHECK(logical_not(y).to_vector<int>() == std::vector<int>{1, 0, 0, 0, 0});
    }
    const Tensor ints = tensor<std::int8_t>({0, -3, 1});
    CHECK(isnan(ints).to_vector<int>() == std::vector<int>{0, 0, 0});
    CHECK(isfinite(ints).to_vector<int>() == std::vector<int>{1, 1, 1});
    CHECK(logical_not(ints).to_vector<int>() == std::vector<int>{1, 0, 0});
}

TEST_CASE("integers keep their dtype or are promoted, bools are refused where they make no sense") {
    const Tensor x = tensor<std::int8_t>({-7, 0, 5, 100, -128});
    CHECK(neg(x).to_vector<int>() == std::vector<int>{7, 0, -5, -100, -128});
    CHECK(abs(x).to_vector<int>() == std::vector<int>{7, 0, 5, 100, -128});
    CHECK(sign(x).to_vector<int>() == std::vector<int>{-1, 0, 1, 1, -1});
    CHECK(relu(x).to_vector<int>() == std::vector<int>{0, 0, 5, 100, 0});
    CHECK(square(tensor<std::int32_t>({-7, 3})).to_vector<int>() == std::vector<int>{49, 9});
    CHECK(sqrt(tensor<std::int32_t>({16, 2})).dtype() == kFloat32);
    check_close(exp(tensor<bool>({true, false})), {std::exp(1.0), 1.0});
    const Tensor flags = tensor<bool>({true, false});
    check_throws<DTypeError>([&] { neg(flags); }, "[neg]");
    check_throws<ArgumentError>([] { neg(Tensor()); }, "[neg]");
}

TEST_CASE("sign and its gradient") {
    const Tensor x = tensor<float>({-2.0F, 0.0F, 3.0F, std::numeric_limits<float>::quiet_NaN()});
    check_close(sign(x), {-1, 0, 1, 0});
    Tensor leaf = x.clone();
    leaf.set_requires_grad(true);
    sign(leaf).sum().backward();
    check_close(leaf.grad(), {0, 0, 0, 0});
}

TEST_CASE("unary in-place forms write the view and nothing else") {
    for (const UnaryFunction& form : kUnaryFunctions) {
        CAPTURE(std::string(form.in_place_name));
        for (const DType dtype : {kFloat32, kFloat16, kBFloat16}) {
            const UnaryCase& what = unary_case(form.name);
            Tensor x = random_tensor({9, 11}, what.low, what.high, 5, dtype);
            const std::vector<double> before = x.to_vector<double>();
            const std::vector<double> wanted = form.call(x).to_vector<double>();
            Tensor view = x.slice(0, 1, 8, 3).slice(1, 1, 10, 2);
            CHECK(form.write(view).is_same(view));
            std::vector<double> expected = before;
            for (std::size_t row = 1; row < 8; row += 3) {
                for (std::size_t column = 1; column < 10; column += 2) {
                    expected[row * 11 + column] = wanted[row * 11 + column];
                }
            }
            CHECK(x.to_vector<double>() == expected);
            CHECK(x._version() == 1);
        }
    }
}

TEST_CASE("narrow contiguous views that start and end within a word keep their neighbours") {
    for (const DType dtype : {kFloat16, kBFloat16, kInt8, kUInt8, kBool}) {
        for (std::int64_t start = 0; start < 4; ++start) {
            for (const std::int64_t length : {1, 2, 3, 6, 13}) {
                Tensor x = full({24}, 1, dtype);
                Tensor view = x.narrow(0, start, length);
                view.zero_();
                std::vector<int> expected(24, 1);
                for (std::int64_t i = start; i < start + length; ++i) {
                    expected[static_cast<std::size_t>(i)] = 0;
                }
                CHECK(x.to_vector<int>() == expected);
            }
        }
    }
}

TEST_CASE("out forms write the given tensor") {
    const Tensor x = random_tensor({33}, 0.5, 2);
    for (const UnaryFunction& form : kUnaryFunctions) {
        CAPTURE(std::string(form.out_name));
        Tensor out = zeros({33});
        CHECK(form.write_out(out, x).is_same(out));
        check_same_bits(out, form.call(x));
        check_same_bits((x.*form.method)(), out);
        Tensor own = x.clone();
        CHECK((own.*form.in_place_method)().is_same(own));
        check_same_bits(own, out);
    }
    Tensor wrong = zeros({32});
    check_throws<ShapeError>([&] { exp_out(wrong, x); }, "[exp_out]");
    Tensor half = zeros({33}, kFloat16);
    check_throws<DTypeError>([&] { exp_out(half, x); }, "[exp_out]");
}

TEST_CASE("more than 65,535 workgroups and shapes of eight dimensions") {
    const Tensor x = arange(70000 * 64 + 3).to(kInt8);
    const std::vector<int> y = neg(x).to_vector<int>();
    bool all_equal = true;
    for (std::size_t i = 0; i < y.size(); ++i) {
        all_equal = all_equal && y[i] == static_cast<std::int8_t>(-static_cast<std::int8_t>(i));
    }
    CHECK(all_equal);
    const Tensor wide = random_tensor({2, 3, 2, 3, 2, 3, 2, 3});
    const Tensor view = wide.permute({7, 2, 5, 0, 3, 6, 1, 4});
    check_close(neg(view), map_of(view, [](double v) { return -v; }));
    Tensor target = wide.clone();
    Tensor ragged = target.permute({7, 2, 5, 0, 3, 6, 1, 4});
    exp_(ragged);
    check_same_bits(target, exp(wide));
}

TEST_CASE("clamp: integer bounds outside of the dtype bind nowhere or are refused") {
    constexpr std::int64_t kFar = std::int64_t{1} << 40;
    Tensor ints = tensor<std::int32_t>({-5, 7});
    CHECK(clamp(ints, {}, kFar).to_vector<int>() == std::vector<int>{-5, 7});
    CHECK(clamp(ints, -kFar, 3).to_vector<int>() == std::vector<int>{-5, 3});
    CHECK(clamp_(ints, 0, kFar).to_vector<int>() == std::vector<int>{0, 7});
    check_throws<ArgumentError>([&] { clamp(ints, kFar, {}); },
                                "[clamp] min must be in int32's range [-2147483648, 2147483647] or "
                                "leave all of it; got 1099511627776");
    check_throws<ArgumentError>([&] { clamp_(ints, 1, -kFar); }, "[clamp_] max must be in int32's");
    CHECK(ints.to_vector<int>() == std::vector<int>{0, 7});
    const Tensor bytes = tensor<std::uint8_t>({0, 255});
    CHECK(clamp(bytes, -1, 300).to_vector<int>() == std::vector<int>{0, 255});
    check_throws<ArgumentError>([&] { clamp(bytes, 300, {}); },
                                "[clamp] min must be in uint8's range [0, 255]");
    check_throws<ArgumentError>([&] { clamp(bytes, {}, -1); }, "[clamp] max must be in uint8's");
    CHECK(clamp(tensor<std::int8_t>({-128, 127}), -200, 200).to_vector<int>() ==
          std::vector<int>{-128, 127});
    check_close(clamp(ones({1}), kFar, {}), {1099511627776.0});
}

TEST_CASE("in-place forms of ragged five-dimensional tensors check the dtype") {
    const Tensor base = full({2, 3, 2, 3, 2}, 4, kInt32);
    Tensor ints = base.permute({4, 1, 0, 3, 2}).slice(1, 0, 3, 2);
    check_throws<DTypeError>([&] { exp_(ints); },
                             "[exp_] the result has dtype float32, which can't be cast to the "
                             "written tensor's int32");
    check_throws<DTypeError>([&] { sqrt_(ints); }, "[sqrt_] the result has dtype float32");
    CHECK(base.to_vector<int>() == std::vector<int>(72, 4));
    CHECK(neg_(ints).to_vector<int>() == std::vector<int>(48, -4));
    CHECK(base.sum().item() == 4.0 * (72 - 2 * 48));
    Tensor reals = full({2, 3, 2, 3, 2}, 4.0).permute({4, 1, 0, 3, 2}).slice(1, 0, 3, 2);
    CHECK(sqrt_(reals).to_vector<int>() == std::vector<int>(48, 2));
    check_throws<UnsupportedError>(
        [&] {
            exp_out(reals, ones({2, 2, 2, 3, 2}));
        },
        "[exp_out] out's dimensions must collapse to 4");
}

}  // namespace pumice::test
