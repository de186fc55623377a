"""Lints: what is allowed and hardly meant. Every rule is a function from a `Subject` to the diagnostics it finds.

ranges.py       AM901 a linear range over several orders of magnitude
names.py        AM903 an unused `let` or `def`
shadows.py      AM904 a name that hides another
choices.py      AM905 baseline outside the domain, AM906 one alternative, AM908 the same alternative twice
disabled.py     AM907 components switched by opposite `@disabled`
requires.py     AM909 a `require` that always or never holds
recommend.py    AM910 fewer recommendations than workers
literals.py     AM911 a number in quotes
seeds.py        AM912 no seed
nothing.py      AM913 a `null` that stays in a list
memory.py       AM914 a limit of a few bytes
devices.py      AM915 a GPU in several workers
steps.py        AM916 an end that the steps do not reach
repair.py       the text with its safe fixes made
"""

from .repair import Repaired, repair
from .rules import RULES, lint
from .subject import Subject

__all__ = ["RULES", "Repaired", "Subject", "lint", "repair"]
