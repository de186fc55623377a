"""Syntax trees of all layers -> a Program.

    layers.py (with expand, places, paths)   modules -> one tree of places, and the study's statements
    counting.py (comprehensions, possible)   how long the lists of comprehensions are
    sites.py (baselines, domains, constants) searches -> parameters
    expressions.py (logic)                   names and expressions -> IR expressions
    lower.py, order.py                       tree -> IR configuration, order of parameters
    study.py (study_values, metrics)         study keys -> ir.Study
    program.py (feasibility)                 all of it

Codes: AM101 unknown name, AM102 function or operator, AM103 number of values, AM104 type, AM105 empty range, AM106 log at zero,
AM107 no value, AM109 unit, AM110 unknown path, AM111 bound twice, AM112 index, AM113 ambiguous path, AM114 a `def` of several
values, AM115 arguments, AM116 `+=`, AM117 and AM118 sections and `use`, AM119 missing argument, AM120 not constant, AM121 a
loop, AM122 to AM124 feasibility, AM130 read where it may be absent, AM131 an unknown class, AM199 not supported yet, AM203
unknown argument, AM222 a reference to nothing, AM223 wrong Python in a text, AM302 to AM304 limits, AM305 and AM310 to AM312 files,
AM401 to AM406 and AM409 study, AM408 what does nothing, AM905, AM906, AM908 lints.
"""

from .program import Elaborated, Request, elaborate

__all__ = ["Elaborated", "Request", "elaborate"]
