"""The language server of `automl-run lsp`: which message of the protocol asks which question.

An exception in a handler is logged and answered with nothing; it never ends the server. Standard output belongs to the
protocol alone.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from automl_run import __version__

from .analysis import Analysis
from .completion import complete
from .documents import Snapshot
from .fixes import FIX_ALL, actions
from .formatting import format_edits
from .hover import hover
from .navigate import definition, location, symbols
from .session import Session
from .text import Lines

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


class _Editor:
    def __init__(self, server: LanguageServer) -> None:
        self._server = server

    def publish(self, params: types.PublishDiagnosticsParams) -> None:
        self._server.text_document_publish_diagnostics(params)

    def encoding(self) -> str:
        return _encoding(self._server)


def _calm(handler: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T | None]]:
    """`handler`, with an empty answer and a line in the log instead of an exception."""

    @functools.wraps(handler)
    async def calm(*args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return await handler(*args, **kwargs)
        except Exception:
            log.exception("%s failed", handler.__name__)
            return None

    return calm


def _calm_now(handler: Callable[[T], None]) -> Callable[[T], None]:
    """As `_calm`, for what must have happened before the next message is read."""

    @functools.wraps(handler)
    def calm(params: T) -> None:
        try:
            handler(params)
        except Exception:
            log.exception("%s failed", handler.__name__)

    return calm


def _encoding(server: LanguageServer) -> str:
    """What the editor counts in a line: UTF-16 units unless it can do otherwise."""
    return types.PositionEncodingKind(server.workspace.position_encoding or "utf-16").value


def make_server() -> tuple[LanguageServer, Session]:
    """The server with all its handlers; `serve` runs it."""
    # Whole texts are sent: pygls counts other line ends than the protocol does when it puts pieces together.
    server = LanguageServer("automl-run", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
    session = Session(_Editor(server))
    _texts(server, session)
    _questions(server, session)
    return server, session


def _formats_by_selector(client: types.ClientCapabilities) -> bool:
    """Whether the editor can be told which texts are formatted: JSON is left to its own formatter then."""
    formatting = client.text_document.formatting if client.text_document is not None else None
    return formatting is not None and formatting.dynamic_registration is True


def _texts(server: LanguageServer, session: Session) -> None:
    @_calm
    async def formatted(params: types.DocumentFormattingParams) -> list[types.TextEdit] | None:
        def question(analysis: Analysis, documents: Snapshot) -> list[types.TextEdit]:
            return [] if analysis.document.is_json else format_edits(Lines(analysis.document.text, _encoding(server)))

        return await session.ask(params.text_document.uri, question)

    @server.feature(types.INITIALIZE)
    @_calm_now
    def initialize(params: types.InitializeParams) -> None:
        if not _formats_by_selector(params.capabilities):
            server.feature(types.TEXT_DOCUMENT_FORMATTING)(formatted)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    @_calm_now
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        session.open(params.text_document.uri, params.text_document.version, params.text_document.text)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    @_calm_now
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        document = server.workspace.get_text_document(params.text_document.uri)
        session.change(params.text_document.uri, params.text_document.version, document.source)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    @_calm_now
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        session.close(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    @_calm_now
    def did_save(params: types.DidSaveTextDocumentParams) -> None:
        session.again()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    @_calm_now
    def files_changed(params: types.DidChangeWatchedFilesParams) -> None:
        session.again()

    @server.feature(types.INITIALIZED)
    @_calm_now
    def initialized(params: types.InitializedParams) -> None:
        session.warm()
        registrations: list[types.Registration] = []
        workspace = server.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace is not None else None
        if watching is not None and watching.dynamic_registration:
            watchers = [types.FileSystemWatcher("**/*.{automl,json,yaml,yml}")]
            options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
            registrations.append(types.Registration("watch", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options))
        if _formats_by_selector(server.client_capabilities):
            server.feature(types.TEXT_DOCUMENT_FORMATTING)(formatted)
            programs = types.DocumentFormattingRegistrationOptions([types.TextDocumentFilterLanguage("automl")])
            registrations.append(types.Registration("format", types.TEXT_DOCUMENT_FORMATTING, programs))
        if registrations:
            server.client_register_capability(types.RegistrationParams(registrations))

    @server.feature(types.SHUTDOWN)
    def shutdown(params: None) -> None:
        session.end()


def _questions(server: LanguageServer, session: Session) -> None:
    def lines(analysis: Analysis) -> Lines:
        return Lines(analysis.document.text, _encoding(server))

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=[".", "@", '"', "/", "("]))
    @_calm
    async def completion(params: types.CompletionParams) -> types.CompletionList | None:
        def question(analysis: Analysis, documents: Snapshot) -> types.CompletionList:
            if analysis.document.is_json:
                return types.CompletionList(False, [])
            text = lines(analysis)
            return complete(analysis, text, text.offset(params.position))

        return await session.ask(params.text_document.uri, question)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    @_calm
    async def hovered(params: types.HoverParams) -> types.Hover | None:
        def question(analysis: Analysis, documents: Snapshot) -> types.Hover | None:
            text = lines(analysis)
            found = hover(analysis, text.offset(params.position))
            if found is None:
                return None
            content = types.MarkupContent(types.MarkupKind.Markdown, found[0])
            return types.Hover(content, text.range(found[1].start, found[1].end))

        return await session.ask(params.text_document.uri, question)

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    @_calm
    async def defined(params: types.DefinitionParams) -> types.Location | None:
        def question(analysis: Analysis, documents: Snapshot) -> types.Location | None:
            target = definition(analysis, lines(analysis).offset(params.position))
            return None if target is None else location(analysis, target, documents, _encoding(server))

        return await session.ask(params.text_document.uri, question)

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    @_calm
    async def outlined(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | None:
        return await session.ask(params.text_document.uri, lambda analysis, documents: symbols(analysis, lines(analysis)))

    kinds = [types.CodeActionKind.QuickFix, FIX_ALL]

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=kinds))
    @_calm
    async def fixes(params: types.CodeActionParams) -> list[types.CodeAction] | None:
        def question(analysis: Analysis, documents: Snapshot) -> list[types.CodeAction]:
            text = lines(analysis)
            span = text.offset(params.range.start), text.offset(params.range.end)
            return actions(analysis, span, params.context.only, documents, _encoding(server))

        return await session.ask(params.text_document.uri, question)


def serve() -> int:
    """Serve one editor on standard input and output until it says exit or is gone; 1 if it left without a shutdown."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # It warns of what is in order, such as an answer that arrives after the shutdown.
    logging.getLogger("pygls").setLevel(logging.ERROR)
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # A stray print must not end up between two messages.
    sys.stdout = sys.stderr
    server, session = make_server()
    server.start_io(sys.stdin.buffer, output)
    return 0 if session.ended else 1
