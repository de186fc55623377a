"""Python in the texts of a Clara config: `"#@model.parameters()"`, `"lambda x: x"`, with `@x` for the part x of the config."""

from __future__ import annotations

import keyword
import re

_REFERENCE = re.compile(r"@([A-Za-z_][A-Za-z0-9_]*)")
_LAST_WORD = re.compile(r"[A-Za-z_]\w*$")


def reference(text: str) -> str | None:
    """The name in `"@name"`."""
    match = _REFERENCE.fullmatch(text)
    return match.group(1) if match else None


def expression(text: str) -> str | None:
    """The Python of `"#expression"` and of `"lambda x: ..."`."""
    if text.startswith("#"):
        return text[1:].strip()
    return text if re.match(r"lambda\b", text) else None


def with_names(python: str) -> tuple[str, dict[str, str]]:
    """`python` with every `@x` made an identifier, and those identifiers -> x. An `@` between operands is left alone."""
    names: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        if _is_operand(python[: match.start()].rstrip()):
            return match.group()
        identifier = f"_ref_{match.group(1)}"
        names[identifier] = match.group(1)
        return identifier

    return _REFERENCE.sub(replace, python), names


def _is_operand(before: str) -> bool:
    """Whether what ends here is a value, so that the `@` after it multiplies matrices."""
    word = _LAST_WORD.search(before)
    if word is not None:
        return not keyword.iskeyword(word.group()) or word.group() in ("None", "True", "False")
    return before[-1:].isalnum() or before[-1:] in ("_", ")", "]", "}")
