// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace pumice::test {

/// A folder of its own for one test, removed with everything in it.
class Scratch {
public:
    Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    Scratch(Scratch&&) = delete;
    Scratch& operator=(Scratch&&) = delete;
    ~Scratch();

    std::string path(const std::string& name) const { return folder_ + "/" + name; }

    /// Writes a file and returns its path.
    std::string write(const std::string& name, const std::string& bytes) const;
    /// A path below a file, which nobody can read, write or make, root included. Two calls may
    /// share it.
    std::string path_below_file(const std::string& name) const;
    /// Files in the folder.
    std::size_t file_count() const;

private:
    std::string folder_;
};

}  // namespace pumice::test
