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
repair.py       the text with its safe fixes made
"""

from .repair import Repaired, repair
from .rules import RULES, lint
from .subject import Subject

__all__ = ["RULES", "Repaired", "Subject", "lint", "repair"]
