"""Random damage to texts, as hands and merges do it."""

from __future__ import annotations

import random

_WORDS = (
    *("log", "when", "step", "if", "else", "not", "and", "or", "is", "in", "for", "use", "let", "def", "study", "because"),
    *("before", "true", "null", "maximize"),
)
PIECES = (
    *"(){}[]=~|,.:\"'#+-*/@ \n<>!;0aA_\\\u00e9&%$",
    *(f"{word} " for word in _WORDS),
    *(["..", "1e-3", "12h", '"s"', "==", "+=", "0..1", "|2"]),
    *("\r\n", "\t"),
)


def damaged(text: str, choose: random.Random) -> str:
    """`text` after one to three accidents: something put in, left out, repeated, replaced or swapped."""
    for _ in range(choose.choice((1, 1, 1, 2, 3))):
        at = choose.randrange(len(text) + 1)
        match choose.randrange(6):
            case 0:
                text = text[:at] + choose.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + choose.randint(1, 6) :]
            case 2:
                other = choose.randrange(len(text) + 1)
                text = text[:at] + text[other : other + choose.randint(1, 20)] + text[at:]
            case 3:
                text = text[:at] + choose.choice(PIECES) + text[at + 1 :]
            case 4:
                text = text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
            case _:
                start = text.rfind("\n", 0, at) + 1
                end = text.find("\n", at)
                text = text[:start] + text[len(text) if end < 0 else end + 1 :]
    return text
