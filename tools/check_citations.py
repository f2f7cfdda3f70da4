#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that whatever the sources and the docs cite exists.

    tools/check_citations.py [ROOT]

- a grad-mode rule (G17) or error (E6) is defined in docs/grad_modes.md, and names tests that exist;
- a note, `Note [Name]`, is defined once as `Note [Name]:`, in the file that a citation names;
- a path below one of the project's folders, from the root or as an include has it, exists;
- an anchor, `page.md#anchor`, is a heading of the page.

Prints every violation as file:line: error: ..., and exits 1 if there was one.
"""
import re
import sys
from pathlib import Path

TOPS = ("engine", "include", "shaders", "tests", "tools", "docs", "samples", "cmake")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
SUFFIXES = (".h", ".cpp", ".inc", ".comp", ".glsl", ".py", ".md", ".txt", ".cmake", "")
# Data is nobody's text; this file and the tests of scripts cite what is made up.
SKIPPED = ("tools/check_citations.py", "tests/tools", "tests/data", "samples/models", "samples/data")
# What is named without being here: files that the build makes, and LibTorch's header.
ELSEWHERE = re.compile(r"vk/(kernels|iterations)\.(h|cpp)|vk/kernels/\w+\.h|torch/torch\.h")
# Folders that paths in the sources begin at.
HOMES = ("", "include", "include/pumice", "engine", "shaders", "tests", "tools", "samples")
RULES = "docs/grad_modes.md"

# Between two words of a comment: a space, or the next line and its leader.
GAP = r"(?:[ \t]+|[ \t]*\n[ \t]*(?://[/!]?<?|#)?[ \t]*)"
RULE = re.compile(r"\b([GE]\d{1,2})[ab]?\b")
RULE_HEAD = re.compile(r"^\*\*([GE]\d+)\*\*", re.MULTILINE)
TEST_LINE = re.compile(r'([\w/]+_test) "([^"]+)"')
TEST_CASE = re.compile(r'TEST_CASE\(\s*"([^"]+)"')
NOTE = re.compile(rf"\bNote{GAP}\[([^\]\n]+)\](:?)(?:{GAP}in{GAP}([\w/.]+\.\w+))?")
PATH = re.compile(
    r"(?<![\w/.$}*-])((\w+)/[\w/.-]*\w\.(?:h|cpp|inc|comp|glsl|py|md|txt|cmake))"
    r"(?:#([\w-]+))?(?![\w*<{/]|\.\w)"
)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
PAGE = re.compile(r"(?<![\w/.#-])([\w.-]+\.md)\b")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def is_text(path):
    if path.suffix not in SUFFIXES:
        return False
    if path.suffix:
        return True
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def read_tree(root):
    """Text by path from the root, of all files that may cite."""
    files = [p for top in TOPS for p in sorted((root / top).rglob("*")) if p.is_file()]
    files += [root / name for name in PAGES if (root / name).is_file()]
    names = {p.relative_to(root).as_posix(): p for p in files}
    return {
        name: path.read_text()
        for name, path in names.items()
        if is_text(path) and not name.startswith(SKIPPED)
    }


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def anchors_of(text):
    """The anchors of a page's headings, as GitHub makes them."""
    heads = (re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in HEADING.findall(text))
    return set(heads)


def check_rules(texts):
    rules = texts.get(RULES, "")
    known = {match[1] for match in RULE_HEAD.finditer(rules)}
    for name, text in texts.items():
        text = re.sub(r"noqa: E\d+", lambda match: " " * len(match[0]), text)
        for match in RULE.finditer(text):
            if match[1] not in known:
                yield name, match.start(), f"{match[1]} is not in {RULES}"
    heads = list(RULE_HEAD.finditer(rules))
    for head, after in zip(heads, heads[1:] + [None]):
        part = rules[head.end() : after.start() if after else len(rules)]
        tests = TEST_LINE.findall(part)
        if not tests:
            yield RULES, head.start(), f"{head[1]} names no test"
        for test, case in tests:
            source = texts.get(f"tests/{test}.cpp")
            if source is None:
                yield RULES, head.start(), f"{head[1]}: there is no tests/{test}.cpp"
            elif not any(found.startswith(case) for found in TEST_CASE.findall(source)):
                yield RULES, head.start(), f'{head[1]}: tests/{test}.cpp has no case "{case}..."'


def check_notes(texts):
    homes = {}
    for name, text in texts.items():
        for match in NOTE.finditer(text):
            if not match[2]:
                continue
            note = match[1]
            if note in homes:
                yield name, match.start(), f"Note [{note}] is defined in {homes[note]} too"
            homes.setdefault(note, name)
    for name, text in texts.items():
        for match in NOTE.finditer(text):
            note, place = match[1], match[3]
            if note not in homes:
                yield name, match.start(), f"Note [{note}] is defined nowhere"
            elif place and not f"/{homes[note]}".endswith(f"/{place}"):
                yield name, match.start(), f"Note [{note}] is in {homes[note]}, not {place}"


def folders_of(root):
    """First folders of paths that this check knows: others are the system's or a user's."""
    return {p.name for home in HOMES for p in (root / home).glob("*") if p.is_dir()} - {"build"}


def check_paths(root, texts):
    folders = folders_of(root)
    for name, text in texts.items():
        for match in PATH.finditer(text):
            path, first, anchor = match.groups()
            places = [root / home / path for home in HOMES] + [(root / name).parent / path]
            found = next((p for p in places if p.exists()), None)
            if first in folders and not found and not ELSEWHERE.fullmatch(path):
                yield name, match.start(), f"there is no {path}"
            elif found and anchor and anchor not in anchors_of(found.read_text()):
                yield name, match.start(), f"{path} has no heading #{anchor}"
        for match in PAGE.finditer(text):
            places = (root, root / "docs", (root / name).parent)
            if not any((place / match[1]).exists() for place in places):
                yield name, match.start(), f"there is no page {match[1]}"


def check_links(root, texts):
    for name, text in texts.items():
        if not name.endswith(".md"):
            continue
        for match in LINK.finditer(text):
            target, anchor = match[1], match[2]
            if target.startswith(("http://", "https://")):
                continue
            path = ((root / name).parent / target).resolve() if target else root / name
            if not path.exists():
                yield name, match.start(), f"the link to {target} leads nowhere"
            elif anchor and anchor not in anchors_of(path.read_text()):
                yield name, match.start(), f"{target or name} has no heading #{anchor}"


def check_tree(root):
    texts = read_tree(root)
    found = [
        *check_rules(texts),
        *check_notes(texts),
        *check_paths(root, texts),
        *check_links(root, texts),
    ]
    return [f"{name}:{line_of(texts[name], at)}: error: {text}" for name, at, text in found]


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    violations = check_tree(root.resolve())
    print("\n".join(violations) or "check_citations: every citation has its place")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
