#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is there is tested, and one can find where:

- a source y.cpp of room x has y_test.cpp in x of tests, or a line of tests/where.txt says which tests are its;
- each parameter of a function in include/pumice/ops/ has a row in tests/ops/attributes_test.cpp, which
  shows that it changes the result. Operands count where they may be left out.

    tools/check_tests.py [ROOT]
"""
import pathlib
import re
import sys

ROWS = "tests/ops/attributes_test.cpp"
FUNCTION = re.compile(
    r"^(?:std::vector<Tensor>|Tensor&?|bool) (\w+)\(((?:[^();]|\([^()]*\))*)\)(?:;| \{)", re.MULTILINE
)
ROW = re.compile(r'\{"(\w+)",\s*"(\w+)",')


def read_places(path):
    """Source without suffix -> (file of tests, number of its line); and faults."""
    places, faults = {}, []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.split("#")[0].strip()
        if not text:
            continue
        tests, colon, sources = text.partition(":")
        if not colon or not sources.split():
            faults.append(f"{path.name}:{number}: wanted 'FILE : SOURCE...'")
        for source in sources.split():
            if source in places:
                faults.append(f"{path.name}:{number}: {source} is named twice")
            places[source] = (tests.strip(), number)
    return places, faults


def source_name(path):
    """room/name: a group of operators within the room counts for nothing."""
    return f"{path.parts[0]}/{path.stem}"


def check_places(root):
    engine, tests = root / "engine", root / "tests"
    places, faults = read_places(tests / "where.txt")
    for path in sorted(engine.rglob("*.cpp")):
        source = source_name(path.relative_to(engine))
        has_own = (tests / f"{source}_test.cpp").exists()
        if source not in places and not has_own:
            faults.append(f"engine/{source}.cpp: neither tests/{source}_test.cpp nor a line of where.txt")
        if source in places and has_own:
            faults.append(f"where.txt:{places[source][1]}: {source} has tests of its own name")
    sources = {source_name(p.relative_to(engine)) for p in engine.rglob("*.cpp")}
    for source, (name, number) in places.items():
        if source not in sources:
            faults.append(f"where.txt:{number}: there is no engine/{source}.cpp")
        if not (tests / name).exists():
            faults.append(f"where.txt:{number}: there is no tests/{name}")
    return faults


def split_list(text):
    """At the commas that stand in no bracket."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<({[") - (character in ">)}]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def attributes_of(header):
    """(function, parameter) of all that a caller says beside operands that must be there."""
    text = re.sub(r"//[^\n]*", "", header)
    text = re.sub(r"^namespace detail \{.*?^\}", "", text, flags=re.MULTILINE | re.DOTALL)
    found = set()
    for function, parameters in FUNCTION.findall(text):
        for parameter in filter(str.strip, split_list(parameters)):
            declared, equals, _ = parameter.partition("=")
            kind, name = declared.strip().rsplit(None, 1)
            if equals or not re.search(r"\bTensor\b", kind):
                found.add((function, name))
    return found


def check_attributes(root):
    wanted = set()
    for header in sorted((root / "include/pumice/ops").glob("*.h")):
        wanted |= attributes_of(header.read_text())
    rows = set(ROW.findall((root / ROWS).read_text()))
    faults = [f"{ROWS}: no row for {name} of {function}" for function, name in sorted(wanted - rows)]
    return faults + [f"{ROWS}: there is no {name} of {function}" for function, name in sorted(rows - wanted)]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1])
    faults = check_places(root) + check_attributes(root)
    print("\n".join(faults) if faults else "check_tests: every source and attribute has its tests")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
