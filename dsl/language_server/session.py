"""One editor's session: the open texts, and the checks that run behind them.

The event loop only keeps books; every check and every answer is made on one thread of its own, so that typing never waits.
A check starts a moment after the last change, and what it finds is dropped if the text has changed meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

from lsprotocol import types

from ..parser import language
from .analysis import Analyser, Analysis
from .documents import Document, Snapshot, path_of, uri_of
from .publish import Board, by_file

log = logging.getLogger(__name__)
T = TypeVar("T")

#: How long after the last change a check starts.
DELAY_S = 0.15


class Editor(Protocol):
    """The editor's end, as far as a session talks to it."""

    def publish(self, params: types.PublishDiagnosticsParams) -> None: ...

    def encoding(self) -> str: ...


class Session:
    """The loop's side is `open`, `change`, `close`, `again`; `ask` runs a question on the thread."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.documents: dict[Path, Document] = {}
        self._analyser = Analyser()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="check")
        self._waiting: dict[Path, asyncio.Task[None]] = {}
        self._files: dict[Path, frozenset[Path]] = {}
        self._board = Board()
        self.ended = False

    def warm(self) -> None:
        """Make the grammar's tables before the first text needs them."""
        self._thread.submit(language)

    # -- the texts ------------------------------------------------------------------------------------------------------------

    def open(self, uri: str, version: int | None, text: str) -> None:
        self._put(uri, version, text, 0.0)

    def change(self, uri: str, version: int | None, text: str) -> None:
        self._put(uri, version, text, DELAY_S)

    def _put(self, uri: str, version: int | None, text: str, delay: float) -> None:
        path = path_of(uri)
        self.documents[path] = Document(uri, path, version, text)
        self._later(path, delay)
        for other, files in list(self._files.items()):
            if other != path and path in files:
                self._later(other, max(delay, DELAY_S))

    def close(self, uri: str) -> None:
        path = path_of(uri)
        self.documents.pop(path, None)
        self._files.pop(path, None)
        self._thread.submit(self._analyser.forget, path)
        task = self._waiting.pop(path, None)
        if task is not None:
            task.cancel()
        self._show({*self._board.drop(path), path}, {path: uri})
        for other, files in list(self._files.items()):
            if path in files:
                self._later(other, 0.0)

    def again(self) -> None:
        """Check everything: files on disk have changed."""
        for path in list(self.documents):
            self._later(path, DELAY_S)

    def end(self) -> None:
        self.ended = True
        for task in self._waiting.values():
            task.cancel()
        self._waiting.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    # -- checks ---------------------------------------------------------------------------------------------------------------

    def _later(self, path: Path, delay: float) -> None:
        old = self._waiting.pop(path, None)
        if old is not None:
            old.cancel()
        task = asyncio.get_running_loop().create_task(self._check(path, delay))
        self._waiting[path] = task
        task.add_done_callback(lambda done: self._waiting.pop(path, None) if self._waiting.get(path) is done else None)

    async def _check(self, path: Path, delay: float) -> None:
        try:
            await asyncio.sleep(delay)
            snapshot = dict(self.documents)
            encoding = self.editor.encoding()
            analysis = await self._on_thread(lambda: self._analyser.analyse(snapshot, path))
            if self.documents.get(path) is not snapshot.get(path) or path not in self.documents:
                return
            if analysis is None:
                self._files.pop(path, None)
                self._show({*self._board.drop(path), path}, {})
                return
            self._files[path] = analysis.files
            found = await self._on_thread(lambda: by_file(analysis, snapshot, encoding))
            if self.documents.get(path) is snapshot.get(path):
                self._show(self._board.put(path, found), {})
        except asyncio.CancelledError:
            raise
        except Exception:
            # A mistake of ours in one check must not end the session: the next change is a new chance.
            log.exception("checking %s failed", path)

    def _show(self, files: set[Path], closed: dict[Path, str]) -> None:
        for file in sorted(files):
            document = self.documents.get(file)
            uri = closed.get(file) or uri_of(file, self.documents)
            version = document.version if document is not None else None
            self.editor.publish(types.PublishDiagnosticsParams(uri, self._board.of(file), version))

    # -- questions ------------------------------------------------------------------------------------------------------------

    async def ask(self, uri: str, question: Callable[[Analysis, Snapshot], T]) -> T | None:
        """The answer to `question` about the program at `uri`, None if it is none that is open."""
        path = path_of(uri)
        snapshot = dict(self.documents)

        def answer() -> T | None:
            analysis = self._analyser.analyse(snapshot, path)
            return None if analysis is None else question(analysis, snapshot)

        return await self._on_thread(answer)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
