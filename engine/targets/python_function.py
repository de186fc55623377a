"""`Python("package.module:function")`: a function of the user's that trains."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from automl_run.dsl.diagnostics import did_you_mean
from automl_run.dsl.ir import Value
from automl_run.dsl.resolved import Resolved, to_plain
from automl_run.errors import InputError, TargetError

from . import script
from .base import Job, Report, Result
from .script_arguments import folder_of
from .seeding import seed_libraries

_NAME = r"[^\W\d]\w*"
_FORM = re.compile(rf"({_NAME}(?:\.{_NAME})*):({_NAME}(?:\.{_NAME})*)")


#: Before the name of a parameter that cannot be given by its name: no key begins so.
_BY_PLACE = "/"


class PythonTarget:
    """Calls `function(params, report)`, `function(params)` or, by name, `function(lr, depth)`, for a configuration of these keys.

    It runs in `cwd`, taken from `base_dir`, where its module is sought first, then where Python looks. `env`: variables of its
    environment that are set before the module is imported; None takes one away.
    """

    config_name = "params.json"

    def __init__(self, function: str, base_dir: Path, *, cwd: str = ".", env: Mapping[str, Value] | None = None) -> None:
        match = _FORM.fullmatch(function.strip())
        if match is None:
            hint = ""
            if ".py" in function:
                path, _, name = function.partition(":")
                hint = f' (for a file: "{path.removesuffix(".py").strip("./").replace("/", ".")}:{name or "function"}")'
            raise InputError(f'Python({function!r}) must name a module and a function, as in "package.module:function"{hint}')
        self.module, self.function = match.groups()
        self.base_dir = base_dir if cwd == "." else folder_of(base_dir, cwd)
        self.env = dict(env or {})
        self._moves = cwd != "."
        #: what the function takes, as far as its module's text tells; it is compared with the first configuration that is seen
        self._takes: _Takes | None = None

    def check(self) -> None:
        if not self.base_dir.is_dir():
            raise TargetError(f"Python: the folder {self.base_dir} does not exist", "cwd")
        spec = self._find()
        if spec.origin is None or not spec.origin.endswith(".py"):
            return
        source = Path(spec.origin)
        try:
            tree = ast.parse(source.read_bytes(), str(source))
        except OSError as error:
            raise InputError(f"Python: {source} cannot be read: {error.strerror}") from error
        except (SyntaxError, ValueError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise InputError(f"Python: {source}{line}: {reason}") from error
        names = set(_bound_names(tree.body))
        first = self.function.partition(".")[0]
        # `from x import *` and a module's __getattr__ make names that only an import would show.
        if first not in names and not names & {"*", "__getattr__"}:
            help = did_you_mean(first, names)
            raise InputError(f"Python: there is no `{first}` in {source}" + (f"; {help}" if help else ""))
        self._takes = _written(tree, self.function)

    def _find(self) -> ModuleSpec:
        """The module, found as an import would find it, but with none of its packages imported."""
        parts = self.module.split(".")
        spec: ModuleSpec | None = None
        for index, part in enumerate(parts):
            name = ".".join(parts[: index + 1])
            if spec is None:
                found = PathFinder.find_spec(part, [str(self.base_dir)]) or _installed(part)
            elif spec.submodule_search_locations is None:
                hint = f'; write `Python("{spec.name}:{self.function}")`, without the ending' if part == "py" else ""
                raise InputError(f"Python: `{spec.name}` ({spec.origin}) is a module, not a package: it holds no `{part}`{hint}")
            else:
                found = PathFinder.find_spec(name, list(spec.submodule_search_locations))
            if found is None:
                places = list(spec.submodule_search_locations or []) if spec else [str(self.base_dir), "where Python looks"]
                raise InputError(f"Python: there is no module `{name}` in {' or '.join(places)}")
            spec = found
            if index == 0 and part in sys.stdlib_module_names and (mine := self._hidden()) is not None:
                raise InputError(
                    f"Python: {mine} has the name of one of Python's own modules, which are loaded before it: rename it"
                )
        assert spec is not None
        return spec

    def _hidden(self) -> Path | None:
        """The file in `base_dir` in whose place another module of the same name is loaded."""
        top = self.module.partition(".")[0]
        mine, loaded = PathFinder.find_spec(top, [str(self.base_dir)]), sys.modules.get(top)
        if mine is None or mine.origin is None or loaded is None:
            return None
        origin = loaded.__spec__.origin if loaded.__spec__ is not None else getattr(loaded, "__file__", None)
        return None if origin and Path(origin).resolve() == Path(mine.origin).resolve() else Path(mine.origin)

    def render(self, config: dict[str, Resolved]) -> dict[str, Value]:
        if self._takes is not None:
            takes, self._takes = self._takes, None
            _by_name(takes, config, f"{self.module}:{self.function}")
        return {key: to_plain(value) for key, value in config.items()}

    def run(self, job: Job) -> Result:
        base = str(self.base_dir)
        self._prepare()
        if sys.path[:1] != [base]:
            sys.path.insert(0, base)
        importlib.invalidate_caches()
        function: object = importlib.import_module(self.module)
        if (hidden := self._hidden()) is not None:
            raise InputError(f"Python: {hidden} has the name of a module that is loaded before it: rename it")
        for name in self.function.split("."):
            try:
                function = getattr(function, name)
            except AttributeError as error:
                raise InputError(f"Python: `{self.module}` has no `{self.function}`") from error
        if not callable(function):
            raise InputError(f"Python: `{self.module}:{self.function}` is {type(function).__name__}, not a function")
        # numpy and torch, if the module imported them, have not seen the job's seed yet.
        seed_libraries(job.seed)
        # What `automl_run.report` says in this process is said by the job.
        script.report.speak_through(job.report)
        try:
            result = _call(function, job.config, job.report, f"{self.module}:{self.function}")
            return script.report.final or None if result is None else result
        finally:
            script.report.speak_through(None)

    def _prepare(self) -> None:
        for name, value in self.env.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value if isinstance(value, str) else json.dumps(value)
        if self._moves:
            os.chdir(self.base_dir)


@dataclass(frozen=True, slots=True)
class _Takes:
    """The parameters of a function but `report`. `positional` in their order; `required`: those without a default."""

    positional: tuple[str, ...]
    keyword: tuple[str, ...]
    required: frozenset[str]
    report: bool
    any_positional: bool
    any_keyword: bool


def _written(tree: ast.Module, function: str) -> _Takes | None:
    """What a plain `def` at the top of a module takes; None for a class, a decorated function or a name made otherwise."""
    made = [each for each in tree.body if function in set(_bound_names([each]))]
    if len(made) != 1 or not isinstance(made[0], ast.FunctionDef) or made[0].decorator_list:
        return None
    args = made[0].args
    positional = [*(_BY_PLACE + arg.arg for arg in args.posonlyargs), *(arg.arg for arg in args.args)]
    keyword = [arg.arg for arg in args.kwonlyargs]
    required = positional[: len(positional) - len(args.defaults)]
    required += [name for name, default in zip(keyword, args.kw_defaults, strict=True) if default is None]
    return _takes(positional, keyword, required, args.vararg is not None, args.kwarg is not None)


def _inspected(signature: inspect.Signature) -> _Takes:
    parameters = signature.parameters.values()
    names = {p.name: (_BY_PLACE if p.kind is p.POSITIONAL_ONLY else "") + p.name for p in parameters}
    positional = [names[p.name] for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keyword = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    required = [names[p.name] for p in parameters if p.default is p.empty and names[p.name] in (*positional, *keyword)]
    kinds = {p.kind for p in parameters}
    return _takes(positional, keyword, required, inspect.Parameter.VAR_POSITIONAL in kinds, inspect.Parameter.VAR_KEYWORD in kinds)


def _takes(positional: list[str], keyword: list[str], required: list[str], any_positional: bool, any_keyword: bool) -> _Takes:
    names = [name for name in positional if name != "report"]
    others = tuple(name for name in keyword if name != "report")
    has_report = "report" in positional or "report" in keyword
    return _Takes(tuple(names), others, frozenset(required) - {"report"}, has_report, any_positional, any_keyword)


def _by_name(takes: _Takes, config: Mapping[str, object], title: str) -> bool:
    """Whether the function takes the values of the configuration by their names, not the whole as one dict.

    It does if all it needs are keys of the configuration. InputError if it takes neither that nor one dict.
    """
    names = (*takes.positional, *takes.keyword)
    known = [name for name in names if name in config]
    lacks = [name for name in names if name in takes.required and name not in config]
    left = [] if takes.any_keyword else [key for key in config if key not in names]
    only_names = takes.any_keyword and not takes.positional and not takes.any_positional
    if (known or only_names) and not lacks and not left:
        return True
    first = takes.positional[:1]
    most = 1 if takes.report else 2
    by_place = (first or takes.any_positional) and not set(first) & set(config)
    if by_place and len(lacks) <= most and not takes.required & {*takes.keyword, *known}:
        return False
    shown = ", ".join(name for name in names if name in takes.required) or ", ".join(names) or "nothing"
    reason = "it gets one dict of parameters"
    if known and lacks:
        reason = f"the configuration has no `{lacks[0]}`"
    elif known and left:
        reason = f"the configuration has `{left[0]}`, too"
    help = "write `def fn(params)` for one dict of them all, or give the function the names of all its keys"
    raise InputError(f"Python: `{title}` takes {shown}, but {reason}: {help}")


def _call(function: Callable[..., Result], params: dict[str, Value], report: Report, title: str) -> Result:
    """With the report, or without where the function takes none."""
    try:
        takes = _inspected(inspect.signature(function))
    except (TypeError, ValueError):
        return function(params, report)
    told = {"report": report} if takes.report else {}
    if _by_name(takes, params, title):
        return function(**params, **told)
    if takes.report:
        return function(params, **told)
    needed = [name for name in takes.positional if name in takes.required]
    return function(params, report) if takes.any_positional or len(needed) > 1 else function(params)


def _installed(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _bound_names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Names that a module's own statements bind, those inside its `if`, `try`, `with` and loops too; "*" for a star import."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in aliases)
            case _:
                for node in ast.iter_child_nodes(statement):
                    if isinstance(node, ast.stmt):
                        yield from _bound_names([node])
                    elif isinstance(node, (ast.ExceptHandler, ast.match_case)):
                        yield from _bound_names(node.body)
                    else:
                        yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
