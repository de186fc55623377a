"""Frames: any split of the bytes, any bytes at all, and the limits."""

from __future__ import annotations

import contextlib
import socket
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_run.dsl.ir import Spec
from automl_run.engine.wire import messages as wire
from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import (
    HELLO_LIMIT,
    LIMIT,
    FrameReader,
    FrameTooLarge,
    decode_from_agent,
    decode_to_agent,
    encode,
)
from automl_run.errors import WireError

FROM_AGENT: list[wire.FromAgent] = [
    wire.Hello(1, 1, "W1", "host", 7, (0, 1), (("W1_1_J1", 2),)),
    wire.Accept("W1_1_J1", 1, 99),
    wire.Metric("W1_1_J1", 1, 3, 20, {"dice": 0.5, "loss": 1.0}),
    wire.Progress("W1_1_J1", 1, "épöch 3", None),
    wire.Done("W1_1_J1", 1, 4, {}, 1.5),
    wire.Failed("W1_1_J1", 1, 4, "oom_gpu", "no memory", None, "…", 2.0),
    wire.Pong(3),
    wire.Bye(),
]
ASSIGN = wire.Assign(
    "W1_1_J1", 1, Spec("Python", {"function": "a:b"}), {"x": [1, {"y": None}]}, "c.json", {"lr": 0.1}, 7, ("dice",), None
)
TO_AGENT: list[wire.ToAgent] = [
    wire.Welcome(1, 2, "run"),
    wire.Reject("protocol"),
    ASSIGN,
    wire.Stop("W1_1_J1", 1, "budget"),
    wire.Ack("W1_1_J1", 1, 3),
    wire.Superseded("W1_1_J1", 1),
    wire.Ping(3),
    wire.Drain(True),
]


def body(message: wire.Message) -> bytes:
    return encode(message)[4:]


@pytest.mark.parametrize("message", FROM_AGENT, ids=lambda m: type(m).__name__)
def test_messages_of_agents_survive(message: wire.FromAgent) -> None:
    assert decode_from_agent(body(message)) == message


@pytest.mark.parametrize("message", TO_AGENT, ids=lambda m: type(m).__name__)
def test_messages_to_agents_survive(message: wire.ToAgent) -> None:
    assert decode_to_agent(body(message)) == message


def test_a_message_of_the_other_side_is_refused() -> None:
    with pytest.raises(WireError):
        decode_from_agent(body(ASSIGN))


@given(st.lists(st.sampled_from(FROM_AGENT), max_size=8), st.lists(st.integers(1, 40)))
def test_any_split_gives_the_same_frames(messages: list[wire.FromAgent], cuts: list[int]) -> None:
    stream = b"".join(encode(message) for message in messages)
    reader, found, at = FrameReader(LIMIT), [], 0
    for cut in [*cuts, len(stream) or 1]:
        reader.feed(stream[at : at + cut])
        at += cut
        while (frame := reader.next()) is not None:
            found.append(decode_from_agent(frame))
    reader.feed(stream[at:])
    while (frame := reader.next()) is not None:
        found.append(decode_from_agent(frame))
    assert found == messages
    assert not reader.started


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        decode_from_agent(data)


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(_PLAIN, st.sampled_from(["Hello", "Metric", "Done", "Nothing"]))
def test_any_data_is_a_message_or_a_wire_error(data: object, tag: str) -> None:
    for shape in (data, {"t": tag, "job": data, "seq": data, "values": data}):
        with contextlib.suppress(WireError):
            decode_from_agent(msgpack.packb(shape))


HOSTILE = {
    "nested": b"\x91" * 100_000,
    "array of 4 billion": b"\xdd\xff\xff\xff\xff",
    "map of 4 billion": b"\xdf\xff\xff\xff\xff",
    "string of 4 GB": b"\xdb\xff\xff\xff\xff",
    "extension type": b"\xc7\x04\x05abcd",
    "timestamp": msgpack.packb(msgpack.Timestamp(1, 1)),
    "two values": b"\x01\x01",
    "bad utf-8": b"\x81\xa1t\xa2\xff\xfe",
    "integer keys": msgpack.packb({1: 2}),
    "wrong type": msgpack.packb({"t": "Pong", "nonce": "1"}),
    "empty": b"",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_from_agent(data)


@pytest.mark.parametrize("length", [0, HELLO_LIMIT + 1, 2**32 - 1])
def test_a_length_is_checked_before_the_body_is_waited_for(length: int) -> None:
    reader = FrameReader(HELLO_LIMIT)
    reader.feed(struct.pack(">I", length))
    with pytest.raises(WireError):
        reader.next()


def test_what_is_too_large_to_send_is_refused_here() -> None:
    with pytest.raises(FrameTooLarge):
        encode(wire.Reject("x" * (LIMIT + 1)))
    with pytest.raises(WireError):
        encode(wire.Pong(2**70))


# -- connections -------------------------------------------------------------------------------------------------------------


def pair() -> tuple[Connection[wire.FromAgent], socket.socket]:
    ours, theirs = socket.socketpair()
    return Connection(ours, decode_from_agent, HELLO_LIMIT), theirs


def test_what_came_before_the_end_is_delivered() -> None:
    connection, peer = pair()
    peer.sendall(encode(wire.Pong(1)) + encode(wire.Pong(2)) + b"\x00\x00")
    peer.close()
    assert list(connection.receive()) == [wire.Pong(1), wire.Pong(2)]
    assert connection.eof
    assert connection.frame_started
    connection.close()


def test_good_messages_before_a_bad_one_are_delivered() -> None:
    connection, peer = pair()
    peer.sendall(encode(wire.Pong(1)) + struct.pack(">I", 1) + b"\xc1")
    received = connection.receive()
    assert next(received) == wire.Pong(1)
    with pytest.raises(WireError):
        next(received)
    connection.close()
    peer.close()


def test_trust_raises_the_limit() -> None:
    connection, peer = pair()
    connection.trust()
    peer.sendall(encode(wire.Progress("j", 1, "x" * 10_000)))
    assert len(list(connection.receive())) == 1
    connection.close()
    peer.close()


def test_a_full_socket_keeps_the_rest_for_later() -> None:
    connection, peer = pair()
    message = wire.Progress("j", 1, "x" * 100_000)
    for _ in range(20):
        connection.send(message)
    unsent = connection.wants_write
    assert unsent
    reader, count = FrameReader(LIMIT), 0
    while count < 20:
        reader.feed(peer.recv(1 << 16))
        connection.flush()
        while reader.next() is not None:
            count += 1
    assert connection.wants_write is False
    connection.close()
    peer.close()


def test_a_lost_peer_is_the_end_and_not_an_error() -> None:
    connection, peer = pair()
    peer.close()
    connection.send(wire.Bye())
    connection.send(wire.Bye())
    assert connection.eof
    connection.close()
