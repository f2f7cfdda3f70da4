#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what the shared library exports against what the public headers declare, both ways:

    tools/check_exports.py [LIBRARY]      build/dev/lib/libpumice.so by default

Declarations are read from clang's syntax tree. Prints each difference, and exits 1 if there was one.
"""
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ("FunctionDecl", "CXXMethodDecl", "CXXConstructorDecl", "CXXDestructorDecl")
TEMPLATES = ("FunctionTemplateDecl", "ClassTemplateDecl", "ClassTemplatePartialSpecializationDecl")
# A class's tables and names, which come with its functions: vtable, VTT, typeinfo, its name, guards.
TABLES = re.compile(r"_Z(TV|TT|TI|TS|GV)")


def syntax_trees(root):
    """What clang makes of each block of namespace pumice in the public headers."""
    headers = sorted(p.relative_to(root / "include") for p in (root / "include").rglob("*.h"))
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write("".join(f"#include <{header}>\n" for header in headers))
        source.flush()
        command = ["clang++", "-std=c++20", "-fsyntax-only", "-I", str(root / "include")]
        command += ["-Xclang", "-ast-dump=json", "-Xclang", "-ast-dump-filter=pumice"]
        text = subprocess.run(
            [*command, source.name], capture_output=True, text=True, check=True
        ).stdout
    decoder, at = json.JSONDecoder(), 0
    while (at := text.find("{", at)) >= 0:
        tree, at = decoder.raw_decode(text, at)
        yield tree


def is_defined_in_header(node):
    if node.get("isImplicit") or node.get("explicitlyDeleted") or node.get("explicitlyDefaulted"):
        return True
    return node.get("pure") or any(n["kind"] == "CompoundStmt" for n in node.get("inner", []))


def sort_functions(node, declared, defined):
    """Adds the mangled names of functions to one of the sets: with a body in a header, or without."""
    if node["kind"] in TEMPLATES:
        return
    if node["kind"] in FUNCTIONS and node.get("mangledName"):
        found = defined if is_defined_in_header(node) else declared
        found.add(one_of_kind(node["mangledName"]))
        return
    for inner in node.get("inner", []):
        if "kind" in inner:
            sort_functions(inner, declared, defined)


def one_of_kind(name):
    """Constructors and destructors have several symbols each (C1, C2; D0, D1, D2)."""
    return re.sub(r"C[12](E)", r"C1\1", re.sub(r"D[012](Ev)", r"D1\1", name))


def exported(library):
    lines = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    symbols = [line.split() for line in lines]
    # Weak ones are inline functions' and templates'.
    return {one_of_kind(name) for _, kind, name in symbols if kind == "T"} | {
        name for _, kind, name in symbols if kind not in "TWVu" and not TABLES.match(name)
    }


def readable(names):
    text = subprocess.run(["c++filt"], input="\n".join(sorted(names)), capture_output=True, text=True)
    return text.stdout.splitlines()


def main():
    library = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/dev/lib/libpumice.so"
    declared, defined = set(), set()
    for tree in syntax_trees(ROOT):
        sort_functions(tree, declared, defined)
    wanted = declared - defined
    got = exported(library)
    if not wanted or not got:
        sys.exit(f"check_exports: {len(wanted)} functions are declared, {len(got)} exported")
    for name in readable(got - wanted):
        print(f"{library.name} exports {name}, which no public header declares")
    for name in readable(wanted - got):
        print(f"{library.name} does not export {name}, which a public header declares")
    if got != wanted:
        sys.exit(1)
    print(f"check_exports: {len(got)} functions, each declared and exported")


if __name__ == "__main__":
    main()
