// SPDX-License-Identifier: Apache-2.0
#include "pumice/io.h"
#include "pumice/pumice.h"

#include "io/safetensors_header.h"
#include "support/harness.h"
#include "support/scratch.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <sys/stat.h>
#include <vector>

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
    for (const char* names : {"oops", "{}", R"([\"y\"])", R"([\"x\"])", "[3]", "[[]]", "true"}) {
        check_refused(file_of(std::string(R"({"__metadata__":{"pumice.requires_grad":")") + names +
                                  R"("},)" + entry,
                              std::string(4, '\0')),
                      "is not a list of its floating tensors");
    }
    // Twenty million levels take no longer than one.
    check_refused(file_of(R"({"__metadata__":{"pumice.requires_grad":")" +
                              std::string(20'000'000, '[') + R"("},)" + entry,
                          std::string(4, '\0')),
                  "is not a list of its floating tensors");
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
    check_refused(file_of(R"({"__metadata__":[]})", ""), "not an object of strings, but a list");
    check_refused(file_of(R"({"__metadata__":null})", ""), "not an object of strings, but null");
    check_refused(
        file_of("{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", f32),
        "its header is not UTF-8");
    check_refused(file_of("{\"__metadata__\":{\"k\":\"\xc3\"}}", ""), "its header is not UTF-8");
    const std::string nowhere = test::Scratch().path_below_file("m.safetensors");
    test::check_throws<FileError>([&] { SafetensorsFile{nowhere}; }, "cannot be read");
}

TEST_CASE("safetensors: what is no JSON object from its first byte to its last is refused") {
    const std::string f32 = raw<float>({1.0F, 2.0F});
    const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    check_refused(file_of(good + std::string("\0junk", 5), f32), "byte 54 of it is zero");
    check_refused(file_of(good + "x", f32), "an error at byte");
    check_refused(file_of(good + good, f32), "an error at byte");
    check_refused(file_of(" " + good, f32), "does not begin with {");
    check_refused(file_of("\xef\xbb\xbf" + good, f32), "does not begin with {");
    check_refused(file_of("", ""), "does not begin with {");
    const test::Scratch scratch;
    const SafetensorsFile padded(scratch.write("padded", file_of(good + "  \n", f32)));
    CHECK(padded.entries().size() == 1);
    // Keys that the format does not know, as its own reader takes them.
    const std::string more =
        R"({"a":{"more":[{"x":1},2.5,null],"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    const SafetensorsFile file(scratch.write("more", file_of(more, f32)));
    CHECK(file.load("a").to_vector<float>() == std::vector<float>{1.0F, 2.0F});
}

TEST_CASE("safetensors: a key twice in one object is refused, wherever it is") {
    const std::string f32 = raw<float>({1.0F, 2.0F});
    for (const char* property :
         {R"("dtype":"F32")", R"("shape":[2])", R"("data_offsets":[0,8])", R"("more":1)"}) {
        check_refused(file_of(std::string(R"({"a":{"more":1,"dtype":"F32","shape":[2],)") +
                                  R"("data_offsets":[0,8],)" + property + "}}",
                              f32),
                      "twice");
    }
    check_refused(file_of(R"({"__metadata__":{"k":"1","k":"1"}})", ""), "names 'k' twice");
    check_refused(file_of(R"({"__metadata__":{},"__metadata__":{}})", ""), "twice");
    check_refused(file_of(R"({"a":{"more":{"k":1,"k":1}}})", ""), "names 'k' twice");
}

TEST_CASE("safetensors: a tensor that Pumice cannot hold is refused alone") {
    const test::Scratch scratch;
    const std::string header =
        R"({"ok":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
        R"("f8":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[4,8]},)"
        R"("u16":{"dtype":"U16","shape":[2],"data_offsets":[8,12]},)"
        R"("new":{"dtype":"Q3_K","shape":[7],"data_offsets":[12,16]},)"
        R"("deep":{"dtype":"I8","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[16,20]},)"
        R"("none":{"dtype":"F32","shape":[0,5000000000],"data_offsets":[20,20]},)"
        R"("long":{"dtype":"I64","shape":[1],"data_offsets":[20,28]}})";
    const std::string path = scratch.write(
        "mixed",
        file_of(header,
                raw<float>({2.5F}) + std::string(16, '\1') + raw<std::int64_t>({1LL << 31U})));
    const SafetensorsFile file(path);
    REQUIRE(file.entries().size() == 7);
    CHECK(file.entries()[1].name == "f8");
    CHECK(file.entries()[1].dtype_name == "F8_E4M3");
    CHECK(file.entries()[1].shape == std::vector<std::uint64_t>{2, 2});
    CHECK(file.entries()[4].shape.size() == 9);
    CHECK(file.load("ok").item<float>() == 2.5F);
    for (const char* name : {"f8", "u16", "new"}) {
        test::check_throws<UnsupportedError>([&] { file.load(name); }, "Pumice has no dtype");
    }
    for (const char* name : {"deep", "none"}) {
        test::check_throws<UnsupportedError>([&] { file.load(name); }, "at most 8 dimensions");
    }
    test::check_throws<DTypeError>([&] { file.load("long"); }, "2147483648");
    test::check_throws<UnsupportedError>([&] { load_safetensors(path); }, "tensor 'f8'");
    std::vector<SafetensorsRefusal> refused;
    const nn::StateDict rest = file.load_all(refused);
    CHECK(rest.size() == 1);
    REQUIRE(refused.size() == 6);
    CHECK(refused[5].name == "long");
    CHECK(refused[5].reason.find("2147483648") != std::string::npos);
    // What is known of the format is checked all the same.
    check_refused(
        file_of(R"({"a":{"dtype":"U16","shape":[3],"data_offsets":[0,8]}})", std::string(8, '\0')),
        "want 6 bytes");
    check_refused(
        file_of(R"({"a":{"dtype":"Q3_K","shape":[3],"data_offsets":[8,0]}})", std::string(8, '\0')),
        "offsets [8, 0)");
}

TEST_CASE("safetensors: forged lengths, nesting and names cost what it takes to read them") {
    const test::Scratch scratch;
    std::string length(8, '\0');
    length[5] = 1;  // 2^40
    const std::string sparse = scratch.write("sparse", length);
    std::filesystem::resize_file(sparse, (std::uintmax_t{1} << 40U) + 8);
    test::check_throws<FileError>([&] { SafetensorsFile{sparse}; }, "the format allows 100000000");

    check_refused(file_of(R"({"a":)" + std::string(5'000'000, '['), ""), "lacks dtype");
    check_refused(file_of(R"({"a":{"more":)" + std::string(5'000'000, '['), ""), "128 deep");
    const std::string objects = [] {
        std::string text = R"({"a":{"m":)";
        for (int i = 0; i < 1'000'000; ++i) {
            text += R"({"m":)";
        }
        return text;
    }();
    check_refused(file_of(objects, ""), "128 deep");

    std::string extents = "1";
    for (int i = 1; i < 10'000; ++i) {
        extents += ",1";
    }
    const std::string path = scratch.write(
        "extents",
        file_of(R"({"a":{"dtype":"I8","shape":[)" + extents + R"(],"data_offsets":[0,1]}})", "x"));
    try {
        static_cast<void>(SafetensorsFile(path).load("a"));
        FAIL("taken");
    } catch (const UnsupportedError& error) {
        CHECK(std::string(error.what()).size() < 400);
        CHECK(std::string(error.what()).find("of 10000 extents") != std::string::npos);
    }
    try {
        SafetensorsFile{
            scratch.write("name", file_of(R"({")" + std::string(100'000, 'n') + R"(":[]})", ""))};
        FAIL("taken");
    } catch (const FileError& error) {
        CHECK(std::string(error.what()).size() < 400);
    }
}

// Quadratic, this took minutes.
TEST_CASE("safetensors: a hundred thousand tensors are no trouble") {
    constexpr std::size_t kCount = 100'000;
    std::string header = "{";
    for (std::size_t i = 0; i < kCount; ++i) {
        header += (i == 0 ? "\"n" : ",\"n") + std::to_string(i) +
                  R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
    }
    const test::Scratch scratch;
    const SafetensorsFile file(scratch.write("many", file_of(header + "}", "")));
    CHECK(file.entries().size() == kCount);
    CHECK(file.load("n77777").numel() == 0);
    CHECK(write_header("many", file.entries(), {}).size() > header.size());
}

TEST_CASE("safetensors: what is no file is refused at once, and says so") {
    const test::Scratch scratch;
    const std::string pipe = scratch.path("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    test::check_throws<FileError>([&] { SafetensorsFile{pipe}; }, "is a pipe, wanted a file");
    test::check_throws<FileError>([&] { SafetensorsFile{scratch.path("")}; }, "is a directory");
    test::check_throws<FileError>([] { SafetensorsFile{"/dev/zero"}; }, "is a device");
    test::check_throws<FileError>([&] { read_file(scratch.path("")); }, "is a directory");
    test::check_throws<FileError>([] { read_file("/dev/zero"); }, "is a device");
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
