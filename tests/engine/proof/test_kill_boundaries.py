"""SIGKILL of the real processes at every boundary between them and the world: the run is resumed, and nothing is lost or left."""

from __future__ import annotations

from pathlib import Path

import proof_run
import pytest
from proof_scale import SCALE, count, record

from automl_run.engine.testing.killed.boundaries import BOUNDARIES

REPEATS = count("PROOF_REPEATS", quick=1, proof=2, soak=20)
#: Few in every test run, all in the proof.
CHOSEN = sorted(BOUNDARIES) if SCALE != "quick" else ["agent spawn", "keeper result", "scheduler commit"]
#: What a process does once.
ONCE = {"agent connect", "keeper kills", "keeper result", "keeper stages", "scheduler best", "scheduler spawn"}
#: What an agent does once for each of its jobs: one of the two agents has three of the six.
PER_JOB = {"agent spawn", "agent reap", "agent hears the end"}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("boundary", CHOSEN)
def test_a_kill_at_this_boundary_loses_nothing(tmp_path: Path, boundary: str, when: str) -> None:
    if SCALE == "quick" and when == "before" and boundary != "keeper result":
        pytest.skip("one side of this boundary only; `make proof` has both")
    program = proof_run.write_program(tmp_path)
    for repeat in range(REPEATS):
        # The first occurrences are of the start, later ones of the middle of a run.
        number = 1 if boundary in ONCE else 1 + (2 * repeat) % (3 if boundary in PER_JOB else 5)
        folder, mark = tmp_path / "runs" / str(repeat), tmp_path / f"mark{repeat}"
        code = proof_run.to_the_end(program, folder, f"{boundary}|{when}|{number}|{mark}")
        assert mark.exists(), "nobody was killed: the boundary was not reached"
        assert proof_run.judged(folder, 6) == []
        assert code == 0
    record("kill at a boundary", boundary=boundary, when=when, repeats=REPEATS)
