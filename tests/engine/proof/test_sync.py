"""The journal is on the disk before anything is acknowledged: seen from outside, in the system calls of a real scheduler."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import proof_run
import pytest
from proof_scale import record

STRACE = shutil.which("strace")
_CALL = re.compile(r"^(?P<pid>\d+)\s+(?P<name>\w+)\((?P<fd>\d+)<(?P<path>[^>]*)>")


def can_trace(tmp_path: Path) -> bool:
    if STRACE is None:
        return False
    done = subprocess.run([STRACE, "-o", str(tmp_path / "probe"), "true"], capture_output=True, check=False)
    return done.returncode == 0


def test_the_wal_is_synced_between_receipt_and_ack(tmp_path: Path) -> None:
    if not can_trace(tmp_path):
        pytest.skip("strace is missing or may not trace here")
    program = proof_run.write_program(tmp_path, trials=4)
    folder, log = tmp_path / "runs" / "a", tmp_path / "trace"
    traced = "trace=pwrite64,write,fdatasync,fsync,sendto,recvfrom"
    command = [str(STRACE), "-y", "-s", "16384", "-e", traced, "-o", str(log), *proof_run.command(program, folder)]
    assert subprocess.run(command, env=proof_run.environment(), timeout=600, check=False).returncode == 0
    unsynced = False
    acks = syncs = 0
    heard = 0
    for line in log.read_text(errors="replace").splitlines():
        name, _, rest = line.partition("(")
        name = name.split()[-1]
        if name in ("pwrite64", "write") and "journal.db-wal" in rest.partition(",")[0]:
            unsynced = True
        elif name in ("fdatasync", "fsync") and "journal.db-wal" in rest:
            unsynced = False
            syncs += 1
        elif name == "recvfrom" and ("Metric" in rest or "Done" in rest):
            heard = syncs
            awaiting = True
        elif name == "sendto" and "Ack" in rest:
            acks += 1
            assert not unsynced, "an acknowledgement left while the journal was not synced"
            assert syncs > heard or not awaiting, "no sync between receipt and acknowledgement"
            awaiting = False
    assert acks >= 4
    assert syncs >= 4
    record("strace", acks=acks, syncs=syncs)
