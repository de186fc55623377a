"""`--set run_id=a workers=0:1 trainconf=f.json epochs=10 train.model.channels=[8,16]` as typed settings."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

from automl_run.errors import InputError

from ..ast import AttrStep, Bind, Expr, IndexStep, Lit, Module, NameStep, Path, Step
from ..diagnostics import Diagnostic, did_you_mean, nearest, render
from ..ir import Value, Worker
from ..source import Source, Span
from .components import ComponentReader
from .json_reader import read_json
from .json_tree import plain
from .words import misspelt

#: Where `trace.log` goes.
TraceTo = Literal["file", "console", "both"]
TRACES: tuple[TraceTo, ...] = get_args(TraceTo)
RESERVED = ("run_id", "workers", "traceout", "engTrace", "trainconf")
#: What a layer made of settings is called in diagnostics.
SETTINGS_NAME = "--set"

_GPU = re.compile(r"[0-9]{1,4}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"\.?(@?[A-Za-z_][A-Za-z0-9_]*)|\[([0-9]{1,6})\]|\[(\"[^\"\\]*\")\]")


@dataclass(frozen=True, slots=True)
class Settings:
    """What `--set` said. None: not given. `variables` are the values of `{k}`; `paths` are dotted keys and their text."""

    run_id: str | None = None
    workers: tuple[Worker, ...] | None = None
    trace: TraceTo | None = None
    engine_trace: bool = False
    trainconf: str | None = None
    variables: dict[str, Value] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    #: the text of each variable as it was written
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        """Variables and paths as a text, one a line, for diagnostics to point into."""
        return Source(SETTINGS_NAME, "\n".join(f"{key}={text}" for key, text in self._entries().items()))

    def layer(self, first_level: Collection[str]) -> tuple[Source, Module]:
        """The settings that are bindings: all dotted keys, and variables that are keys of the config's first level.

        They are the highest layer.
        """
        source = self.source
        body = [_bind(source, offset, key, text) for key, text, offset in self._places() if key in self.paths or key in first_level]
        return source, Module(SETTINGS_NAME, None, tuple(body))

    def unread(self, read: Collection[str]) -> list[Diagnostic]:
        """Variables that nothing reads: `read` are the names of every `{x}` and of the first level.

        A slip of `workers` and its kin is an error, anything else a warning.
        """
        found: list[Diagnostic] = []
        for key, _, offset in self._places():
            if key in self.paths or key in read:
                continue
            span = Span(SETTINGS_NAME, offset, offset + len(key))
            slip = misspelt(key.replace("_", ""), [word.lower().replace("_", "") for word in RESERVED])
            word = next((word for word in RESERVED if slip == word.lower().replace("_", "")), None) or nearest(key, RESERVED)
            if word is not None:
                found.append(
                    Diagnostic("AM213", f"there is no setting `{key}`", span, "unknown setting", f"did you mean `{word}`?")
                )
            else:
                help = did_you_mean(key, read)
                found.append(Diagnostic("AM213", f"nothing reads the variable `{key}`", span, "unused", help, "warning"))
        return found

    def _entries(self) -> dict[str, str]:
        return self.texts | self.paths

    def _places(self) -> Iterator[tuple[str, str, int]]:
        offset = 0
        for key, text in self._entries().items():
            yield key, text, offset
            offset += len(key) + len(text) + 2


def parse_settings(pairs: Iterable[str]) -> Settings:
    """A later pair wins. InputError names the pair that is none, or whose value is wrong."""
    given: dict[str, str] = {}
    for pair in pairs:
        key, mark, text = pair.partition("=")
        if not mark or not key:
            raise InputError(f"--set {pair}: `name=value` was expected")
        if any(char.isspace() for char in key):
            raise InputError(f"--set {pair}: there is a space in the name `{key}`")
        given.pop(key, None)
        given[key] = text
    wanted = given.get("traceout")
    trace = next((known for known in TRACES if known == wanted), None)
    if wanted is not None and trace is None:
        best = nearest(wanted, TRACES)
        raise InputError(
            f"traceout={wanted}: one of {', '.join(TRACES)} was expected" + (f"; did you mean `{best}`?" if best else "")
        )
    for key in ("run_id", "trainconf"):
        if given.get(key, "x").strip() == "":
            raise InputError(f"{key}= is empty")
    others = {key: text for key, text in given.items() if key not in RESERVED}
    texts = {key: text for key, text in others.items() if "." not in key and "[" not in key}
    for key in texts:
        if _KEY.fullmatch(key) is None:
            raise InputError(f"--set {key}={texts[key]}: `{key}` is no name of a variable")
    variables = {key: _value(key, text) for key, text in texts.items()}
    paths = {key: text for key, text in others.items() if key not in texts}
    for key, text in paths.items():
        _value(key, text)
        _steps(key, 0)
    return Settings(
        run_id=given.get("run_id"),
        workers=parse_workers(given["workers"]) if "workers" in given else None,
        trace=trace,
        engine_trace=_flag("engTrace", given["engTrace"]) if "engTrace" in given else False,
        trainconf=given.get("trainconf"),
        variables=variables,
        paths=paths,
        texts=texts,
    )


def _flag(key: str, text: str) -> bool:
    match text.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
        case _:
            raise InputError(f"{key}={text}: true or false was expected")


def _value(key: str, text: str) -> Value:
    """JSON where the text is JSON, else the text itself. What begins like JSON's list, object or string must be JSON."""
    source = Source(SETTINGS_NAME, text)
    node, problems = read_json(source)
    if node is not None and not problems:
        return plain(node)
    if text[:1] in ("[", "{", '"') and not _is_reference(text):
        raise InputError(f"--set {key}={text}: the value is not JSON\n" + render(problems[0], {SETTINGS_NAME: source}))
    return text


def _is_reference(text: str) -> bool:
    return re.match(r"\{[A-Za-z_][A-Za-z0-9_]*\}", text) is not None


def _steps(key: str, offset: int) -> Path:
    """`train.pre_transforms.RandFlipd[1].prob` as a path."""
    steps: list[Step] = []
    position = 0
    while position < len(key):
        match = _PART.match(key, position)
        is_start = position == 0
        if match is None or (match.group(1) is not None and match.group().startswith(".") == is_start):
            raise InputError(f"--set {key}=...: `{key[position:]}` is no part of a path; `train.model.channels` is one")
        name, index, quoted = match.groups()
        start = match.start() if name is None else match.start(1)
        span = Span(SETTINGS_NAME, offset + start, offset + match.end())
        if name is not None:
            steps.append(AttrStep(name[1:], span) if name.startswith("@") else NameStep(name, span))
        else:
            value: int | str = int(index) if index is not None else str(json.loads(quoted))
            steps.append(IndexStep(Lit(value, span), span))
        position = match.end()
    return Path(tuple(steps), Span(SETTINGS_NAME, offset, offset + len(key)))


def _bind(source: Source, offset: int, key: str, text: str) -> Bind:
    path = _steps(key, offset)
    start = offset + len(key) + 1
    span = Span(source.name, start, start + len(text))
    padded = Source(source.name, " " * start + text)  # keeps the places
    node, problems = read_json(padded) if text.strip() else (None, [])
    value: Expr = Lit(text, span)
    if node is not None and not problems:
        value = ComponentReader(source.name).expr(node, (), True)
    return Bind((path,), value, False, None, None, (), None, path.span.to(span))


# -- workers ------------------------------------------------------------------------------------------------------------


def parse_workers(text: str) -> tuple[Worker, ...]:
    """`0:1` two workers with one GPU each, `0,1:2,3` two with two each, `0:0:1:1` four that share two, `cpu(4):cpu(4)` two on
    the CPU with four threads each.

    InputError names the place."""
    workers: list[Worker] = []
    parts = text.split(":")
    for number, part in enumerate(parts, start=1):
        where = f"workers={text}: worker {number}" + (f" (`{part}`)" if part else "")
        if not part.strip():
            raise InputError(f"{where} has no GPU; write `0:1` for two workers with one GPU each")
        on_cpu = re.fullmatch(r"cpu\(([1-9][0-9]{0,3})\)", part.strip())
        if on_cpu is not None:
            workers.append(Worker(threads=int(on_cpu[1])))
            continue
        if part.strip().startswith("cpu"):
            raise InputError(f"{where}: write `cpu(4)` for a worker on the CPU with four threads")
        gpus: list[int] = []
        for place, item in enumerate(part.split(","), start=1):
            if not item.strip():
                raise InputError(f"{where} has an empty GPU id at place {place}; write `0,1` for two GPUs")
            if _GPU.fullmatch(item) is None:
                hint = "; a GPU id is not negative" if re.fullmatch(r"-[0-9]+", item) else "; a GPU id is a number such as 0"
                raise InputError(f"{where}: `{item}` is not a GPU id{hint}")
            if int(item) in gpus:
                raise InputError(f"{where} names GPU {int(item)} twice")
            gpus.append(int(item))
        workers.append(Worker(gpus=tuple(gpus)))
    return tuple(workers)
