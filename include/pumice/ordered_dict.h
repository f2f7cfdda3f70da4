// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "pumice/error.h"
#include "pumice/export.h"

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace PUMICE_API pumice {

/// Values by key, in order of insertion, as LibTorch's: what a module's named_parameters() is.
/// A key is there once at most. The time to find one does not depend on how many there are.
template <class Key, class Value>
requires std::convertible_to<const Key&, std::string_view>

class OrderedDict {
public:
    /// A key and its value: `item.key()` and `item.value()`, `item.first` and `item.second`, or
    /// `const auto& [key, value] = item`.
    class Item : public std::pair<const Key, Value> {
    public:
        using std::pair<const Key, Value>::pair;

        /// The key.
        [[nodiscard]] const Key& key() const noexcept { return this->first; }

        /// The value.
        /// @{
        [[nodiscard]] Value& value() noexcept { return this->second; }

        [[nodiscard]] const Value& value() const noexcept { return this->second; }

        Value& operator*() noexcept { return this->second; }

        const Value& operator*() const noexcept { return this->second; }

        Value* operator->() noexcept { return &this->second; }

        const Value* operator->() const noexcept { return &this->second; }

        /// @}
    };

    /// Without items.
    OrderedDict() = default;

    /// Of these items, `{{"a", x}, {"b", y}}`. @throws ArgumentError for a key that is given twice
    OrderedDict(std::initializer_list<Item> items) {
        for (const Item& item : items) {
            insert(item.key(), item.value());
        }
    }

    /// A copy has items of its own.
    /// @{
    OrderedDict(const OrderedDict&) = default;
    OrderedDict(OrderedDict&&) noexcept = default;
    OrderedDict& operator=(OrderedDict&&) noexcept = default;

    /// @}

    /// Takes copies of the other's items in place of its own.
    OrderedDict& operator=(const OrderedDict& other) {
        OrderedDict copy(other);
        return *this = std::move(copy);
    }

    ~OrderedDict() = default;

    /// How many items there are.
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }

    /// Whether there is none.
    /// @{
    [[nodiscard]] bool is_empty() const noexcept { return items_.empty(); }

    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }

    /// @}

    /// The items in order.
    /// @{
    [[nodiscard]] auto begin() noexcept { return items_.begin(); }

    [[nodiscard]] auto begin() const noexcept { return items_.begin(); }

    [[nodiscard]] auto end() noexcept { return items_.end(); }

    [[nodiscard]] auto end() const noexcept { return items_.end(); }

    [[nodiscard]] const std::vector<Item>& items() const noexcept { return items_; }

    /// @}

    /// The keys alone, in order.
    [[nodiscard]] std::vector<Key> keys() const {
        std::vector<Key> keys;
        keys.reserve(size());
        for (const Item& item : items_) {
            keys.push_back(item.key());
        }
        return keys;
    }

    /// The values alone, in order.
    [[nodiscard]] std::vector<Value> values() const {
        std::vector<Value> values;
        values.reserve(size());
        for (const Item& item : items_) {
            values.push_back(item.value());
        }
        return values;
    }

    /// Keys with their values, in order.
    [[nodiscard]] std::vector<std::pair<Key, Value>> pairs() const {
        return {items_.begin(), items_.end()};
    }

    /// The item at a position, the first or the last one. @throws ArgumentError from size() on
    /// @{
    Item& operator[](std::size_t index) { return items_[checked(index)]; }

    const Item& operator[](std::size_t index) const { return items_[checked(index)]; }

    [[nodiscard]] Item& front() { return (*this)[0]; }

    [[nodiscard]] const Item& front() const { return (*this)[0]; }

    [[nodiscard]] Item& back() { return (*this)[size() - 1]; }

    [[nodiscard]] const Item& back() const { return (*this)[size() - 1]; }

    /// @}

    /// The value of a key. @throws ArgumentError unless it is there
    /// @{
    Value& operator[](const Key& key) { return items_[position_of(key)].value(); }

    const Value& operator[](const Key& key) const { return items_[position_of(key)].value(); }

    /// @}

    /// The value of a key, null unless it is there; valid until the dict changes.
    /// @{
    [[nodiscard]] Value* find(const Key& key) noexcept {
        const auto found = positions_.find(key);
        return found == positions_.end() ? nullptr : &items_[found->second].value();
    }

    [[nodiscard]] const Value* find(const Key& key) const noexcept {
        const auto found = positions_.find(key);
        return found == positions_.end() ? nullptr : &items_[found->second].value();
    }

    /// @}

    /// Whether a key is there.
    [[nodiscard]] bool contains(const Key& key) const noexcept { return positions_.contains(key); }

    /// Appends an item and returns its value, valid until the dict changes; emplace_back is
    /// std::vector's name for it. @throws ArgumentError for a key that is there
    /// @{
    Value& insert(Key key, Value value) {
        if (!positions_.try_emplace(key, size()).second) {
            fail("wanted a new key", key);
        }
        return items_.emplace_back(std::move(key), std::move(value)).value();
    }

    Value& emplace_back(Key key, Value value) { return insert(std::move(key), std::move(value)); }

    /// @}

    /// Takes an item out; those behind it move up. @throws ArgumentError unless the key is there
    void erase(const Key& key) {
        const std::size_t gone = position_of(key);
        OrderedDict kept;
        for (std::size_t i = 0; i < size(); ++i) {
            if (i != gone) {
                kept.insert(items_[i].key(), items_[i].value());
            }
        }
        *this = std::move(kept);
    }

    /// Takes all items out.
    void clear() noexcept {
        items_.clear();
        positions_.clear();
    }

    /// Makes room for this many items.
    void reserve(std::size_t capacity) {
        items_.reserve(capacity);
        positions_.reserve(capacity);
    }

private:
    [[noreturn]] static void fail(const char* wanted, const Key& key) {
        throw ArgumentError(
            "OrderedDict",
            std::string(wanted) + "; got '" + std::string(std::string_view(key)) + "'");
    }

    [[nodiscard]] std::size_t checked(std::size_t index) const {
        if (index >= size()) {
            throw ArgumentError("OrderedDict",
                                "wanted a position below " + std::to_string(size()) + "; got " +
                                    std::to_string(index));
        }
        return index;
    }

    [[nodiscard]] std::size_t position_of(const Key& key) const {
        const auto found = positions_.find(key);
        if (found == positions_.end()) {
            fail("wanted a key that is there", key);
        }
        return found->second;
    }

    std::vector<Item> items_;
    std::unordered_map<Key, std::size_t> positions_;
};

}  // namespace pumice
