#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks each #include in engine/ and include/ against the floors of docs/house.txt, and that the rooms which
should know no operator name none.

Prints every violation as file:line: error: ..., and exits 1 if there was one.
"""
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
STANDARD = re.compile(r"[a-z_]+")  # <vector>, <cstdint>: no folder, no suffix
SYSTEM = re.compile(r"(sys/)?[a-z_]+(\.h)?")  # that and <unistd.h>, <sys/mman.h>
FACE = "pumice"
SUFFIXES = (".h", ".cpp", ".inc")
ROW = re.compile(r"^PUMICE_(?:OP|UNARY)\((\w+), (\w+)\)", re.MULTILINE)
TABLES = ("engine/ops/all_ops.inc", "include/pumice/ops/unary.inc")
COMMENT = re.compile(r"//.*")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
RECORD = re.compile(r"\bops::(k\w+)")
COMPARED = re.compile(r'[=!]=\s*"|"\s*[=!]=')
LISTED = re.compile(r"[\s,{}();]*")  # what is left of a line of a list without its strings
USING = re.compile(r"\busing (?:namespace )?(?:pumice::)?ops\b")


class HouseError(Exception):
    """docs/house.txt cannot be read; the text starts with file:line."""


@dataclass
class House:
    floors: dict = field(default_factory=dict)  # room -> floor, 0 at the top
    public: set = field(default_factory=set)
    only: dict = field(default_factory=dict)  # header or folder/ -> rooms
    allow: dict = field(default_factory=dict)
    nameless: set = field(default_factory=set)


def parse_house(text, name="docs/house.txt"):
    house, floor = House(), 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        where = f"{name}:{number}"
        if words[0] == "room" and len(words) > 1:
            rooms = [w for w in words[1:] if w != "public"]
            if twice := [r for r in rooms if r in house.floors]:
                raise HouseError(f"{where}: error: room {twice[0]} appears twice")
            house.floors.update(dict.fromkeys(rooms, floor))
            if "public" in words[1:]:
                house.public.update(rooms)
            floor += 1
        elif words[0] == "nameless":
            if unknown := [r for r in words[1:] if r not in house.floors]:
                raise HouseError(f"{where}: error: no room {unknown[0]} above this line")
            house.nameless.update(words[1:])
        elif words[0] in ("only", "allow") and ":" in words:
            at = words.index(":")
            if unknown := [r for r in words[at + 1 :] if r not in house.floors]:
                raise HouseError(f"{where}: error: no room {unknown[0]} above this line")
            for header in words[1:at]:
                getattr(house, words[0])[header] = set(words[at + 1 :])
        else:
            raise HouseError(f"{where}: error: not understood: {line.strip()}")
    return house


def _rooms_for(rules, header):
    """The rooms of the rule that covers the header, or None."""
    for pattern, rooms in rules.items():
        if header == pattern or (pattern.endswith("/") and header.startswith(pattern)):
            return rooms
    return None


def _is_face(header):
    return header.startswith(f"{FACE}/")


def _check_from_face(house, header, is_quoted):
    if _is_face(header) or (not is_quoted and STANDARD.fullmatch(header)):
        return None
    return f"include/{FACE} includes only itself and the standard library, not {header}"


def _check_outside(house, room, header):
    rooms = _rooms_for(house.only, header)
    if rooms is not None and room not in rooms:
        return f"{header} is for {', '.join(sorted(rooms))} alone, not {room}"
    allowed = _rooms_for(house.allow, header) or ()
    if room in house.public and room not in allowed and not SYSTEM.fullmatch(header):
        return f"{room} is written against {FACE}/ alone and may not include {header}"
    return None


def _check_inside(house, room, header, is_local):
    target = room if is_local else header.split("/", 1)[0]
    if target not in house.floors or ("/" not in header and not is_local):
        return f"{header} is in no room; write it as room/file.h"
    if target == room:
        return None
    if room in house.public:
        return f"{room} is written against {FACE}/ alone and may not include {header}"
    if house.floors[target] == house.floors[room]:
        return f"{room} may not include {header}: {target} stands beside it"
    if house.floors[target] > house.floors[room]:
        return f"{room} may not include {header}: {target} stands below it"
    return None


def check_include(house, room, header, is_quoted, is_local=False):
    """The violation's text, or None. room is pumice for the public face; is_local says that the
    quoted name is a file beside the includer."""
    if room == FACE:
        return _check_from_face(house, header, is_quoted)
    if _is_face(header):
        return None
    if is_quoted:
        return _check_inside(house, room, header, is_local)
    if header.split("/", 1)[0] in house.floors and "/" in header:
        return _check_inside(house, room, header, False)
    return _check_outside(house, room, header)


def read_operators(root):
    """Names and records of all operators."""
    tables = [root / table for table in TABLES if (root / table).is_file()]
    rows = [row for table in tables for row in ROW.findall(table.read_text())]
    return {name for name, _ in rows}, {record for _, record in rows}


def check_line(room, line, operators):
    """The text of the violation in a line of a room that should know no operator, or None."""
    names, records = operators
    code = COMMENT.sub("", line)
    for record in RECORD.findall(STRING.sub('""', code)):
        if record in records:
            return f"{room} knows no operator and may not name {record}; see OpDef, or give it a role in ops"
    if USING.search(code):
        return f"{room} knows no operator and may not take names from ops"
    strings = [] if INCLUDE.match(line) else STRING.findall(code)
    found = [text for text in strings if text in names]
    is_listed = len(found) == len(strings) and LISTED.fullmatch(STRING.sub("", code))
    if found and (len(found) > 1 or is_listed or COMPARED.search(code)):
        return f"{room} knows no operator and may not compare or list the name {found[0]}"
    return None


def check_file(house, root, path, operators=(frozenset(), frozenset())):
    parts = path.relative_to(root).parts
    room = FACE if parts[0] == "include" else parts[1]
    if room != FACE and (room not in house.floors or len(parts) < 3):
        yield f"{path.relative_to(root)}:1: error: {room} is no room of docs/house.txt"
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if match := INCLUDE.match(line):
            header, is_quoted = match[2], match[1] == '"'
            is_local = "/" not in header and (path.parent / header).is_file()
            if text := check_include(house, room, header, is_quoted, is_local):
                yield f"{path.relative_to(root)}:{number}: error: {text}"
        if room in house.nameless and (text := check_line(room, line, operators)):
            yield f"{path.relative_to(root)}:{number}: error: {text}"


def check_tree(root):
    house = parse_house((root / "docs" / "house.txt").read_text())
    operators = read_operators(root)
    files = (p for top in ("engine", "include") for p in sorted((root / top).rglob("*")))
    return [t for p in files if p.suffix in SUFFIXES for t in check_file(house, root, p, operators)]


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    try:
        violations = check_tree(root)
    except (HouseError, OSError) as error:
        violations = [str(error)]
    print("\n".join(violations) or "check_layers: every include points up")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
