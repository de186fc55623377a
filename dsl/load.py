"""Files -> Program: reads a program with its layers, `environment.json` and settings, and elaborates it.

The only part of the language that touches the file system.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from automl_run.errors import ProgramError

from . import ast, legacy, variables
from .bundle import bundle_root, is_bundle, read_bundle
from .bundle_target import NamedBundle, find_configs, named_bundle
from .collector import uncollected
from .diagnostics import Diagnostic, nearest, render_all
from .elaborate import Request, elaborate
from .elaborate.layers import Layer
from .ir import Program, Spec, Value
from .legacy.json_tree import JsonObject, plain
from .parser import parse_module
from .source import Source, Span

_MAX_DEPTH = 8
_MAX_FILES = 64
_SET = "--set"
#: Files that are data; a program is an .automl file.
_DATA = (".json", ".yaml", ".yml")
_KINDS = (".automl", *_DATA)
_BASES = ".automl, .json or .yaml"


@dataclass(frozen=True, slots=True)
class Checked:
    """`program` is None if there is an error among `diagnostics`; `sources` are what those point into; `layers` low to high.

    `places`: where the study's settings are said, by their keys, see `elaborate/study.py`.
    """

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]
    layers: tuple[Layer, ...] = ()
    places: Mapping[str, Span] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.program is not None

    def rendered(self) -> str:
        """All diagnostics with their source lines."""
        return render_all(self.diagnostics, self.sources)

    def unwrap(self) -> Program:
        """The program. Raises ProgramError with all diagnostics if one of them is an error."""
        if self.program is None:
            raise ProgramError(self.diagnostics, self.rendered())
        return self.program


def load(path: str | Path, *, sets: Sequence[tuple[str, str]] = (), variables: Mapping[str, str] | None = None) -> Program:
    """The program in `path` (`.automl`, or a legacy training `.json`). Raises ProgramError."""
    return check(path, sets=sets, variables=variables).unwrap()


def parse(text: str, *, name: str = "<text>", variables: Mapping[str, Value] | None = None) -> Program:
    """The program in `text`; a name that ends in `.json` selects that reader. `variables`: what `{x}` means.

    Raises ProgramError.
    """
    return check_text(text, name=name, variables=variables).unwrap()


@uncollected
def check_text(
    text: str, *, name: str = "<text>", variables: Mapping[str, Value] | None = None, folder: Path | None = None
) -> Checked:
    """As `parse`, with every diagnostic, warnings included. `folder`: where relative paths start (the working directory)."""
    folder = Path.cwd() if folder is None else folder.resolve()
    reading = _Reading(folder)
    reading.main(Source(name, text), folder / Path(name).name, Path(name).suffix in _DATA, require_edition=False)
    return reading.finish(folder, variables or {})


@uncollected
def check(
    path: str | Path,
    *,
    sets: Sequence[tuple[str, str]] = (),
    variables: Mapping[str, str] | None = None,
    read_bytes: Callable[[Path], bytes] = Path.read_bytes,
) -> Checked:
    """As `load`, with every diagnostic. `sets`: path and expression of each `--set`, the highest layers.

    `read_bytes` reads every file; an editor puts its unsaved texts in front of the disk with it.
    """
    path = Path(path)
    reading = _Reading(path.parent.resolve(), read_bytes=read_bytes)
    source = reading.text(path, str(path), None)
    if source is not None:
        reading.main(source, path.resolve(), path.suffix in _DATA)
    settings = reading.sets(sets)
    return reading.finish(_mmar_root(path) or path.parent, {**{k: _typed(v) for k, v in (variables or {}).items()}, **settings})


@uncollected
def load_mmar(
    root: str | Path, *, automlconf: str | None = None, settings: Mapping[str, str] | legacy.Settings | None = None
) -> Checked:
    """The legacy command line: `config/<trainconf>` and `config/<automlconf>` of the MMAR at `root`, with `--set` settings.

    Raises InputError for a setting that is wrong in itself, such as `workers=0:,1`.
    """
    root = Path(root)
    given = settings
    if not isinstance(given, legacy.Settings):
        given = legacy.parse_settings(f"{key}={value}" for key, value in (given or {}).items())
    reading = _Reading(root.resolve())
    config = root / "config"
    study = ast.Module("", None, ())
    source = reading.inside(config, automlconf or "config_automl.json", "the AutoML config")
    if source is not None:
        study, found = legacy.read_automl(source)
        reading.diagnostics += found
    named = legacy.train_config_file(study)
    trainconf = given.trainconf or (named if named and "{" not in named else None) or str(variables.DEFAULTS["trainconf"])
    source = reading.inside(config, trainconf, "the training config")
    if source is not None:
        reading.main(source, (config / trainconf).resolve(), True)
    reading.layers.append(Layer(study, automl_config=True))
    first_level = reading.first_level()
    layer_source, module = given.layer(first_level)
    reading.sources[layer_source.name] = layer_source
    reading.layers.append(Layer(module, setting=True))
    reading.places[layer_source.name] = root / "config"
    if not reading.failed:
        read = {
            name for layer in reading.layers for name in variables.references(layer.module, include_study=layer.module is study)
        }
        reading.diagnostics += given.unread({*read, *first_level})
    reading.base_target = Spec("Mmar", {"path": str(root.resolve())})
    return reading.finish(root, {**given.variables, "trainconf": trainconf}, workers=given)


def check_automl_config(path: Path, *, read_bytes: Callable[[Path], bytes] = Path.read_bytes) -> Checked | None:
    """A Clara AutoML config by itself, as a study without a configuration; None for a file that is none."""
    reading = _Reading(path.parent.resolve(), read_bytes=read_bytes)
    source = reading.text(path, str(path), None)
    root = None if source is None else legacy.read_json(source)[0]
    keys = set(root.names()) if isinstance(root, JsonObject) else set()
    if source is None or "train" in keys or not keys & {"controller", "executor", "handlers"}:
        return None
    study, found = legacy.read_automl(source)
    reading.diagnostics += found
    reading.layers.append(Layer(study, automl_config=True))
    return reading.finish(path.parent, {})


@dataclass(slots=True)
class _Reading:
    """What has been read so far. `folder`: `use` must stay inside it, or inside one of `mmars`."""

    folder: Path
    layers: list[Layer] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    places: dict[str, Path] = field(default_factory=dict)
    mmars: list[Path] = field(default_factory=list)
    environment: dict[str, Value] = field(default_factory=dict)
    environment_places: dict[str, Span] = field(default_factory=dict)
    base_target: Spec | None = None
    stack: list[Path] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)
    #: folders of bundle configurations: what is used from there is one, too
    bundles: set[Path] = field(default_factory=set)
    read_bytes: Callable[[Path], bytes] = Path.read_bytes

    @property
    def failed(self) -> bool:
        return any(found.severity == "error" for found in self.diagnostics)

    def error(self, code: str, message: str, span: Span, help: str = "", label: str = "") -> None:
        self.diagnostics.append(Diagnostic(code, message, span, label, help))

    # -- files ------------------------------------------------------------------------------------------------------------------

    def text(self, path: Path, name: str, span: Span | None) -> Source | None:
        """The file as a source; None, with a diagnostic, if it cannot be read."""
        place = span or Span(name, 0, 0)
        try:
            data = self.read_bytes(path)
        except FileNotFoundError:
            self.error("AM305", f"there is no file `{name}`", place, _nearest_file(path))
            return None
        except IsADirectoryError:
            self.error("AM305", f"`{name}` is a folder", place, "" if span else "an MMAR is run with `-m`")
            return None
        except OSError as error:
            self.error("AM305", f"`{name}` cannot be read: {error.strerror}", place)
            return None
        source, found = legacy.decode(name, data)
        self.sources[name] = source
        self.diagnostics += found
        self.files.append(name)
        return None if found else source

    def inside(self, folder: Path, name: str, what: str) -> Source | None:
        """A file of an MMAR's `config/`, which it must not leave."""
        path = folder / name
        if not _is_inside(path, [folder]):
            self.error("AM310", f"{what} must lie in the MMAR's `config/`: `{name}`", Span(str(path), 0, 0))
            return None
        return self.text(path, str(path), None)

    def main(self, source: Source, path: Path, is_legacy: bool, *, require_edition: bool = True) -> None:
        """Read `source` and everything it `use`s into layers."""
        self.sources[source.name] = source
        self.places[source.name] = path
        self.stack.append(path)
        self.seen.add(path)
        if is_legacy:
            self._legacy(source, path)
        else:
            module, found = parse_module(source, require_edition=require_edition)
            self.diagnostics += found
            if len(self.stack) == 1:
                self.mmars += [path.parent / name for name in _named_mmars(module) if _is_folder(path.parent / name)]
                for root in self.mmars:
                    self._environment(root / "config" / "environment.json", root / "config" / "environment.json")
            for statement in module.body:
                if isinstance(statement, ast.Use):
                    self._use(statement, source, path)
            bundle = named_bundle(module) if len(self.stack) == 1 else None
            if bundle is not None:
                self._bundle(bundle, source, path)
            if len(self.stack) == 1 and source.name in self.files:
                self._environment(path.parent / "environment.json", Path(source.name).parent / "environment.json")
            self.layers.append(Layer(module))
        self.stack.pop()

    def _legacy(self, source: Source, path: Path) -> None:
        if is_bundle(source, path) or path.parent in self.bundles:
            module, found = read_bundle(source, path)
            self.diagnostics += found
            self.layers.append(Layer(module, bundle=True))
            self.bundles.add(path.parent)
            root = bundle_root(path)
            if root is not None:
                self.base_target = Spec("Bundle", {"path": str(root)})
            return
        module, found = legacy.read_training(source)
        self.diagnostics += found
        self.layers.append(Layer(module, legacy=True))
        root = _mmar_root(path)
        if root is not None:
            self.base_target = Spec("Mmar", {"path": str(root)})
        self._environment(path.parent / "environment.json", Path(source.name).parent / "environment.json")

    def _bundle(self, bundle: NamedBundle, source: Source, path: Path) -> None:
        """What the bundle that a study names brings as its base, below all that is `use`d; nothing where a bundle is `use`d."""
        root = path.parent / bundle.folder
        if not _is_folder(root) or (bundle.configs is None and any(layer.bundle for layer in self.layers)):
            return
        try:
            files = find_configs(root, bundle)
        except (LookupError, OSError) as error:
            place = f"the bundle `{bundle.folder}`"
            self.error(
                "AM305", f"{place} has no `configs/train.json`", bundle.span, str(error) if isinstance(error, LookupError) else ""
            )
            return
        above, self.layers = self.layers, []
        for file, span in files:
            if not _is_inside(file, [root]):
                self.error("AM310", f"`{file.name}` lies outside the bundle", span)
            elif file.suffix not in _DATA:
                self.error("AM305", f"`{file.name}` is no configuration of a bundle", span, "those are .json and .yaml files")
            elif file.resolve() not in self.seen:
                self.bundles.add(file.resolve().parent)
                read = self.text(file, os.path.normpath(Path(source.name).parent / os.path.relpath(file, path.parent)), span)
                if read is not None:
                    self.main(read, file.resolve(), True)
        self.layers += above

    def _environment(self, path: Path, shown: Path) -> None:
        if not path.is_file():
            return
        source = self.text(path, str(shown), None)
        if source is None:
            return
        node, found = legacy.read_json(source)
        self.diagnostics += found
        if node is None:
            return
        if not isinstance(node, JsonObject):
            self.error("AM201", "environment.json is an object", node.span)
            return
        self.environment.update({entry.key: plain(entry.value) for entry in node})
        self.environment_places.update({entry.key: entry.key_span for entry in node})

    def _use(self, use: ast.Use, source: Source, path: Path) -> None:
        name = use.path
        if not name.isprintable():
            self.error("AM310", "the name of a file has no control characters", use.span)
            return
        if "://" in name or Path(name).is_absolute():
            self.error("AM310", "`use` takes a path relative to its file", use.span)
            return
        target = (path.parent / name).resolve()
        allowed = [self.folder, *self.mmars]
        if not _is_inside(target, allowed):
            help = "copy the file beside this one, or name its MMAR as the study's `target`"
            self.error("AM310", f"`{name}` lies outside the folder of the program", use.span, help)
        elif target in self.stack:
            loop = " -> ".join(place.name for place in [*self.stack[self.stack.index(target) :], target])
            self.error("AM311", f"these files use each other: {loop}", use.span)
        elif len(self.stack) >= _MAX_DEPTH:
            self.error("AM312", f"`use` is nested more than {_MAX_DEPTH} levels deep", use.span)
        elif len(self.seen) >= _MAX_FILES:
            self.error("AM312", f"a program has at most {_MAX_FILES} files", use.span)
        elif not target.suffix:
            self.error("AM305", f"`{name}` names no file", use.span, f"a base is a {_BASES} file")
        elif target.suffix not in _KINDS:
            self.error("AM199", f"a base of the kind `{target.suffix}` is not supported", use.span, f"a base is a {_BASES} file")
        elif target not in self.seen:
            shown = os.path.normpath(Path(source.name).parent / name)
            read = self.text(target, shown, use.span)
            if read is not None:
                self.main(read, target, target.suffix != ".automl")

    # -- settings ---------------------------------------------------------------------------------------------------------------

    def sets(self, pairs: Iterable[tuple[str, str]]) -> dict[str, Value]:
        """Each pair a layer of its own, a later one above; those that only mean a `{variable}` are returned."""
        out: dict[str, Value] = {}
        pairs = list(pairs)
        if not pairs:
            return out
        texts = {name for layer in self.layers if not layer.bundle for name in variables.references(layer.module)}
        known = {*self.first_level(), *_lets(self.layers)}
        for number, (path, expr) in enumerate(pairs, 1):
            path, expr = self._as_path(path.strip()), expr.strip()
            if path in texts and path not in known:
                out[path] = _typed(expr)
                continue
            name = _SET if number == 1 else f"{_SET} {number}"
            joined = f"{path} {expr}" if expr.startswith("~") else f"{path}={expr}"
            source = Source(name, joined)
            self.sources[name] = source
            module, found = parse_module(source, require_edition=False)
            self.diagnostics += found
            match module.body:
                case (ast.Bind(),):
                    self.layers.append(Layer(module, setting=True))
                case _ if not found:
                    self.error("AM014", "`--set` takes one `PATH=EXPR`", Span(name, 0, len(joined)))
                case _:
                    pass
        return out

    def _as_path(self, path: str) -> str:
        """`train#handlers#0#interval`, as `monai.bundle run` has it, as `train.handlers[0].interval`, above a bundle."""
        if not any(layer.bundle for layer in self.layers) or not ("#" in path or "::" in path):
            return path
        first, *steps = path.replace("::", "#").split("#")
        return first + "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in steps)

    def first_level(self) -> frozenset[str]:
        return frozenset().union(*(variables.first_level_names(layer.module) for layer in self.layers)) - {"study"}

    # -- the end ----------------------------------------------------------------------------------------------------------------

    def finish(self, base_dir: Path, settings: Mapping[str, Value], workers: legacy.Settings | None = None) -> Checked:
        if self.failed:
            return self._checked(None)
        base = self.base_target
        root = base.args["path"] if base is not None and base.name == "Mmar" else None
        if root is None and self.mmars:
            root = str(self.mmars[0].resolve())
        defaults: dict[str, Value] = {} if root is None else {"MMAR_ROOT": root}
        first_level = self.first_level()
        outer = variables.outer_variables(settings, self._environment_in_force(), first_level, os.environ, defaults)
        for layer in self.layers:
            if layer.bundle or _targets_bundle(layer.module):  # its braces are Python's
                continue
            is_study = workers is not None and not layer.legacy
            self.diagnostics += variables.undefined_variables(layer.module, {*outer, *first_level}, include_study=is_study)
            if layer.legacy:
                self.diagnostics += variables.circular_variables(layer.module, outer)
        request = Request(
            layers=self.layers,
            base_target=self.base_target,
            variables=outer,
            base_dir=str(base_dir.resolve()),
            files=tuple(self.files),
            resolve_target=self._resolve,
            text_of=lambda span: self.sources[span.file].text[span.start : span.end] if span.file in self.sources else "",
        )
        elaborated = elaborate(request)
        self.diagnostics += elaborated.diagnostics
        program = None if self.failed else elaborated.program
        if program is not None:
            program = self._with_searched(program, settings)
        if program is not None and workers is not None and workers.workers is not None:
            program = _with_workers(program, workers)
        return self._checked(program, elaborated.places)

    def _environment_in_force(self) -> dict[str, Value]:
        """environment.json without what a layer above the training config says."""
        above = [variables.first_level_names(layer.module) for layer in self.layers if not layer.legacy]
        return {name: value for name, value in self.environment.items() if not any(name in names for names in above)}

    def _with_searched(self, program: Program, settings: Mapping[str, Value]) -> Program:
        """What a search decides, environment.json does not: else every job would be given the same value."""
        searched = {target for param in program.params for target in param.targets}
        lost = [name for name in program.variables if name in searched and name in self.environment and name not in settings]
        for name in lost:
            span = self.environment_places[name]
            message = f"`{name}` is searched: its value in environment.json is not used"
            self.diagnostics.append(Diagnostic("AM213", message, span, "not used", severity="warning"))
        return program if not lost else _replaced(program, {k: v for k, v in program.variables.items() if k not in lost})

    def _resolve(self, text: str, file: str) -> str | None:
        place = self.places.get(file)
        try:
            folder = ((place.parent if place is not None else self.folder) / text).resolve()
            return str(folder) if folder.is_dir() else None
        except (OSError, ValueError):  # a name that no folder can have
            return None

    def _checked(self, program: Program | None, places: Mapping[str, Span] | None = None) -> Checked:
        order = {name: number for number, name in enumerate(self.sources)}
        found = sorted(dict.fromkeys(self.diagnostics), key=lambda item: (order.get(item.span.file, 0), item.span.start))
        return Checked(program, tuple(found), self.sources, tuple(self.layers), places or {})


def _replaced(program: Program, variables: dict[str, Value]) -> Program:
    from msgspec.structs import replace

    return replace(program, variables=variables)


def _with_workers(program: Program, given: legacy.Settings) -> Program:
    from msgspec.structs import replace

    return replace(program, study=replace(program.study, workers=given.workers))


# -- helpers ----------------------------------------------------------------------------------------------------------------------


def _mmar_root(path: Path) -> Path | None:
    """The MMAR that a config file belongs to: the folder above its `config/`."""
    resolved = path.resolve()
    return resolved.parent.parent if resolved.suffix == ".json" and resolved.parent.name == "config" else None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that no folder can have
        return False


def _is_inside(path: Path, folders: Iterable[Path]) -> bool:
    if "\0" in str(path):
        return False
    resolved = path.resolve()
    return any(resolved.is_relative_to(folder.resolve()) for folder in folders)


def _nearest_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        return ""
    best = nearest(path.name, names)
    return f"did you mean `{best}`?" if best else ""


def _named_mmars(module: ast.Module) -> list[str]:
    """The folders that `target = Mmar("...")` names in the main file: `use` may read inside them."""
    out: list[str] = []
    for statement in module.body:
        for item in statement.body if isinstance(statement, ast.Section) else ():
            match item:
                case ast.Bind(given=ast.Call("Mmar" | "Bundle", (ast.Positional(ast.Lit(str() as folder)), *_))):
                    out.append(folder)
                case _:
                    pass
    return out


def _targets_bundle(module: ast.Module) -> bool:
    """Whether this file is a bundle's configuration written out: it names the bundle itself."""
    return any(
        isinstance(item, ast.Bind) and isinstance(item.given, ast.Call) and item.given.callee == "Bundle"
        for statement in module.body
        for item in (statement.body if isinstance(statement, ast.Section) else ())
    )


def _lets(layers: Iterable[Layer]) -> set[str]:
    return {
        step.name
        for layer in layers
        for statement in layer.module.body
        if isinstance(statement, ast.Let)
        for path in statement.bind.targets
        for step in path.steps[:1]
        if isinstance(step, ast.NameStep)
    }


def _typed(text: str) -> Value:
    """A variable's value from the command line: JSON where it is JSON, else the text."""
    try:
        value: Value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return value


__all__ = ["Checked", "check", "check_text", "load", "load_mmar", "parse"]
