// SPDX-License-Identifier: Apache-2.0
#include "pumice/io.h"
#include "pumice/pumice.h"

#include "support/harness.h"
#include "support/scratch.h"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <map>
#include <string>

namespace pumice::io {

namespace {

std::string file_of(const std::string& header, const std::string& data) {
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) {
        bytes[i] = static_cast<char>(header.size() >> (8 * i) & 0xffU);
    }
    return bytes + header + data;
}

template <class T>
std::string raw(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

void check_refused(const std::string& bytes, const std::string& text) {
    const test::Scratch scratch;
    const std::string path = scratch.write("bad.safetensors", bytes);
    test::check_throws<FileError>([&] { SafetensorsFile{path}; }, text);
    test::check_throws<FileError>([&] { SafetensorsFile{path}; }, path);
}

}  // namespace

TEST_CASE("safetensors: every device dtype survives a round trip, with metadata") {
    const test::Scratch scratch;
    nn::StateDict tensors;
    for (const DType dtype : {kFloat32, kFloat16, kBFloat16, kInt32, kInt8, kUInt8, kBool}) {
        tensors.emplace_back(std::string(to_string(dtype)),
                             tensor<float>({0.0F, 1.0F, 1.0F}).to(dtype));
    }
    tensors.emplace_back("scalar", full({}, 2.5));
    tensors.emplace_back("empty", zeros({0, 3}));
    const std::string path = scratch.path("all.safetensors");
    save_safetensors(path, tensors, {{"made", "here"}});
    const SafetensorsFile file(path);
    CHECK(file.metadata().at("made") == "here");
    for (const auto& [name, value] : tensors) {
        INFO(name);
        test::check_same_bits(file.load(name), value);
    }
    CHECK(scratch.file_count() == 1);
}

TEST_CASE("G55 saving keeps requires_grad, loading takes the mode's kind") {
    const test::Scratch scratch;
    const std::string path = scratch.path("mixed.safetensors");
    const Tensor inferred = inference_mode([] { return full({2}, 3, {kFloat32, true}); });
    const nn::StateDict tensors = {{"normal", full({2}, 2, {kFloat32, true})},
                                   {"inference", inferred},
                                   {"half \"quoted\"", ones({2}, {kFloat16, true})},
                                   {"plain", ones({2})}};
    const auto save = [&] { save_safetensors(path, tensors, {{"made", "here"}}); };
    save();
    const std::string bytes = read_file(path);
    no_grad(save);
    CHECK(read_file(path) == bytes);
    inference_mode(save);
    CHECK(read_file(path) == bytes);
    CHECK(SafetensorsFile(path).metadata() == std::map<std::string, std::string>{{"made", "here"}});
    const auto check = [&](bool is_inference) {
        for (const auto& [name, value] : load_safetensors(path)) {
            INFO(name);
            CHECK(value.is_inference() == is_inference);
            CHECK(value.requires_grad() == (name != "plain"));
            CHECK(value.is_leaf());
        }
    };
    check(false);
    no_grad([&] { check(false); });
    inference_mode([&] { check(true); });
    test::check_throws<ArgumentError>(
        [&] {
            save_safetensors(path, tensors, {{"pumice.requires_grad", "[]"}});
        },
        "is reserved");
    const std::string entry = R"("x":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}})";
    for (const char* names : {"oops", "{}", R"([\"y\"])", R"([\"x\"])", "[3]"}) {
        check_refused(file_of(std::string(R"({"__metadata__":{"pumice.requires_grad":")") + names +
                                  R"("},)" + entry,
                              std::string(4, '\0')),
                      "is not a list of its floating tensors");
    }
}

TEST_CASE("safetensors: int64 is range-checked to int32, float64 rounded to float32") {
    const test::Scratch scratch;
    const std::string header = R"({"i":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
                               R"("d":{"dtype":"F64","shape":[1],"data_offsets":[16,24]}})";
    const std::string good =
        scratch.write("good", file_of(header, raw<std::int64_t>({-5, 7}) + raw<double>({0.1})));
    const SafetensorsFile file(good);
    CHECK(file.load("i").to_vector<std::int32_t>() == std::vector<std::int32_t>{-5, 7});
    CHECK(file.load("d").item<float>() == 0.1F);
    const std::string large = scratch.write(
        "large", file_of(header, raw<std::int64_t>({1, 3000000000}) + raw<double>({0.1})));
    test::check_throws<DTypeError>([&] { SafetensorsFile(large).load("i"); }, "3000000000");
    test::check_throws<DTypeError>([&] { SafetensorsFile(large).load("i"); }, "tensor 'i'");
    test::check_throws<ArgumentError>([&] { file.load("x"); }, "no tensor 'x'");
}

TEST_CASE("safetensors: truncated and forged files are refused") {
    const std::string f32 = raw<float>({1.0F, 2.0F});
    check_refused("abc", "has 3 bytes");
    check_refused(std::string(7, '\xff') + '\x7f' + "{}", "its header claims");
    check_refused(file_of("nonsense", ""), "not a JSON object");
    check_refused(file_of("[1]", ""), "not a JSON object");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "1234"),
                  "truncated");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                          R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                          f32),
                  "overlap");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", f32),
                  "hole");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", f32),
                  "4 bytes after its last tensor");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", f32),
                  "want 12 bytes");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", f32),
                  "offsets [8, 0)");
    check_refused(file_of(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", f32),
                  "unknown dtype F8_E4M3");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                          R"("a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                          f32),
                  "names 'a' twice");
    check_refused(file_of(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", f32),
                  "wanted a count");
    check_refused(
        file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})",
                ""),
        "more than");
    check_refused(file_of(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", f32), "lacks dtype");
    check_refused(file_of(R"({"__metadata__":{"k":1}})", ""), "metadata 'k'");
    check_refused(file_of(R"({"__metadata__":"abc"})", ""),
                  "not an object of strings, but \"abc\"");
    check_refused(file_of(R"({"__metadata__":[]})", ""), "not an object of strings, but []");
    check_refused(file_of(R"({"__metadata__":null})", ""), "not an object of strings, but null");
    check_refused(
        file_of("{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", f32),
        "its header is not UTF-8");
    check_refused(file_of("{\"__metadata__\":{\"k\":\"\xc3\"}}", ""), "its header is not UTF-8");
    test::check_throws<FileError>([] { SafetensorsFile("/nonexistent/m.safetensors"); },
                                  "cannot be read");
}

TEST_CASE("safetensors: a refused write leaves no file behind") {
    const test::Scratch scratch;
    const Tensor x = ones({2});
    test::check_throws<ArgumentError>(
        [&] {
            save_safetensors(scratch.path("x"), {{"a", x}, {"", x}});
        },
        "the name '' is empty");
    const std::string path = scratch.path("x");
    test::check_throws<ArgumentError>(
        [&] {
            save_safetensors(path, {{"a\xff", x}});
        },
        "[" + path + "] the name \"a\xef\xbf\xbd\" is not UTF-8");
    test::check_throws<ArgumentError>(
        [&] {
            save_safetensors(path, {{"a", x}}, {{"k\x80", "v"}});
        },
        "the metadata key");
    test::check_throws<ArgumentError>(
        [&] {
            save_safetensors(path, {{"a", x}}, {{"k", "\xc3"}});
        },
        "the metadata text");
    test::check_throws<FileError>(
        [&] {
            save_safetensors(scratch.path("no/dir"), {{"a", x}});
        },
        "cannot be written");
    CHECK(scratch.file_count() == 0);
}

}  // namespace pumice::io
