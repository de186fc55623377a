"""The words and signs of the language, for those who look at a text rather than at its tree."""

from __future__ import annotations


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


STATEMENTS = ("use", "let", "def", "require", "ensure", "maximize", "minimize")

#: Operators that stand between two values.
SIGNS = word_set("= ~ += | + - * / // % ** .. == != <= >= < >")
#: Words that are operators between values, and names elsewhere.
OPERATOR_WORDS = word_set("and or not in is if else when for step because before")
#: A line that begins with one of these goes on with the one before.
CONTINUES_BEFORE = word_set("| ~ and or if else when")
#: After one of these a statement goes on in the next line.
CONTINUES_AFTER = SIGNS | word_set("and or not in is if else when step log before")
#: Words that cannot be the name of a function or class.
NO_CALLEE = OPERATOR_WORDS | word_set("let true false null")
