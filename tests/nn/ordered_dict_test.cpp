// SPDX-License-Identifier: Apache-2.0
#include "pumice/ordered_dict.h"

#include "support/harness.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace pumice {

namespace {

using Dict = OrderedDict<std::string, std::vector<int>>;

Dict three() {
    return {{"c", {1}}, {"a", {2, 3}}, {"b", {}}};
}

}  // namespace

TEST_CASE("OrderedDict: items keep their order and are found by key") {
    Dict dict = three();
    CHECK(dict.size() == 3);
    CHECK_FALSE(dict.is_empty());
    CHECK(dict.keys() == std::vector<std::string>{"c", "a", "b"});
    CHECK(dict.values() == std::vector<std::vector<int>>{{1}, {2, 3}, {}});
    CHECK(dict.pairs()[1] == std::pair<std::string, std::vector<int>>("a", {2, 3}));
    CHECK(dict.contains("a"));
    CHECK_FALSE(dict.contains("d"));
    CHECK(dict["a"] == std::vector<int>{2, 3});
    CHECK(dict[0].key() == "c");
    CHECK(dict.front().key() == "c");
    CHECK(dict.back().key() == "b");
    CHECK(dict.find("b")->empty());
    CHECK(dict.find("d") == nullptr);
    dict["c"].push_back(7);
    CHECK(*std::as_const(dict).find("c") == std::vector<int>{1, 7});
    CHECK(std::as_const(dict)["c"].size() == 2);
    const Dict none;
    CHECK(none.is_empty());
    CHECK(none.empty());
    CHECK(none.keys().empty());
    CHECK(none.begin() == none.end());
}

TEST_CASE("OrderedDict: an item is read in LibTorch's form, as a pair, and taken apart") {
    Dict dict = three();
    std::string keys;
    for (const auto& item : dict) {
        keys += item.key() + std::to_string(item.value().size()) + std::to_string(item->size());
        CHECK(&item.value() == &*item);
        CHECK(&item.key() == &item.first);
        CHECK(&item.value() == &item.second);
    }
    CHECK(keys == "c11a22b00");
    for (auto& [key, value] : dict) {
        value.push_back(static_cast<int>(key.size()));
    }
    for (auto& item : dict) {
        item.value().push_back(5);
        item->push_back(6);
    }
    CHECK(dict["b"] == std::vector<int>{1, 5, 6});
}

TEST_CASE("OrderedDict: insertion, erasure and copies keep keys and positions together") {
    Dict dict = three();
    dict.insert("d", {4}).push_back(8);
    dict.emplace_back("e", {});
    CHECK(dict["d"] == std::vector<int>{4, 8});
    const Dict before = dict;
    dict.erase("a");
    CHECK(dict.keys() == std::vector<std::string>{"c", "b", "d", "e"});
    CHECK_FALSE(dict.contains("a"));
    CHECK(dict["d"] == std::vector<int>{4, 8});
    CHECK(before.size() == 5);
    dict.insert("a", {});
    CHECK(dict[4].key() == "a");
    dict = before;
    CHECK(dict.keys() == before.keys());
    dict.find("c")->clear();
    CHECK(before["c"] == std::vector<int>{1});
    Dict taken = std::move(dict);
    taken.reserve(100);
    CHECK(taken["e"].empty());
    taken.clear();
    CHECK(taken.is_empty());
    CHECK_FALSE(taken.contains("c"));
    taken.insert("c", {});
    CHECK(taken.size() == 1);
}

TEST_CASE("OrderedDict: what is refused changes nothing") {
    Dict dict = three();
    test::check_throws<ArgumentError>([&] { dict.insert("a", {}); },
                                      "[OrderedDict] wanted a new key; got 'a'");
    test::check_throws<ArgumentError>([&] { dict["x"].clear(); },
                                      "[OrderedDict] wanted a key that is there; got 'x'");
    test::check_throws<ArgumentError>([&] { dict.erase("x"); }, "got 'x'");
    test::check_throws<ArgumentError>([&] { dict[3].value().clear(); },
                                      "[OrderedDict] wanted a position below 3; got 3");
    test::check_throws<ArgumentError>([] { static_cast<void>(Dict().back()); }, "below 0");
    test::check_throws<ArgumentError>([] { Dict({{"a", {}}, {"a", {}}}); }, "wanted a new key");
    CHECK(dict.keys() == three().keys());
    CHECK(dict.values() == three().values());
}

}  // namespace pumice
