"""Does the engine keep its limits, and how many jobs a second does it hand out beside dask.distributed and Ray?

    python benchmarks/bench_engine.py [--json] [--quick] [--peers PYTHON]

The limits ("gates") are measured one by one, each in a process of its own:

recovery        reading the journal and rebuilding state and controller, 100,000 facts         < 2 s
left behind     processes of a run of real processes, 10 s after its end                       0
CPU             of the scheduler, per no-op job with real agents, the controller's own apart   <= 2 ms
connections     resident memory of a scheduler with 1,000 agents connected                     < 100 MiB
growth          of the scheduler's memory over 10,000 jobs                                     <= 60 MiB

Jobs a second: closed loops of no-op jobs, everything on this host. `processes`: what a study gets, each job in processes of its
own, its result on the disk. `threads`: the scheduler alone, with its journal and its sockets, and agents that answer at once; that
is what compares with the peers, whose tasks get no process, no folder and nothing that survives a kill.

`--peers`: the Python that has dask.distributed and Ray installed; they are no dependencies of this project.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path

NO_OP = "def trial(params, report):\n    return params['lr']\n"

DASK = """
import json, sys, time
from distributed import Client, LocalCluster, as_completed
def main(n, slots):
    with LocalCluster(n_workers=slots, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.submit(float, 0).result()
        began = time.perf_counter()
        pool = as_completed([client.submit(float, i, pure=False) for i in range(slots)])
        given = slots
        for done in pool:
            done.result()
            if given < n:
                pool.add(client.submit(float, given, pure=False))
                given += 1
        print(json.dumps(n / (time.perf_counter() - began)))
if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
"""

RAY = """
import json, os, sys, time
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray
n, slots = int(sys.argv[1]), int(sys.argv[2])
ray.init(num_cpus=slots, include_dashboard=False, logging_level="error", log_to_driver=False)
@ray.remote
def job(x): return float(x)
ray.get([job.remote(0) for _ in range(slots)])
began = time.perf_counter()
waiting = [job.remote(i) for i in range(slots)]
given = slots
while waiting:
    done, waiting = ray.wait(waiting)
    ray.get(done)
    if given < n:
        waiting.append(job.remote(given))
        given += 1
print(json.dumps(n / (time.perf_counter() - began)))
"""


@dataclass(frozen=True)
class Gate:
    name: str
    value: float
    unit: str
    limit: float

    @property
    def kept(self) -> bool:
        return self.value <= self.limit


# -- parts that run in a process of their own: each prints one JSON value ---------------------------------------------------


def _program(base: Path, trials: int, workers: int):  # type: ignore[no-untyped-def]
    from automl_run.dsl import ir

    (base / "noop_job.py").write_text(NO_OP)
    study = ir.Study(
        name="bench",
        target=ir.Spec("Python", {"function": "noop_job:trial"}),
        objectives=(ir.Objective("dice", "maximize"),),
        controller=ir.Spec("Random"),
        budget=ir.Budget(trials=trials),
        workers=(ir.Worker(),) * workers,
    )
    lr = ir.Param("lr", ir.Real(0.0, 1.0), ("train.lr",), (0.5,))
    return ir.Program(study, (lr,), ir.MapNode({"lr": ir.Read("lr")}), digest="d", base_dir=str(base))


def recovery(base: Path, jobs: int) -> dict[str, float]:
    """Seconds by the wall and of CPU, each the least of three."""
    from automl_run.engine.controllers.registry import make_controller
    from automl_run.engine.core import facts
    from automl_run.engine.core.apply import replay
    from automl_run.engine.journal import Journal
    from automl_run.engine.restore import restore

    program = _program(base, jobs, 2)
    history: list[facts.AnyFact] = [
        facts.RunStarted("r", "d", program.to_bytes(), 1.0),
        facts.WorkersSet((facts.NamedWorker("W1", (), 1), facts.NamedWorker("W2", (), 1))),
        facts.EpochStarted(1, 1.0),
    ]
    for i in range(1, jobs + 1):
        name, worker = f"W{1 + i % 2}_{i}_J{i}", f"W{1 + i % 2}"
        history += [facts.Recommended(i, {"lr": i / jobs}, (i,)), facts.Assigned(name, i, i, worker, 1, i, float(i))]
        history.append(facts.Accepted(name, 1, i))
        history += [facts.Reported(name, 1, seq, seq, {"dice": 0.5}) for seq in range(1, 7)]
        history.append(facts.Ended(name, 1, 7, "done", (0.5,), {"dice": 0.5}, None, "", None, "", 1.0, float(i)))
    store = Journal.create(base, history)
    store.close()
    del history
    took, cpu = [], []
    for _ in range(3):
        began, cpu_began = time.perf_counter(), time.process_time()
        store = Journal.open(base)
        stored = list(store.facts())
        state = replay(stored)
        restore(make_controller(program), stored, state)
        took.append(time.perf_counter() - began)
        cpu.append(time.process_time() - cpu_began)
        store.close()
        assert state.ended == jobs
    return {"s": min(took), "cpu_s": min(cpu)}


def processes(base: Path, jobs: int, workers: int) -> dict[str, float]:
    """A run of real processes in this one: jobs a second, the scheduler's CPU per job, what is left 10 s after it."""
    from automl_run.engine.controllers.base import Recommendation
    from automl_run.engine.controllers.random_search import RandomSearch
    from automl_run.engine.run import RunOptions, run_study

    program = _program(base, jobs, workers)
    first: list[tuple[float, float]] = []
    drawing: list[float] = []
    recommend = RandomSearch.recommend

    def timed(self: RandomSearch, n: int) -> list[Recommendation]:
        begin = _cpu_s()
        try:
            return recommend(self, n)
        finally:
            drawing.append(_cpu_s() - begin)

    RandomSearch.recommend = timed  # type: ignore[method-assign]

    def observer(event: object) -> None:
        if not first and type(event).__name__ == "JobEnded":
            first.append((time.perf_counter(), _cpu_s()))

    result = run_study(program, RunOptions(run_id="a"), observer)
    took, cpu = time.perf_counter() - first[0][0], _cpu_s() - first[0][1]
    assert result.exit_code == 0
    time.sleep(10)
    left = sum(str(result.folder).encode() in _command_line(pid) for pid in os.listdir("/proc") if pid.isdecimal())  # noqa: PTH208
    return {"per_s": (jobs - 1) / took, "cpu_ms": 1000 * (cpu - sum(drawing[1:])) / (jobs - 1), "left": left}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _command_line(pid: str) -> bytes:
    try:
        return b"" if int(pid) == os.getpid() else Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _resident_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def threads(base: Path, jobs: int, workers: int) -> dict[str, float]:
    """The scheduler with agents that are threads of its process: jobs a second, and the growth of its memory."""
    from automl_run.engine.run import RunOptions, run_study
    from automl_run.engine.testing.in_process import ThreadLauncher

    marks: list[tuple[float, float]] = []
    ended = 0

    def observer(event: object) -> None:
        nonlocal ended
        if type(event).__name__ == "JobEnded":
            ended += 1
            # The first and the last: what the summary of the whole takes at the end is not the scheduler's.
            if ended in (1, jobs):
                marks.append((time.perf_counter(), _resident_mib()))

    launcher = lambda folder: ThreadLauncher(folder, lambda assign, report: {"dice": 0.5})  # noqa: E731
    result = run_study(_program(base, jobs, workers), RunOptions(run_id="a", launcher=launcher), observer)
    assert result.exit_code == 0
    (began, before), (over, after) = marks
    return {"per_s": (jobs - 1) / (over - began), "growth_mib": after - before}


class _Elsewhere:
    """An agent that another process plays: it only has to be connected."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0)
        self.pid = 1

    def ended(self) -> int | None:
        return None

    def signal(self, number: int) -> None:
        pass

    def wait(self, timeout_s: float) -> bool:
        return True

    def close(self) -> None:
        os.close(self.fd)


class _Launcher:
    def __init__(self, folder: Path) -> None:
        pass

    def start(self, worker: str, spec: object) -> _Elsewhere:
        return _Elsewhere()

    def adopt(self, worker: str, spec: object) -> None:
        return None

    def end_survivors(self, adopted: Collection[str]) -> None:
        pass

    def log_tail(self, worker: str) -> str:
        return ""


def connections(base: Path, number: int) -> float:
    """Resident MiB of a scheduler when `number` agents have connected and have a job."""
    import signal

    from automl_run.engine.run import RunOptions, run_study

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    folder = base / "runs" / "a"
    seen: list[float] = []

    def observer(event: object) -> None:
        if type(event).__name__ == "JobStarted":
            seen.append(_resident_mib())
            if len(seen) == number:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    clients = subprocess.Popen([sys.executable, __file__, "--part", "clients", str(folder), str(number)])
    try:
        run_study(_program(base, number, number), RunOptions(run_id="a", launcher=_Launcher), observer)
    finally:
        clients.kill()
        clients.wait()
    assert len(seen) >= number, f"{len(seen)} of {number} agents have a job"
    return seen[-1]


def clients(folder: Path, number: int) -> None:
    from automl_run.engine.wire import messages as wire
    from automl_run.engine.wire.frames import encode

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    endpoint = folder / "endpoint.json"
    while not endpoint.exists():
        time.sleep(0.05)
    path = json.loads(endpoint.read_text())["socket"]
    selector = selectors.DefaultSelector()
    for i in range(1, number + 1):
        sock = socket.socket(socket.AF_UNIX)
        while True:
            try:
                sock.connect(path)
                break
            except (BlockingIOError, ConnectionRefusedError, FileNotFoundError):
                time.sleep(0.01)
        sock.sendall(encode(wire.Hello(1, 1, f"W{i}", "host", i, ())))
        selector.register(sock, selectors.EVENT_READ)
        if i % 50 == 0:
            time.sleep(0.05)
    threading.Event().wait()


# -- the whole -------------------------------------------------------------------------------------------------------------


def part(*words: str, python: str = sys.executable) -> object:
    with tempfile.TemporaryDirectory(prefix="bench_engine_") as base:
        command = [python, __file__, "--part", words[0], base, *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
    return json.loads(done.stdout.splitlines()[-1])


def peer(python: str, script: str, module: str, jobs: int, slots: int) -> float | None:
    """Jobs a second; None where it is not installed."""
    if python == sys.executable and importlib.util.find_spec(module) is None:
        return None
    done = subprocess.run(
        [python, "-W", "ignore", "-c", script, str(jobs), str(slots)], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode != 0:
        print(f"{module}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return float(done.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything; the limits stay")
    parser.add_argument("--peers", default=sys.executable, help="the Python that has dask.distributed and Ray")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        return _run_part(options.part)
    scale = 10 if options.quick else 1
    real = part("processes", str(400 // scale), "2")
    alone = part("threads", str(10_000 // scale), "2")
    back = part("recovery", "10000")
    assert isinstance(real, dict)
    assert isinstance(alone, dict)
    assert isinstance(back, dict)
    gates = [
        Gate("recovery of 100,000 facts", back["s"], "s", 2.0),
        Gate("the same, CPU time", back["cpu_s"], "s", 2.0),
        Gate("processes left 10 s after the end", real["left"], "", 0),
        Gate("scheduler CPU per job", real["cpu_ms"], "ms", 2.0),
        Gate("scheduler with 1,000 connections", float(str(part("connections", str(1000)))), "MiB", 100.0),
        Gate(f"growth over {10_000 // scale:,} jobs", alone["growth_mib"], "MiB", 60.0 / scale),
    ]
    rates = {
        "ours, processes, 2 workers": real["per_s"],
        "ours, threads, 2 workers": alone["per_s"],
        "dask.distributed, 2 workers": peer(options.peers, DASK, "distributed", 2000 // scale, 2),
        "Ray tasks, 2 CPUs": peer(options.peers, RAY, "ray", 2000 // scale, 2),
    }
    host = {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version(), "load": os.getloadavg()}
    if options.json:
        print(json.dumps({"gates": [asdict(gate) for gate in gates], "jobs_per_s": rates, "host": host}))
    else:
        print(host)
        print("\n| limit | measured | allowed | kept |\n|-|-|-|-|")
        for gate in gates:
            print(f"| {gate.name} | {gate.value:.3g} {gate.unit} | {gate.limit:g} {gate.unit} | {'yes' if gate.kept else 'NO'} |")
        print("\n| no-op jobs | a second |\n|-|-|")
        for name, rate in rates.items():
            print(f"| {name} | {'not installed' if rate is None else f'{rate:.0f}'} |")
    return 0 if all(gate.kept for gate in gates) else 1


def _run_part(words: list[str]) -> int:
    name, base, numbers = words[0], Path(words[1]), [int(word) for word in words[2:]]
    parts: dict[str, Callable[..., object]] = {
        "recovery": recovery,
        "processes": processes,
        "threads": threads,
        "connections": connections,
        "clients": clients,
    }
    print(json.dumps(parts[name](base, *numbers)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
