"""What a merchant's own text may say: show a value, and ask whether there is one. Nothing else runs.

The renderer's language has loops, filters and functions. A text of a stranger gets none of them: what it may
do is read here, before it is compiled, so no text can take time, memory or anything that it is not given.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from notify.errors import TemplateInvalid

_TAG = re.compile(r"\{\{(?P<shown>.*?)\}\}|\{%(?P<asked>.*?)%\}", re.DOTALL)
_LOOSE = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")
_WORD = re.compile(r"\s*(?:([a-z_][a-z0-9_]*)|([()])|(\S))")
_JOINS = frozenset({"and", "or", "not"})


def check(source: str, variables: Collection[str]) -> None:
    """Raise TEMPLATE_INVALID with the line and what is wrong there."""
    end, open_ifs = 0, list[int]()
    for tag in _TAG.finditer(source):
        line = source.count("\n", 0, tag.start()) + 1
        _no_loose_end(source, end, tag.start())
        end = tag.end()
        if tag["shown"] is not None:
            _known(tag["shown"].strip("- \t\n"), variables, line)
        else:
            _ask(tag["asked"].strip("- \t\n"), variables, line, open_ifs)
    _no_loose_end(source, end, len(source))
    if open_ifs:
        raise TemplateInvalid(f"line {open_ifs[-1]}: this if has no endif")


def _no_loose_end(source: str, start: int, stop: int) -> None:
    loose = _LOOSE.search(source, start, stop)
    if loose is not None:
        line = source.count("\n", 0, loose.start()) + 1
        raise TemplateInvalid(
            f"line {line}: {loose.group()} is half a tag, or a comment, which there is none of"
        )


def _known(name: str, variables: Collection[str], line: int) -> None:
    if name not in variables:
        shown = name[:32] or "nothing"
        raise TemplateInvalid(
            f"line {line}: there is no variable {shown!r}; there are: {', '.join(sorted(variables))}"
        )


def _ask(tag: str, variables: Collection[str], line: int, open_ifs: list[int]) -> None:
    word, _, condition = tag.partition(" ")
    if word == "if":
        open_ifs.append(line)
        _condition(condition, variables, line)
    elif word in ("elif", "else", "endif"):
        if not open_ifs:
            raise TemplateInvalid(f"line {line}: {word} without an if")
        if word == "elif":
            _condition(condition, variables, line)
        elif condition:
            raise TemplateInvalid(f"line {line}: {word} takes nothing")
        if word == "endif":
            open_ifs.pop()
    else:
        raise TemplateInvalid(
            f"line {line}: {word[:32]!r} is not known here; there are if, elif, else, endif"
        )


def _condition(condition: str, variables: Collection[str], line: int) -> None:
    """Names, and, or, not and brackets; whether they stand in a sound order the renderer says."""
    names = 0
    for name, _, other in _WORD.findall(condition):
        if other:
            raise TemplateInvalid(
                f"line {line}: {other!r} is not known in a condition; join names by and, or, not"
            )
        if name and name not in _JOINS:
            _known(name, variables, line)
            names += 1
    if not names:
        raise TemplateInvalid(f"line {line}: a condition names a variable")
