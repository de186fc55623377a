"""Hostile bytes: against the decoder, and against the socket of a real run beside honest workers, who must not notice."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgpack
import proof_run
import pytest
from proof_scale import count, record

from automl_run.engine.wire import messages as wire
from automl_run.engine.wire.frames import LIMIT, FrameReader, decode_from_agent, decode_to_agent, encode
from automl_run.errors import WireError

DECODED = count("PROOF_FUZZ", quick=5_000, proof=200_000, soak=5_000_000)
LIVE = count("PROOF_FUZZ_LIVE", quick=150, proof=5_000, soak=100_000)

HONEST: list[wire.Message] = [
    wire.Hello(1, 1, "W1", "host", 7, (0, 1), (("W1_1_J1", 2),)),
    wire.Accept("W1_1_J1", 1, 99),
    wire.Metric("W1_1_J1", 1, 3, 20, {"dice": 0.5, "loss": 1.0}),
    wire.Done("W1_1_J1", 1, 4, {}, 1.5),
    wire.Failed("W1_1_J1", 1, 4, "oom_gpu", "no memory", None, "…", 2.0),
    wire.Pong(3),
    wire.Bye(),
    wire.Welcome(1, 2, "run"),
    wire.Stop("W1_1_J1", 1, "budget"),
    wire.Ack("W1_1_J1", 1, 3),
]
BODIES = [encode(message)[4:] for message in HONEST]
WRONG: tuple[object, ...] = (
    None,
    -1,
    2**64 - 1,
    1e308,
    float("nan"),
    "x" * 300,
    b"\0",
    [],
    {},
    [[[[]]]],
    {"a": {"b": {}}},
    True,
    "../../etc",
)
#: Nesting, and headers that promise four thousand millions of items or bytes.
BOMBS = (b"\x91", b"\x81\x01", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc9\xff")


def hostile(draw: random.Random) -> bytes:
    """A body: a damaged message, a message with a wrong value, deep or wide nesting, or noise."""
    kind = draw.randrange(6)
    body = bytearray(draw.choice(BODIES))
    if kind == 0:
        for _ in range(draw.randint(1, 4)):
            body[draw.randrange(len(body))] = draw.randrange(256)
    elif kind == 1:
        del body[draw.randrange(len(body)) :]
    elif kind == 2:
        at = draw.randrange(len(body))
        body[at:at] = draw.randbytes(draw.randint(1, 9))
    elif kind == 3:
        data = msgpack.unpackb(bytes(body))
        data[draw.choice(list(data))] = draw.choice(WRONG)
        if draw.random() < 0.3:
            data[draw.choice(["extra", "", "t"])] = draw.choice(WRONG)
        return msgpack.packb(data)  # type: ignore[no-any-return]
    elif kind == 4:
        bomb = draw.choice(
            [b"\x91", b"\x81\x01", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc9\xff"]
        )
        return bomb * draw.choice([1, 50, 1100, 60_000])
    else:
        return draw.randbytes(draw.randint(0, 64))
    return bytes(body)


@pytest.mark.timeout(36_000)
def test_the_decoder_raises_one_error_only() -> None:
    draw = random.Random(5)
    refused = 0
    for _ in range(DECODED):
        body = hostile(draw)
        for decode in (decode_from_agent, decode_to_agent):
            try:
                message = decode(body)
            except WireError:
                refused += 1
            else:
                assert isinstance(message, wire.Message)
    assert refused > 0
    record("decoder fuzz", bodies=DECODED, refused=refused)


def test_a_length_bomb_costs_no_memory() -> None:
    for length in (0, LIMIT + 1, 2**32 - 1):
        reader = FrameReader(LIMIT)
        reader.feed(struct.pack(">I", length))
        with pytest.raises(WireError):
            reader.next()


# -- live ---------------------------------------------------------------------------------------------------------------------


def attacks(draw: random.Random, path: str, slow: list[socket.socket]) -> Iterator[str]:
    """One stranger's visit each; the names of what was tried. `slow`: connections that stay open, for the caller to close."""
    hello = wire.Hello(1, 1, "W1", "host", os.getpid(), ())
    while True:
        kind = draw.choice(["noise", "length", "old", "taken", "slow", "silent", "second", "body"])
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        try:
            sock.connect(path)
            if kind == "noise":
                sock.send(draw.randbytes(draw.randint(1, 200)))
            elif kind == "length":
                sock.send(struct.pack(">I", draw.choice([0, 4097, LIMIT, 2**32 - 1])) + b"x" * 50)
            elif kind == "old":
                sock.send(encode(wire.Hello(0, 0, "W1", "host", os.getpid(), ())))
            elif kind == "taken":
                sock.send(encode(hello))
            elif kind == "slow":
                sock.send(encode(hello)[: draw.randint(1, 8)])
                slow.append(sock)
                if len(slow) > 30:
                    slow.pop(0).close()
                yield kind
                continue
            elif kind == "second":
                sock.send(encode(wire.Done("W1_1_J1", 1, 1, {"dice": 9.0}, 1.0)))
            elif kind == "body":
                body = hostile(draw)
                sock.send(struct.pack(">I", len(body)) + body[:2000])
            sock.close()
        except OSError:
            sock.close()
        yield kind


@pytest.mark.timeout(36_000)
def test_strangers_do_not_disturb_honest_workers(tmp_path: Path) -> None:
    program = proof_run.write_program(tmp_path, "train:some_time", trials=10 if LIVE < 1000 else 24)
    draw = random.Random(6)
    sent = number = 0
    while sent < LIVE:
        number += 1
        folder = tmp_path / "runs" / str(number)
        with subprocess.Popen(proof_run.command(program, folder), env=proof_run.environment()) as scheduler:
            endpoint = _endpoint(folder, scheduler)
            slow: list[socket.socket] = []
            visits = attacks(draw, endpoint, slow)
            while scheduler.poll() is None and sent < LIVE:
                next(visits)
                sent += 1
            assert scheduler.wait(900) == 0
            for sock in slow:
                sock.close()
        facts = proof_run.stored(folder)
        # Not one attempt was lost, and no score is a stranger's.
        assert not [fact for fact in facts if fact["f"] == "AttemptEnded"]
        assert all(max(fact["scores"]) <= 1.0 for fact in facts if fact["f"] == "Ended")
        assert proof_run.judged(folder, facts_trials(program)) == []
    record("live fuzz", visits=sent, runs=number)


def facts_trials(program: Path) -> int:
    from automl_run.dsl.ir import Program

    return Program.from_bytes(program.read_bytes()).study.budget.trials or 0


def _endpoint(folder: Path, scheduler: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + 300
    while time.monotonic() < until and scheduler.poll() is None:
        try:
            path = str(json.loads((folder / "endpoint.json").read_text(encoding="utf-8"))["socket"])
        except (OSError, ValueError, KeyError):
            os.sched_yield()
            continue
        if Path(path).exists():
            return path
    raise AssertionError("the scheduler does not listen")
