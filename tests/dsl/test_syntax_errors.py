"""Mistakes: each has its code, its place and what to write instead, whatever stands around it."""

import random

import pytest

from automl_run.dsl.diagnostics import Diagnostic, render, render_all
from automl_run.dsl.expected import SHOWN
from automl_run.dsl.parser import _language, parse_module
from automl_run.dsl.source import Source


def found_in(text: str) -> list[Diagnostic]:
    return parse_module(Source("a.automl", text), require_edition=False)[1]


def rendered(text: str) -> str:
    return render_all(found_in(text), {"a.automl": Source("a.automl", text)})


# -- whole messages -----------------------------------------------------------------------------------------------------------

WHOLE = {
    "learning_rate = 1e-4..1e-3": """\
error[AM001]: `=` fixes a value; a range is searched with `~`
 --> a.automl:1:21
  |
1 | learning_rate = 1e-4..1e-3
  |                     ^^
  = help: write `learning_rate ~ ...`, or `learning_rate = baseline ~ ...`""",
    'train.model.final_activation ~ "softmax", "sigmoid"': """\
error[AM002]: alternatives are separated by `|`
 --> a.automl:1:41
  |
1 | train.model.final_activation ~ "softmax", "sigmoid"
  |                                         ^
  = help: write `a | b | c`""",
    "train {\n  lr: 1e-3\n}": """\
error[AM005]: bindings use `=`; `:` belongs to dict literals
 --> a.automl:2:5
  |
2 |   lr: 1e-3
  |     ^
  = help: write `lr = ...`""",
    "use 'b.json'": """\
error[AM008]: unexpected character `'`
 --> a.automl:1:5
  |
1 | use 'b.json'
  |     ^
  = help: strings use double quotes: "...\"""",
    'study "x" {\n  seed = 1\n': """\
error[AM003]: this `{` is never closed
 --> a.automl:1:11
  |
1 | study "x" {
  |           ^ opened here
  = help: add `}`""",
    "train.model = SegAhnet(\n  a = 1,\n": """\
error[AM003]: this `(` is never closed
 --> a.automl:1:23
  |
1 | train.model = SegAhnet(
  |                       ^ opened here
  = help: add `)`""",
    "require a = 3": """\
error[AM006]: equality is `==`
 --> a.automl:1:11
  |
1 | require a = 3
  |           ^
  = help: write `a == b`""",
    'study "x" {\n  maximise val_mean_dice\n}': """\
error[AM010]: unknown statement `maximise`
 --> a.automl:2:3
  |
2 |   maximise val_mean_dice
  |   ^^^^^^^^
  = help: did you mean `maximize`?""",
    "learning_rate =": """\
error[AM007]: a value is missing after `=`
 --> a.automl:1:15
  |
1 | learning_rate =
  |               ^""",
}


@pytest.mark.parametrize("text", WHOLE)
def test_whole_message(text: str) -> None:
    assert rendered(text) == WHOLE[text]


# -- one mistake, one diagnostic: the code, what the caret is under, what the help says ---------------------------------------

MISTAKES = [
    ("x = C(a = 1..3)", "AM001", "..", "`a ~ ...`"),
    ("lr = log 1e-5..1e-2", "AM001", "log", "`lr ~ ...`"),
    ("x = 1 | 2", "AM001", "|", "`x ~ ... | ...`"),
    ("x = [1 | 2]", "AM001", "|", "[~ a | b]"),
    ("x = [1..3]", "AM001", "..", "for i in"),
    ("x ~ (1..3)", "AM001", "..", "without brackets"),
    ("x ~ 0.1..0.5..0.2", "AM001", "..", "step 0.2"),
    ('study "s" { batch ~ 2, 4, 8 }', "AM002", ",", "a | b | c"),
    ("opt ~ Adam(), SGD()", "AM002", ",", "a | b | c"),
    ("x ~ a, b", "AM002", ",", "a | b | c"),
    ("x = C(b ~ 2, 4)", "AM002", "4", "`2 | 4`"),
    ("x = [1, 2", "AM003", "[", "add `]`"),
    ('x = "abc', "AM003", '"', 'add `"`'),
    ('x = C(a = "abc)\ny = 1', "AM003", '"', 'add `"`'),
    ('study "x"\n  seed = 3\n}', "AM003", '"x"', '`study "x" {`'),
    ("x = (1, 2]", "AM004", "]", "write `)`"),
    ("x = 3)", "AM004", ")", "remove it"),
    ("x = 3\n}", "AM004", "}", "remove it"),
    ("train: {\n  a = 1\n}", "AM005", ":", "`train { ... }`"),
    ("x = C(a: 1)", "AM005", ":", "`a = ...`"),
    ("x := 3", "AM005", ":", "`x = ...`"),
    ("x == 3", "AM005", "==", "`x = ...`"),
    ("x ~ 1..3 when m = 3", "AM006", "=", "a == b"),
    ("x = 1 if a = 2 else 3", "AM006", "=", "a == b"),
    ("x = y = 3", "AM006", "=", "a == b"),
    ("x =\ny = 3", "AM007", "=", ""),
    ('x =\nstudy "s" {\n  seed = 1\n}', "AM007", "=", ""),
    ("x ~\nmaximize dice", "AM007", "~", ""),
    ("x = 3 ~", "AM007", "~", ""),
    ("x = (1 + )", "AM007", "+", ""),
    ("x = * 3", "AM007", "=", ""),
    ("x ~ 1..3 step", "AM007", "step", ""),
    ("x ~ 0,1..0,5", "AM020", ",", "write `0.1`"),
    ("x ~ 1,5..3", "AM020", ",", "write `1.5`"),
    ("x = 50%\ny = 3", "AM020", "%", "write `0.5`"),
    ("x = 50%, y = 3", "AM020", "%", "write `0.5`"),
    ("/* a */\nx = 3", "AM009", "/*", "write `#`"),
    ("x = 3 /* a */", "AM009", "/*", "write `#`"),
    ("require m.k < 3 when m is A", "AM024", "when", "write `require not (m is A) or m.k < 3`"),
    ('require m.k < 3 when m is A because "b"', "AM024", "when", "require m is B or m.k < 3"),
    ("x ~ 1 |", "AM007", "|", ""),
    ("require", "AM007", "require", ""),
    ("use", "AM007", "use", ""),
    ("x = a if b", "AM007", "b", "else"),
    ("x = 3;", "AM008", ";", "line"),
    ("x = a && b", "AM008", "&", "`and`"),
    ("x = !a", "AM008", "!", "`not`"),
    ("x = –3", "AM008", "–", "`-`"),
    ("x = “a”", "AM008", "“", "double quotes"),
    ("é = 3", "AM008", "é", "a string"),
    ("\u00a0x = 3", "AM008", "\u00a0", "plain blank"),
    ("use base.automl", "AM009", "base", '`use "base.automl"`'),
    ("x = C(a = 1 b = 2)", "AM024", " ", ""),
    ("train.lr", "AM025", "lr", "`train.lr = ...`"),
    ("let x", "AM025", "x", "`x = ...`"),
    ("x = lambda y: 3", "AM009", "y", "`def"),
    ('study "x"\n{\n  seed = 1\n}', "AM009", "{", "name {"),
    ("requires x > 3", "AM010", "requires", "`require`"),
    ("minimise(loss)", "AM010", "minimise", "`minimize`"),
    ("foo bar", "AM010", "foo", "`foo bar { ... }`"),
    ("Foo(3)", "AM010", "Foo", "name = Foo(...)"),
    ("for i in 1..3 { }", "AM010", "for", "[i for i in 1..3]"),
    ('import "x"', "AM010", "import", "`use"),
    ("x = 3\nwhen m is A {\n  y = 4\n}", "AM010", "{", "when m is A"),
    ("automl one", "AM012", "automl", ""),
    ("x = True", "AM013", "True", "`true`"),
    ("x = [None]", "AM013", "None", "`null`"),
    ("pruner = none", "AM013", "none", "`null`"),
    ("x ~ [1, 2, 4]", "AM014", "[1, 2, 4]", "`1 | 2 | 4`"),
    ("x ~ (1, 2, 4)", "AM014", "(1, 2, 4)", "`1 | 2 | 4`"),
    ("x = C(k ~ [1, 2])", "AM014", "[1, 2]", "`1 | 2`"),
    ("x ~ [2 ** i for i in 1..3]", "AM014", "[2 ** i for i in 1..3]", "step"),
    ("x ~ 1 or 2 or 4", "AM015", "1 or 2 or 4", "`1 | 2 | 4`"),
    ("x ~ A() or B()", "AM015", "A() or B()", "`A() | B()`"),
    ("x ~ 1 || 2", "AM015", "|", "`or`"),
    ("lr ~ log(1e-5, 1e-2)", "AM016", "log", "`log 1e-5..1e-2`"),
    ("a.Scale#Mine = 3", "AM017", "#", '["Mine"]'),
    ("x = y# comment", "AM017", "#", "blank"),
    ('x = {"a": 1, a: 2}', "AM018", "a", ""),
    ("def f(i, i) = i", "AM018", "i", ""),
    ('x = "a\\d"', "AM019", "\\d", "known are"),
    ('x = "\\ud800"', "AM019", '"\\ud800"', ""),
    ("x = 5m", "AM020", "m", "`min`"),
    ("x = 3D", "AM020", "D", "known units"),
    ("x = .5", "AM020", ".", "`0.5`"),
    ("x = 5.", "AM020", ".", "`5.0`"),
    ("x ~ 1...3", "AM020", ".", "`1..3`"),
    ("x = +3", "AM020", "+", ""),
    ("a..b = 3", "AM020", "..", "`.`"),
    ("x = C(1 = 2)", "AM021", "1", ""),
    ("x = C(a.b = 2)", "AM021", "a.b", "inside the call"),
    ("let x.y = 3", "AM021", "x.y", "one word"),
    ("def a.b(x) = 3", "AM021", "a.b", "`a_b`"),
    ("use = 3", "AM021", "use", '`"use" = ...`'),
    ("x = C(a = 1, 2)", "AM022", "2", ""),
    ("size = 32, 32", "AM023", ",", "[a, b, c]"),
    ("x ~ 1 to 5", "AM024", "to", "`..`"),
    ("drop = 50%", "AM020", "%", "`0.5`"),
    ("x = 1\n// what it is\ny = 2", "AM009", "//", "`#`"),
    ("-- what it is", "AM009", "--", "`#`"),
    ("x = 1 // what it is", "AM009", "//", "`#`"),
    ('name = f"run_{lr}"', "AM024", "f", "leave the `f` out"),
    ("lr ~ 1e-4..", "AM007", "..", "both ends"),
    ("lr ~ ..1e-4", "AM007", "..", "both ends"),
    ("lr ~ log 1e-4", "AM007", "log", "log 1e-5..1e-2"),
    ("learning rate = 3", "AM021", "learning", "`_`"),
    ("batch-size = 3", "AM021", "-", "`_`"),
    ("a * 3", "AM025", "*", "`a = ...`"),
    ("= 3", "AM007", "=", ""),
    ("- a", "AM010", "-", "`[a, b, c]`"),
    ("3 | 4", "AM010", "3", "a statement begins"),
    ("x ~ 1 ~ 2", "AM002", "~", "`|`"),
    ("keys[1, 2]", "AM023", ",", "keys = [...]"),
    ("x = [a = 1]", "AM021", "=", "C(a = 1)"),
]


@pytest.mark.parametrize(("text", "code", "under", "help"), MISTAKES)
def test_mistake(text: str, code: str, under: str, help: str) -> None:
    (diagnostic,) = found_in(text)
    assert diagnostic.code == code, rendered(text)
    assert text[diagnostic.span.start : diagnostic.span.end] == under, rendered(text)
    assert help in diagnostic.help


@pytest.mark.parametrize(("text", "code", "under", "help"), MISTAKES)
def test_a_mistake_is_found_between_good_statements(text: str, code: str, under: str, help: str) -> None:
    """What stands around it changes neither the message nor what else is read."""
    if code == "AM012" or text.endswith(("=", "~", "|", "step", "%")):
        return  # what follows would belong to it
    before, after = 'use "base.automl"\nfirst = [1, 2]\n', "\nlast ~ 1..2\nnet { k = 1 }\n"
    module, diagnostics = parse_module(Source("a.automl", before + text + after), require_edition=False)
    assert [found.code for found in diagnostics] == [code], render_all(diagnostics, {})
    assert diagnostics[0].span.start >= len(before) - 1
    assert len(module.body) >= 3


# -- several ------------------------------------------------------------------------------------------------------------------


def test_several_mistakes_in_one_run() -> None:
    text = "automl 1\nlearning_rate = 1e-4..1e-3\ntrain {\n  lr: 1e-3\n  batch ~ 2, 4\n}\nrequire a = 3\nok = 1\nx = (1, 2\n"
    assert [found.code for found in found_in(text)] == ["AM001", "AM005", "AM002", "AM006", "AM003"]


def test_a_broken_header_leaves_its_body_readable() -> None:
    assert [found.code for found in found_in("train 3 {\n  a = 1..2\n  b = 2\n}\nc : 3")] == ["AM010", "AM001", "AM005"]


def test_an_unclosed_call_does_not_hide_the_lines_after_it() -> None:
    assert [found.code for found in found_in("m = Net(\n  a = 1,\n  b = 2\nlr = 1..2\ns ~ 1, 2")] == ["AM003", "AM001", "AM002"]


def test_a_comma_in_a_block_still_separates() -> None:
    assert found_in("s { a ~ 1..2, b = 3, c ~ 1 | 2 }") == []


@pytest.mark.parametrize("text", ["x = 3# c", "x = 12h# c", 'x = "a"# c', "x = [1]# c", "# a#b\nx = 1 # Scale#Mine", 'x = "a#b"'])
def test_a_hash_that_touches_no_name_is_a_comment(text: str) -> None:
    assert found_in(text) == []


@pytest.mark.parametrize("text", ["x ~ a or b", "x ~ [1] | [2]", "(a, b) ~ (1, 2)", "x ~ [1]", "x = C(a ~ 1 | 2)", "x = f(1, 2)"])
def test_what_only_looks_like_a_mistake(text: str) -> None:
    assert found_in(text) == []


# -- words and robustness -----------------------------------------------------------------------------------------------------


def test_every_terminal_has_a_name_that_people_know() -> None:
    for terminal in _language().terminals:
        spelling = terminal.pattern.value
        known = terminal.name in SHOWN or spelling == terminal.name.lower() or terminal.name in ("WS", "COMMENT", "_CONT")
        assert known, terminal.name


EXAMPLES = [
    """automl 1
use "base.json"

study "s" {
  maximize dice
  budget { trials = 40, time = 12h }
  workers = [[0], [1]]
}

lr = 2e-4 ~ log 1e-4..1e-3   # rate
(a, b) = (false, 1) ~ (true, 2) | (false, 3)
""",
    """automl 1
let roi = 96 ~ 64..160 step 16
def f(i) = Flip(axis = i, p = 0.5 ~ 0.0..1.0)
net {
  model ~ A(let d ~ 3..5, c = [2 ** i for i in 0..d - 1])
        | B(k ~ 8 | 16)
  steps += [f(0), ~ X() | Y(), Z() when m is not B] before T
}
require roi % 32 == 0 or m is A because "x"
""",
    """automl 1
a.b[0].@disabled = {"k": [1, null], j: -1.5mm}
y = x * 2 if m is A and not z else 1
ensure mem <= 20GiB
""",
]
PIECES = [
    *"(){}[]=~|,.:\"'#+-*/@ \n<>!;0aA_\\é",
    "..",
    "log ",
    "when ",
    "step ",
    "if ",
    "not ",
    "1e-3",
    "true",
    "let ",
    "\r\n",
    "12h",
]


def test_damaged_text_gives_a_tree_or_diagnostics_and_nothing_else() -> None:
    choose = random.Random(20)
    for _ in range(400):
        text = choose.choice(EXAMPLES)
        for _ in range(choose.randint(1, 4)):
            at = choose.randrange(len(text) + 1)
            match choose.randrange(4):
                case 0:
                    text = text[:at] + choose.choice(PIECES) + text[at:]
                case 1:
                    text = text[:at] + text[at + choose.randint(1, 6) :]
                case 2:
                    other = choose.randrange(len(text) + 1)
                    text = text[:at] + text[other : other + choose.randint(1, 20)] + text[at:]
                case _:
                    text = text[:at] + choose.choice(PIECES) + text[at + 1 :]
        source = Source("a.automl", text)
        _, diagnostics = parse_module(source)
        for found in diagnostics:
            assert 0 <= found.span.start <= found.span.end <= len(text)
            shown = render(found, {"a.automl": source})
            assert found.message
            assert not any(word in shown.split(" --> ")[0] for word in ("LPAR", "RSQB", "_NL", "__ANON", "$END"))


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("study { target = A(), maximise dice, budget { trials = 3 } }", "AM010", "maximise"),
        ("study { target = A(), maximize dice when x > 1, seed = 3 }", "AM009", "when"),
    ],
)
def test_an_objective_after_a_comma_is_no_list(text: str, code: str, at: str) -> None:
    assert [(found.code, found.span.start) for found in found_in(text)] == [(code, text.index(at))]
