"""One rank of a job of several processes; torchrun starts it.

python -m automl_run.engine.agent.rank runs/a/W1_1_J3
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import os
import socket
import sys
from pathlib import Path

from automl_run.engine.wire.connection import Connection
from automl_run.engine.wire.frames import decode_to_agent
from automl_run.engine.wire.messages import Done, Failed, ToAgent

from .folders import read_job_spec
from .job import DUMP_SIGNAL, Place, run_job
from .processes import die_with_parent
from .ranks import SOCKET_VARIABLE


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m automl_run.engine.agent.rank", description="One rank of a job; for torchrun.")
    parser.add_argument("folder", type=Path, help="the folder of the job's attempt")
    folder = parser.parse_args(argv).folder
    die_with_parent(os.getppid())
    spec = read_job_spec(folder)
    if spec is None:
        parser.error(f"{folder} holds no job: there is no readable job.json")
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(os.environ[SOCKET_VARIABLE])
    channel: Connection[ToAgent] = Connection(sock, decode_to_agent)
    faulthandler.enable(2)
    faulthandler.register(DUMP_SIGNAL, 2, all_threads=True)
    sys.argv = [spec.job]
    for stream in (sys.stdout, sys.stderr):
        # The ranks' lines go into one log: each whole.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)
    place = Place(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    ending = run_job(spec, folder, channel, place=place)
    sys.stdout.flush()
    if ending.cause is None:
        channel.send(Done(spec.job, spec.fence, 0, ending.values, 0.0, ending.stopped))
        return 0
    channel.send(Failed(spec.job, spec.fence, 0, ending.cause, ending.message, ending.code, "", 0.0))
    # Only now is the group of processes left, so that the others, which fail of that, fail later. Not by way of the interpreter's
    # end: threads of a broken group may wait there.
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
