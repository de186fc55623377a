"""An editor: pygls's own client, talking to the real process over its standard input and output."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

pytest.importorskip("pygls", reason="the language server needs pygls (automl-run[lsp])")

from lsprotocol import types
from pygls import uris
from pygls.lsp.client import LanguageClient

T = TypeVar("T")
#: Far more than any answer needs: a test that waits this long has failed.
PATIENCE_S = 40.0


class Editor:
    """Calls are synchronous. `|` in a text given to `at` marks the cursor."""

    def __init__(self, folder: Path, encodings: list[types.PositionEncodingKind] | None = None, *, selects: bool = False) -> None:
        self.folder = folder
        self.runner = asyncio.Runner()
        self.client = LanguageClient("test-editor", "1")
        self.versions: dict[str, int] = {}
        self.published: list[types.PublishDiagnosticsParams] = []
        self.registered: list[str] = []
        self.news = asyncio.Event()
        self.stderr = b""

        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.published.append(params)
            self.news.set()

        def register(params: types.RegistrationParams) -> None:
            self.registered += [registration.method for registration in params.registrations]
            self.news.set()

        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(publish)
        self.client.feature(types.CLIENT_REGISTER_CAPABILITY)(register)
        self.start = self.run(self._start(encodings, selects))

    def run(self, work: Awaitable[T]) -> T:
        async def bounded() -> T:
            return await asyncio.wait_for(work, PATIENCE_S)

        return self.runner.run(bounded())

    async def _start(self, encodings: list[types.PositionEncodingKind] | None, selects: bool) -> types.InitializeResult:
        await self.client.start_io(sys.executable, "-m", "automl_run", "lsp", cwd=str(self.folder))
        watching = types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=list(encodings) if encodings else None),
            text_document=types.TextDocumentClientCapabilities(formatting=types.DocumentFormattingClientCapabilities(selects)),
            workspace=types.WorkspaceClientCapabilities(did_change_watched_files=watching),
        )
        params = types.InitializeParams(capabilities=capabilities, root_uri=uris.from_fs_path(str(self.folder)))
        result = await self.client.initialize_async(params)
        self.client.initialized(types.InitializedParams())
        return result

    # -- texts ----------------------------------------------------------------------------------------------------------------

    def uri(self, name: str) -> str:
        return uris.from_fs_path(str(self.folder / name)) or ""

    def open(self, name: str, text: str) -> list[types.Diagnostic]:
        """Its diagnostics once they are there."""
        uri = self.uri(name)
        self.versions[uri] = 1
        item = types.TextDocumentItem(uri, "automl", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return self.diagnostics(name)

    def change(self, name: str, text: str) -> None:
        uri = self.uri(name)
        self.versions[uri] += 1
        document = types.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def close(self, name: str) -> None:
        self.versions.pop(self.uri(name), None)
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(self.uri(name))))

    def wait(self, found: Callable[[types.PublishDiagnosticsParams], bool]) -> types.PublishDiagnosticsParams:
        """The first publication, of those that came since the last wait too, that `found` likes; all before it are dropped."""

        async def waiting() -> types.PublishDiagnosticsParams:
            while True:
                while self.published:
                    params = self.published.pop(0)
                    if found(params):
                        return params
                self.news.clear()
                await self.news.wait()

        return self.run(waiting())

    def diagnostics(self, name: str) -> list[types.Diagnostic]:
        """The mistakes that are published for the current version of a text, or, if it is not open, next."""
        uri = self.uri(name)
        version = self.versions.get(uri)
        return mistakes(self.wait(lambda params: params.uri == uri and params.version == version))

    # -- questions ------------------------------------------------------------------------------------------------------------

    def _at(self, name: str, position: types.Position) -> tuple[types.TextDocumentIdentifier, types.Position]:
        return types.TextDocumentIdentifier(self.uri(name)), position

    def complete(self, name: str, marked: str) -> dict[str, types.CompletionItem]:
        """The completions at `|` in `marked`, which becomes the text."""
        text, position = cursor(marked)
        if self.uri(name) in self.versions:
            self.change(name, text)
        else:
            self.open(name, text)
        document, at = self._at(name, position)
        found = self.run(self.client.text_document_completion_async(types.CompletionParams(document, at)))
        assert isinstance(found, types.CompletionList)
        return {item.label: item for item in found.items}

    def hover(self, name: str, position: types.Position) -> str:
        document, at = self._at(name, position)
        found = self.run(self.client.text_document_hover_async(types.HoverParams(document, at)))
        if found is None:
            return ""
        assert isinstance(found.contents, types.MarkupContent)
        return found.contents.value

    def definition(self, name: str, position: types.Position) -> types.Location | None:
        document, at = self._at(name, position)
        found = self.run(self.client.text_document_definition_async(types.DefinitionParams(document, at)))
        assert found is None or isinstance(found, types.Location)
        return found

    def symbols(self, name: str) -> list[types.DocumentSymbol]:
        document = types.TextDocumentIdentifier(self.uri(name))
        found = self.run(self.client.text_document_document_symbol_async(types.DocumentSymbolParams(document)))
        return [symbol for symbol in found or [] if isinstance(symbol, types.DocumentSymbol)]

    def format(self, name: str, text: str) -> str:
        """The text after the edits of formatting."""
        document = types.TextDocumentIdentifier(self.uri(name))
        options = types.FormattingOptions(tab_size=2, insert_spaces=True)
        edits = self.run(self.client.text_document_formatting_async(types.DocumentFormattingParams(document, options)))
        return apply(text, list(edits or []))

    def actions(self, name: str, range: types.Range, only: list[str] | None = None) -> list[types.CodeAction]:
        context = types.CodeActionContext([], only=only)
        params = types.CodeActionParams(types.TextDocumentIdentifier(self.uri(name)), range, context)
        found = self.run(self.client.text_document_code_action_async(params))
        return [action for action in found or [] if isinstance(action, types.CodeAction)]

    # -- the end --------------------------------------------------------------------------------------------------------------

    def stop(self) -> int:
        """Shutdown and exit; the server's exit code."""

        async def ending() -> int:
            process = self.client._server
            assert process is not None
            assert process.stderr is not None
            if process.returncode is None and not self.client.stopped:
                await self.client.shutdown_async(None)
                self.client.exit(None)
            code = await process.wait()
            self.stderr = await process.stderr.read()
            await self.client.stop()  # type: ignore[no-untyped-call]
            return code

        try:
            return self.run(ending())
        finally:
            self.runner.close()


def mistakes(params: types.PublishDiagnosticsParams) -> list[types.Diagnostic]:
    """Without advice, such as that a study has no seed."""
    return [each for each in params.diagnostics if each.severity != types.DiagnosticSeverity.Information]


def cursor(marked: str) -> tuple[str, types.Position]:
    """The text without its last `|`, and where that was, in UTF-16 units."""
    at = marked.rindex("|")
    head = marked[:at]
    line = head[head.rfind("\n") + 1 :]
    return head + marked[at + 1 :], types.Position(head.count("\n"), len(line.encode("utf-16-le", "surrogatepass")) // 2)


def position(text: str, word: str, shift: int = 0) -> types.Position:
    """Where the last `word` in `text` begins, in UTF-16 units."""
    at = text.rindex(word) + shift
    return cursor(text[:at] + "|")[1]


def apply(text: str, edits: list[types.TextEdit]) -> str:
    lines = text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines) + 1)]

    def offset(at: types.Position) -> int:
        line = lines[at.line] if at.line < len(lines) else ""
        return starts[min(at.line, len(lines))] + len(
            line.encode("utf-16-le", "surrogatepass")[: 2 * at.character].decode("utf-16-le")
        )

    for edit in sorted(edits, key=lambda edit: offset(edit.range.start), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """One process for most tests. At the end it must have left in good order and without a word on stderr."""
    made = Editor(tmp_path_factory.mktemp("server"))
    try:
        yield made
    finally:
        code = made.stop()
    assert (code, made.stderr.decode()) == (0, "")


@pytest.fixture
def editor(server: Editor, tmp_path: Path) -> Iterator[Editor]:
    """An editor in an empty folder with no text open."""
    server.folder = tmp_path
    yield server
    for uri in list(server.versions):
        server.close(uri.rpartition("/")[2])
    server.published.clear()
