"""The process itself, driven by a real client over its standard input and output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pygls", reason="the language server needs pygls (automl-run[lsp])")

from lsprotocol import types

from .conftest import Editor, apply, cursor, mistakes, position

NET = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [8, 16], "strides": [2]}
BASE = {
    "epochs": 2,
    "learning_rate": 0.0002,
    "train": {
        "model": {
            "name": "UNet",
            "args": NET,
        },
        "optimizer": {"name": "Adam", "args": {"params": "#@model.parameters()", "lr": "{learning_rate}"}},
        "pre_transforms": [
            {"name": "LoadImaged", "args": {"keys": ["image"]}},
            {
                "name": "RandFlipd",
                "args": {"keys": ["image"], "prob": 0.0},
                "search": [{"domain": "transform", "type": "float", "args": ["prob"], "targets": [0.0, 1.0]}],
            },
        ],
    },
    "validate": {"key_metric": [{"name": "MeanDice", "log_label": "val_dice", "args": {}}]},
}
BASE_TEXT = json.dumps(BASE, indent=2)
MISSPELT = BASE_TEXT.replace('"prob"\n', '"probb"\n')
HEAD = 'automl 1\nuse "base.json"\nstudy "s" { target = Python("pkg:fn") }\n'
NESTED = """automl 1
study "s" {
  target = Python("pkg:fn")
  controller = TPE()
  budget { trials = 24 }
  maximize dice
}
def D = log 1e-6..1e-2
let shared ~ 1 | 2 | 4
lr = 1e-3 ~ log 1e-5..1e-1
model ~ UNet(let d ~ 2..5, spatial_dims = 3, in_channels = 1, out_channels = shared, channels = [8, 16], strides = [d])
      | Net(width ~ 8..64 step 8)
decay ~ D
twice = 2 * shared when model is Net
"""


@pytest.fixture
def based(editor: Editor) -> Editor:
    """With `base.json` in the folder."""
    (editor.folder / "base.json").write_text(BASE_TEXT, encoding="utf-8")
    return editor


def spans(found: list[types.Diagnostic]) -> list[tuple[str, int, int, int]]:
    return [(str(each.code), each.range.start.line, each.range.start.character, each.range.end.character) for each in found]


# -- diagnostics ------------------------------------------------------------------------------------------------------------------


def test_it_says_what_it_can_do(editor: Editor) -> None:
    able = editor.start.capabilities
    assert able.position_encoding == types.PositionEncodingKind.Utf16
    assert able.text_document_sync is not None
    assert all(
        (
            able.hover_provider,
            able.definition_provider,
            able.document_symbol_provider,
            able.document_formatting_provider,
            able.code_action_provider,
            able.completion_provider,
        )
    )
    assert editor.start.server_info is not None
    assert editor.start.server_info.name == "automl-run"


def test_mistakes_come_and_go(editor: Editor) -> None:
    found = editor.open("a.automl", NESTED.replace("8..64", "64..8"))
    assert len(found) == 1
    assert found[0].severity == types.DiagnosticSeverity.Error
    assert found[0].source == "automl-run"
    editor.change("a.automl", NESTED)
    assert editor.diagnostics("a.automl") == []
    editor.change("a.automl", "automl 1\nx = 1..3\ny = = 2\n")
    codes = [str(each.code) for each in editor.diagnostics("a.automl")]
    assert codes[0] == "AM001"
    assert len(codes) == 2, "several mistakes are shown at once"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_places_are_in_utf_16_units(editor: Editor, end: str) -> None:
    found = editor.open("a.automl", end.join(["automl 1", "# 🎉", 'x = ["🎉🎉", unknown]', ""]))
    assert spans(found) == [("AM101", 2, 13, 20)]


def test_a_bom_moves_nothing(editor: Editor) -> None:
    found = editor.open("a.automl", "\ufeffautoml 1\nx = unknown\n")
    assert spans(found) == [("AM101", 1, 4, 11)]


def test_a_client_that_counts_otherwise(tmp_path: Path) -> None:
    editor = Editor(tmp_path, [types.PositionEncodingKind.Utf8])
    assert editor.start.capabilities.position_encoding == types.PositionEncodingKind.Utf8
    found = editor.open("a.automl", 'automl 1\nx = ["🎉", unknown]\n')
    assert spans(found) == [("AM101", 1, 13, 20)]
    assert editor.stop() == 0


def test_unsaved_text_of_a_base_is_what_counts(based: Editor) -> None:
    assert based.open("a.automl", HEAD + "train.model.dropout ~ 0.0..0.5\n") == []
    assert based.open("base.json", BASE_TEXT) == []
    based.change("base.json", BASE_TEXT.replace('"model"', '"network"'))
    uri = based.uri("a.automl")
    based.wait(lambda params: params.uri == uri and any("`model`" in each.message for each in params.diagnostics))
    based.close("base.json")
    based.wait(lambda params: params.uri == uri and not mistakes(params))


def test_a_mistake_in_a_base_is_shown_there(based: Editor) -> None:
    (based.folder / "base.json").write_text(MISSPELT, encoding="utf-8")
    based.open("a.automl", HEAD)
    found = based.diagnostics("base.json")
    assert [each.code for each in found] == ["AM203"]
    based.close("a.automl")
    assert based.diagnostics("base.json") == []


def test_lints_are_advice(editor: Editor) -> None:
    editor.open("a.automl", NESTED)
    editor.change("a.automl", NESTED + "let unused ~ 1 | 2\n")
    params = editor.wait(lambda params: params.version == 2)
    lints = {str(each.code): each for each in params.diagnostics}
    assert lints["AM903"].severity == types.DiagnosticSeverity.Information
    assert list(lints["AM903"].tags or []) == [types.DiagnosticTag.Unnecessary]


def test_secondary_places(editor: Editor) -> None:
    found = editor.open("a.automl", "automl 1\nx = 1\nx = 2\n")
    assert [each.code for each in found] == ["AM111"]
    assert found[0].related_information is not None
    assert found[0].related_information[0].location.range.start.line == 1


def test_clara_json_is_checked_and_other_json_is_not(editor: Editor) -> None:
    found = editor.open("base.json", MISSPELT)
    assert [each.code for each in found] == ["AM203"]
    assert editor.open("package.json", '{"name": "x",') == []


def test_the_other_file_of_an_mmar(editor: Editor) -> None:
    text = '{"controller": {"name": "ReinforcementControler", "args": {"max_rounds": 3}}}'
    found = editor.open("config_automl.json", text)
    assert [each.code for each in found] == ["AM220"]
    editor.change("config_automl.json", text.replace("Controler", "Controller"))
    assert editor.diagnostics("config_automl.json") == []


def test_a_file_that_appears_later(editor: Editor) -> None:
    found = editor.open("a.automl", HEAD + "learning_rate ~ 1e-5..1e-2\n")
    assert "AM305" in [each.code for each in found]
    (editor.folder / "base.json").write_text(BASE_TEXT, encoding="utf-8")
    event = types.FileEvent(editor.uri("base.json"), types.FileChangeType.Created)
    editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))
    assert editor.diagnostics("a.automl") == []
    assert types.WORKSPACE_DID_CHANGE_WATCHED_FILES in editor.registered


def test_rapid_changes_end_with_the_last_text(editor: Editor) -> None:
    editor.open("a.automl", "automl 1\n")
    text = "automl 1\nlr ~ log 1e-5..1e-1\n"
    for end in range(len("automl 1\n"), len(text)):
        editor.change("a.automl", text[:end])
    editor.change("a.automl", text)
    last = editor.versions[editor.uri("a.automl")]
    seen: list[int] = []

    def is_last(params: types.PublishDiagnosticsParams) -> bool:
        seen.append(params.version or 0)
        return params.version == last

    assert mistakes(editor.wait(is_last)) == []
    assert seen == sorted(seen)
    assert len(seen) < 10, "most of the texts in between are never checked"


def test_a_text_without_a_file(editor: Editor) -> None:
    uri = "untitled:Untitled-1"
    editor.client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "automl", 1, "automl 1\nx = unknown\n"))
    )
    found = editor.wait(lambda params: params.uri == uri)
    assert [each.code for each in found.diagnostics] == ["AM101"]


# -- completion -------------------------------------------------------------------------------------------------------------------


def test_completion_of_statements_and_words(based: Editor) -> None:
    found = based.complete("a.automl", HEAD + "|")
    assert {"let", "def", "require", "maximize", "use", "train", "learning_rate", "study"} <= set(found)
    assert not {"log", "step", "true", "automl"} & set(found)
    assert set(based.complete("a.automl", HEAD + "learning_rate ~ 1e-5..1e-2 |")) == {"step", "when"}
    assert "automl" in based.complete("a.automl", "|")


def test_completion_of_paths(based: Editor) -> None:
    found = based.complete("a.automl", HEAD + "train.|")
    assert set(found) == {"model", "optimizer", "pre_transforms"}
    found = based.complete("a.automl", HEAD + "train.pre_transforms.Ran|")
    assert {"LoadImaged", "RandFlipd"} == set(found)
    found = based.complete("a.automl", HEAD + "train.model.|")
    assert {"spatial_dims", "channels", "dropout", "act", "@disabled"} <= set(found)
    found = based.complete("a.automl", HEAD + "train { model { dr|")
    assert "dropout" in found
    found = based.complete("a.automl", HEAD + "x = train.model.|")
    assert "channels" in found
    assert "dropout" not in found, "what is not there cannot be read"


def test_completion_replaces_the_word_it_is_in(based: Editor) -> None:
    text, at = cursor(HEAD + "train.mo|del.dropout = 0.1")
    item = based.complete("a.automl", HEAD + "train.mo|del.dropout = 0.1")["model"]
    assert isinstance(item.text_edit, types.TextEdit)
    assert apply(text, [item.text_edit]) == text
    assert item.text_edit.range.start.character == at.character - 2


def test_completion_of_arguments(editor: Editor) -> None:
    found = editor.complete("a.automl", "automl 1\nm ~ UNet(spatial_dims = 3, |")
    assert {"in_channels", "channels", "let"} <= set(found)
    assert "spatial_dims" not in found
    assert "true" not in found
    item = found["in_channels"]
    assert item.detail == "UNet argument: int, required"
    assert isinstance(item.text_edit, types.TextEdit)
    assert item.text_edit.new_text == "in_channels = "


def test_completion_of_values(editor: Editor) -> None:
    found = editor.complete("a.automl", NESTED + "y = |")
    assert {"shared", "lr", "model", "D", "min", "true"} <= set(found)
    assert "log" not in found
    assert "log" in editor.complete("a.automl", NESTED + "y ~ |")
    assert "DiceLoss" in editor.complete("a.automl", NESTED + "y = Dice|")
    assert set(editor.complete("a.automl", NESTED + "y = 1 when model is |")) == {"UNet", "Net", "not"}


def test_completion_in_the_study(editor: Editor) -> None:
    found = editor.complete("a.automl", "automl 1\nstudy {\n  |\n}\n")
    assert {"controller", "budget", "workers", "maximize"} <= set(found)
    assert not {"let", "trials"} & set(found)
    assert set(editor.complete("a.automl", "automl 1\nstudy {\n  budget { t|\n")) >= {"trials", "time", "target"}
    assert "TPE()" in editor.complete("a.automl", "automl 1\nstudy {\n  controller = |\n}\n")
    assert '"fixed"' in editor.complete("a.automl", "automl 1\nstudy {\n  order = |\n}\n")


def test_completion_of_metrics_and_files(based: Editor) -> None:
    found = based.complete("a.automl", HEAD + "maximize |")
    assert {"val_dice", "seconds"} <= set(found)
    assert {"peak_memory", "min"} <= set(based.complete("a.automl", HEAD + "study { ensure 2 * |"))
    (based.folder / "sub").mkdir()
    (based.folder / "sub" / "more.automl").write_text("automl 1\n", encoding="utf-8")
    found = based.complete("a.automl", 'automl 1\nuse "|"')
    assert {"base.json", "sub/"} <= set(found)
    assert "sub/more.automl" in based.complete("a.automl", 'automl 1\nuse "sub/m|')
    assert based.complete("a.automl", 'automl 1\nuse "../|') == {}


def test_no_completion_in_comments_and_new_names(editor: Editor) -> None:
    for marked in ("automl 1\n# le|", "automl 1\nlet |", "automl 1\ndef |", "automl 1\nx = [i for |"):
        assert editor.complete("a.automl", marked) == {}, marked


# -- hover and definition ---------------------------------------------------------------------------------------------------------


def test_hover_of_parameters(editor: Editor) -> None:
    assert editor.open("a.automl", NESTED) == []
    text = editor.hover("a.automl", position(NESTED, "width"))
    assert "`model[Net].width`" in text
    assert "`8..64 step 8`" in text
    assert "size: 8 values" in text
    assert "baseline: `32`" in text or "baseline: `40`" in text
    assert "active when `model is Net`" in text
    text = editor.hover("a.automl", position(NESTED, "lr ="))
    assert "`log 1e-5..0.1`" in text
    assert "continuous" in text
    assert "baseline: `0.001`" in text
    assert "1 | 2 | 4" in editor.hover("a.automl", position(NESTED, "shared when"))


def test_hover_of_classes_study_keys_and_the_rest(editor: Editor) -> None:
    editor.open("a.automl", NESTED)
    assert "in `monai.networks.nets" in editor.hover("a.automl", position(NESTED, "UNet("))
    assert "argument `in_channels: int` of `UNet`, required" in editor.hover("a.automl", position(NESTED, "in_channels"))
    assert "`Reinforcement(max_rounds = 8)`" in editor.hover("a.automl", position(NESTED, "controller"))
    assert "default: 20" in editor.hover("a.automl", position(NESTED, "trials"))
    assert "metric `dice`" in editor.hover("a.automl", position(NESTED, "dice"))
    assert "def D = log 1e-6..1e-2" in editor.hover("a.automl", position(NESTED, "D\ntwice"))
    assert editor.hover("a.automl", types.Position(999, 999)) in ("", editor.hover("a.automl", types.Position(14, 0)))


def test_a_class_of_ones_own_is_not_held_against_monai(editor: Editor) -> None:
    text = 'automl 1\nstudy { target = Python("p:f"), maximize dice }\nmodel ~ UNet(depth ~ 2..5) | SegResNet(width ~ 8 | 16)\n'
    assert editor.open("a.automl", text) == []
    assert "size: 4 values" in editor.hover("a.automl", position(text, "depth"))


def test_hover_in_clara_json(editor: Editor) -> None:
    assert editor.open("base.json", BASE_TEXT) == []
    text = editor.hover("base.json", position(BASE_TEXT, '"prob"\n', 1))
    assert "`train.pre_transforms.RandFlipd.prob`" in text
    assert "`0.0..1.0`" in text
    assert "label: `transform`" in text


def test_definitions(based: Editor) -> None:
    text = HEAD + NESTED.partition("}\n")[2].replace("lr =", "learning_rate =") + "train.model.dropout = 0.1\n"
    based.open("a.automl", text)

    def goes(word: str, shift: int = 0) -> tuple[str, int, int] | None:
        found = based.definition("a.automl", position(text, word, shift))
        return None if found is None else (found.uri.rpartition("/")[2], found.range.start.line, found.range.start.character)

    def at(name: str, whole: str, word: str) -> tuple[str, int, int]:
        found = position(whole[: whole.index(word) + len(word)], word)
        return name, found.line, found.character

    assert goes("base.json") == ("base.json", 0, 0)
    assert goes("learning_rate =") == at("base.json", BASE_TEXT, '"learning_rate"')
    assert goes("shared when") == at("a.automl", text, "shared")
    assert goes("D\ntwice") == at("a.automl", text, "def D")
    assert goes("d]") == at("a.automl", text, "d ~ 2..5")
    assert goes("model.dropout") == at("base.json", BASE_TEXT, '"model"')
    assert goes("64 step") is None


def test_definitions_of_parameters_and_loop_variables(editor: Editor) -> None:
    text = "automl 1\ndef near(lo, hi) = lo..hi\nx ~ near(1, 4)\ny = [2 ** i for i in 1..3]\n"
    editor.open("a.automl", text)
    lines = text.splitlines()

    def goes(line: int, column: int) -> tuple[int, int]:
        found = editor.definition("a.automl", types.Position(line, column))
        assert found is not None
        return found.range.start.line, found.range.start.character

    assert goes(1, lines[1].index("lo..")) == (1, lines[1].index("lo,"))
    assert goes(1, lines[1].rindex("hi")) == (1, lines[1].index("hi)"))
    assert goes(2, lines[2].index("near")) == (1, 0)
    assert goes(3, lines[3].index("i for")) == (3, lines[3].index("i in"))


# -- symbols, formatting, fixes ---------------------------------------------------------------------------------------------------


def test_symbols_nest(editor: Editor) -> None:
    editor.open("a.automl", NESTED)
    found = editor.symbols("a.automl")
    assert [symbol.name for symbol in found] == ["study s", "def D", "let shared", "lr", "model", "decay", "twice"]
    inner = [symbol.name for symbol in found[0].children or []]
    assert inner == ["target", "controller", "budget", "maximize dice"]
    assert found[3].detail == "~ log 1e-5..1e-1"

    def inside(symbol: types.DocumentSymbol) -> None:
        order = [symbol.range.start, symbol.selection_range.start, symbol.selection_range.end, symbol.range.end]
        assert order == sorted(order, key=lambda each: (each.line, each.character))
        for child in symbol.children or []:
            assert (child.range.end.line, child.range.end.character) <= (symbol.range.end.line, symbol.range.end.character)
            inside(child)

    for symbol in found:
        inside(symbol)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_formatting(editor: Editor, end: str) -> None:
    text = end.join(["automl 1", "# 🎉 stays", "x~1|2", "y   =  3", ""])
    editor.open("a.automl", text)
    neat = end.join(["automl 1", "# 🎉 stays", "x ~ 1 | 2", "y = 3", ""])
    assert editor.format("a.automl", text) == neat
    editor.change("a.automl", neat)
    assert editor.format("a.automl", neat) == neat
    editor.change("a.automl", "automl 1\nx = = 3\n")
    assert editor.format("a.automl", "automl 1\nx = = 3\n") == "automl 1\nx = = 3\n", "a broken text is left alone"


def test_formatting_leaves_json_to_others_where_it_can(tmp_path: Path) -> None:
    editor = Editor(tmp_path, selects=True)
    assert editor.start.capabilities.document_formatting_provider is None
    editor.open("a.automl", "automl 1\nx~1|2\n")
    assert types.TEXT_DOCUMENT_FORMATTING in editor.registered
    assert editor.format("a.automl", "automl 1\nx~1|2\n") == "automl 1\nx ~ 1 | 2\n"
    assert editor.stop() == 0


def test_quick_fixes(based: Editor) -> None:
    text = HEAD + "# 🎉\ntrain { pre_transforms.RandFlip.prob ~ 0.0..1.0 }\n"
    found = based.open("a.automl", text)
    assert len(found) == 1
    actions = based.actions("a.automl", found[0].range, [types.CodeActionKind.QuickFix])
    assert [action.title for action in actions] == ["Replace `RandFlip` with `RandFlipd`"]
    action = actions[0]
    assert list(action.diagnostics or []) == found
    assert action.edit is not None
    assert action.edit.changes is not None
    mended = apply(text, list(action.edit.changes[based.uri("a.automl")]))
    based.change("a.automl", mended)
    assert based.diagnostics("a.automl") == []
    assert based.actions("a.automl", found[0].range, [types.CodeActionKind.QuickFix]) == []


def test_all_safe_fixes_at_once(editor: Editor) -> None:
    text = NESTED + "let unused = 3\n"
    editor.open("a.automl", text)
    start = types.Position(0, 0)
    actions = editor.actions("a.automl", types.Range(start, start), ["source.fixAll"])
    assert len(actions) == 1
    assert actions[0].edit is not None
    assert actions[0].edit.changes is not None
    mended = apply(text, list(actions[0].edit.changes[editor.uri("a.automl")]))
    assert "unused" not in mended
    assert "seed = 0" in mended


def test_quick_fix_of_a_missing_edition_and_of_json(editor: Editor) -> None:
    found = editor.open("a.automl", "x = 1\n")
    actions = editor.actions("a.automl", found[0].range)
    assert actions[0].edit is not None
    assert actions[0].edit.changes is not None
    assert apply("x = 1\n", list(actions[0].edit.changes[editor.uri("a.automl")])) == "automl 1\nx = 1\n"
    text = MISSPELT
    found = editor.open("base.json", text)
    actions = editor.actions("base.json", found[0].range)
    assert actions[0].edit is not None
    assert actions[0].edit.changes is not None
    assert apply(text, list(actions[0].edit.changes[editor.uri("base.json")])) == BASE_TEXT


# -- what goes wrong --------------------------------------------------------------------------------------------------------------


def test_questions_about_unknown_texts_are_answered_with_nothing(editor: Editor) -> None:
    assert editor.hover("nowhere.automl", types.Position(0, 0)) == ""
    assert editor.symbols("nowhere.automl") == []
    editor.open("package.json", "{}")
    assert editor.definition("package.json", types.Position(0, 1)) is None


def test_half_typed_texts_are_answered(editor: Editor) -> None:
    editor.open("a.automl", "automl 1\n")
    damaged = [NESTED[:end] for end in range(0, len(NESTED), 37)]
    damaged += [NESTED.replace(sign, "", 1) for sign in '({["~=|']
    damaged += ["\x00\ud83d", "[" * 100, "x ~ " + "(" * 70, "automl 2\n", "# only\n", '"']
    for text in damaged:
        editor.change("a.automl", text)
        editor.hover("a.automl", types.Position(3, 5))
        editor.symbols("a.automl")
        editor.complete("a.automl", text + "|")
        editor.definition("a.automl", types.Position(8, 5))
    editor.change("a.automl", NESTED)
    assert editor.diagnostics("a.automl") == []


def test_too_large_a_text_is_one_diagnostic(editor: Editor) -> None:
    found = editor.open("a.automl", "automl 1\n" + "# " + "x" * (1 << 20))
    assert [each.code for each in found] == ["AM301"]


def run_raw(data: bytes, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "automl_run", "lsp", "--stdio"], input=data, cwd=folder, capture_output=True, timeout=60
    )


def message(**content: object) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **content}).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def test_an_editor_that_dies_ends_the_server(tmp_path: Path) -> None:
    initialize = message(id=1, method="initialize", params={"capabilities": {}, "processId": None, "rootUri": None})
    done = run_raw(initialize, tmp_path)
    assert b'"hoverProvider"' in done.stdout
    assert done.returncode == 1


def test_exit_without_shutdown_is_told_by_the_code(tmp_path: Path) -> None:
    assert run_raw(message(method="exit"), tmp_path).returncode == 1
    assert run_raw(message(id=1, method="shutdown") + message(method="exit"), tmp_path).returncode in (0, 1)


def test_wrong_arguments(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "automl_run", "lsp", "a.automl"], cwd=tmp_path, capture_output=True, timeout=60, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error:")
