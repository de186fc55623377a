"""The scheduler's end of the wire: handshakes, deadlines, private places."""

from __future__ import annotations

import os
import selectors
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl_run.engine.wire import messages as wire
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_to_agent, encode
from automl_run.engine.wire.server import FRAME_S, HANDSHAKE_S, Cut, Server, listen, private_folder
from automl_run.errors import RunError


class Rig:
    """A server, a clock and clients."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.selector = selectors.DefaultSelector()
        self.server = Server(path, self.selector, lambda hello: None if hello.worker in ("W1", "W2") else "unknown_worker")
        self.now = 100.0
        self.clients: list[Connection[wire.ToAgent]] = []

    def client(self) -> Connection[wire.ToAgent]:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.path))
        self.clients.append(Connection(sock, decode_to_agent))
        return self.clients[-1]

    def turn(self) -> list[object]:
        """Everything that happens now."""
        found: list[object] = []
        while ready := self.selector.select(0):
            for key, mask in ready:
                found += key.data(mask, self.now)
        return found + list(self.server.check_deadlines(self.now))

    def hello(self, worker: str = "W1", pid: int = 1, proto: int = 1) -> tuple[Connection[wire.ToAgent], list[object]]:
        client = self.client()
        client.send(wire.Hello(proto, proto, worker, "h", pid, ()))
        return client, self.turn()

    def close(self) -> None:
        self.server.close()
        self.selector.close()
        for client in self.clients:
            client.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    folder = private_folder()
    rig = Rig(folder / "s")
    yield rig
    rig.close()
    (folder / "s").unlink()
    folder.rmdir()


def answers(client: Connection[wire.ToAgent]) -> list[wire.ToAgent]:
    return list(client.receive())


def test_a_welcome_worker_is_heard(rig: Rig) -> None:
    client, happened = rig.hello()
    assert happened == [("W1", wire.Hello(1, 1, "W1", "h", 1, ()))]
    client.send(wire.Pong(7))
    assert rig.turn() == [("W1", wire.Pong(7))]
    rig.server.send("W1", wire.Ping(8))
    assert answers(client) == [wire.Ping(8)]


def test_sending_to_nobody_is_no_error(rig: Rig) -> None:
    rig.server.send("W1", wire.Ping(1))


@pytest.mark.parametrize(("worker", "proto", "code"), [("W9", 1, "unknown_worker"), ("W1", 2, "protocol")])
def test_refusals_say_why(rig: Rig, worker: str, proto: int, code: str) -> None:
    client, happened = rig.hello(worker, proto=proto)
    assert happened == []
    assert answers(client) == [wire.Reject(code)]
    assert client.eof


def test_a_worker_has_one_agent(rig: Rig) -> None:
    first, _ = rig.hello(pid=1)
    second, happened = rig.hello(pid=2)
    assert happened == []
    assert answers(second) == [wire.Reject("worker_taken")]
    assert not first.eof


def test_the_same_agent_may_connect_anew(rig: Rig) -> None:
    first, _ = rig.hello(pid=1)
    second, happened = rig.hello(pid=1)
    assert happened == [("W1", wire.Hello(1, 1, "W1", "h", 1, ()))]
    answers(first)
    assert first.eof
    rig.server.send("W1", wire.Ping(1))
    assert answers(second) == [wire.Ping(1)]


def test_the_first_word_is_hello_and_it_is_said_once(rig: Rig) -> None:
    client = rig.client()
    client.send(wire.Pong(1))
    assert rig.turn() == []
    answers(client)
    assert client.eof
    client, _ = rig.hello()
    client.send(wire.Hello(1, 1, "W1", "h", 1, ()))
    assert rig.turn() == [Cut("W1", "a second Hello")]


def test_before_the_handshake_frames_are_small(rig: Rig) -> None:
    client = rig.client()
    client.send(wire.Hello(1, 1, "W1", "h" * 5000, 1, ()))
    assert rig.turn() == []
    answers(client)
    assert client.eof


def test_a_silent_stranger_is_cut_off(rig: Rig) -> None:
    client = rig.client()
    rig.turn()
    rig.now += HANDSHAKE_S + 1
    assert rig.turn() == []
    answers(client)
    assert client.eof


def test_a_frame_is_finished_in_time(rig: Rig) -> None:
    client, _ = rig.hello()
    frame = encode(wire.Pong(1))
    client._sock.send(frame[:5])
    rig.turn()
    rig.now += FRAME_S - 1
    assert rig.turn() == []
    rig.now += 2
    assert rig.turn() == [Cut("W1", "a frame was not finished in time")]


def test_an_agent_that_leaves_is_reported_after_its_last_words(rig: Rig) -> None:
    client, _ = rig.hello()
    client.send(wire.Bye())
    client.close()
    assert rig.turn() == [("W1", wire.Bye()), Cut("W1", "it closed its connection")]


def test_a_slow_reader_gets_all_later(rig: Rig) -> None:
    client, _ = rig.hello()
    for _ in range(30):
        rig.server.send("W1", wire.Reject("x" * 50_000, "j", 1))
    received = 0
    while received < 30:
        received += len(answers(client))
        rig.turn()
    assert received == 30


def test_the_private_folder_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from automl_run.engine.wire import server

    root = tmp_path / "root"
    monkeypatch.setattr(server, "private_root", lambda: root)
    folder = private_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(root.stat().st_mode) == 0o700
    root.chmod(0o755)
    with pytest.raises(RunError, match="belongs to you alone"):
        private_folder()
    root.rename(tmp_path / "elsewhere")
    root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError):
        private_folder()


def test_what_killed_schedulers_left_is_swept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("automl_run.engine.wire.server.private_root", lambda: tmp_path / "automl")
    dead, living, young, other = private_folder(), private_folder(), private_folder(), tmp_path / "automl" / "gpus"
    other.mkdir()
    for folder in (dead, young):
        listen(folder / "agents.sock").close()
    listener = listen(living / "view.sock")
    for folder in (dead, living, other):
        os.utime(folder, (1.0, 1.0))
    private_folder()
    assert [folder.exists() for folder in (dead, living, young, other)] == [False, True, True, True]
    listener.close()
