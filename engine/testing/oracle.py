"""Judges a recorded run. It shares no code with the engine: it reads plain values, and knows the contract only.

    journal   every stored fact as a dictionary, its kind under "f", oldest first; RunStarted has the budget's `trials`,
              how many `repetitions` each recommendation gets, and the `pruner` with its arguments, `metric` and `direction`
    events    what happened in the world, in order: {"e": kind, "at": seconds, ...}

Kinds of events: start, report, outcome, end (of an attempt's processes: job, fence, pid); send (what a scheduler told an agent, and
how many rows of the journal were safe then); observe (what a controller was shown); agent ended; power loss.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from .oracle_of_pruners import pruned

Record = dict[str, Any]

#: An attempt that no longer counts is gone after this: its request to stop, the grace, the signals, and a paused agent.
GRACE_S = 70.0
MAX_ATTEMPTS = 3
RETRIED = ("preempted", "lost", "gpu_error")


def judge(journal: Sequence[Record], events: Sequence[Record], left: Sequence[str], ended: bool, table: Record) -> list[str]:
    """What is wrong, each line with its invariant; [] when nothing is."""
    wrong: list[str] = []
    wrong += _acknowledged(journal, events)
    wrong += _ends(journal, ended)
    wrong += _repetitions(journal, ended)
    wrong += pruned(journal)
    wrong += _fences(journal)
    wrong += _devices(events)
    wrong += _reports(journal, events)
    wrong += _results(journal, events)
    wrong += _finished(journal, events)
    wrong += _processes(journal, events, left)
    wrong += _observations(journal, events, ended)
    wrong += _table(journal, table, ended)
    return wrong


def judge_stored(journal: Sequence[Record], ended: bool) -> list[str]:
    """What the journal of a real run says by itself: no events were recorded there."""
    return [*_ends(journal, ended), *_repetitions(journal, ended), *_fences(journal), *_gaps(journal)]


def judge_end_only(journal: Sequence[Record], left: Sequence[str], ended: bool) -> list[str]:
    """What a look at the end alone would find: the measure of what the rest is worth."""
    wrong = [] if ended else ["the run never ended"]
    done = [fact["job"] for fact in journal if fact["f"] == "Ended"]
    named = {fact["job"] for fact in journal if fact["f"] == "Assigned"}
    if ended and set(done) != named:
        wrong.append("a job has no outcome")
    return wrong + (["processes are left"] if left else [])


def _seqs(journal: Sequence[Record]) -> dict[tuple[str, int], int]:
    """The newest message of each attempt that these facts account for."""
    found: dict[tuple[str, int], int] = defaultdict(int)
    for fact in journal:
        if "seq" in fact:
            key = fact["job"], fact["fence"]
            found[key] = max(found[key], fact["seq"])
    return found


def _acknowledged(journal: Sequence[Record], events: Sequence[Record]) -> Iterator[str]:
    """I1: what was acknowledged, or acted on, was durable then, and is still."""
    at: dict[tuple[str, int, int], int] = {}
    assigned: dict[tuple[str, int], int] = {}
    for row, fact in enumerate(journal, start=1):
        if "seq" in fact:
            at.setdefault((fact["job"], fact["fence"], fact["seq"]), row)
        if fact["f"] == "Assigned":
            assigned[fact["job"], fact["fence"]] = row
    for event in events:
        if event["e"] != "send":
            continue
        told = event["told"]
        if told["t"] == "Ack":
            durable = at.get((told["job"], told["fence"], told["seq"]))
        elif told["t"] == "Assign":
            durable = assigned.get((told["job"], told["fence"]))
        else:
            continue
        if durable is None or durable > event["rows"]:
            yield f"I1: {told['t']} of {told['job']}, attempt {told['fence']}, was sent before it was durable"


def _ends(journal: Sequence[Record], ended: bool) -> Iterator[str]:
    """I2: every job ends exactly once, and nothing follows."""
    over: set[str] = set()
    named: set[str] = set()
    trials, made = math.inf, 0
    for fact in journal:
        trials = fact["trials"] if fact["f"] in ("RunStarted", "TrialsSet", "BudgetSet") else trials
        made += fact["f"] == "Recommended"
        if made > trials:
            yield f"I2: {made} recommendations, the budget is {trials}"
    for fact in journal:
        name = fact.get("job")
        if name is None:
            continue
        named.add(name)
        if name in over:
            yield f"I2: {name} had ended, then came {fact['f']}"
        if fact["f"] == "Ended":
            over.add(name)
            if fact["state"] not in ("done", "failed", "stopped", "infeasible"):
                yield f"I2: {name} ended as {fact['state']}"
            if fact["state"] in ("failed", "infeasible") and fact["scores"] is not None:
                yield f"I2: {name} {fact['state']} with a score"
    if not ended:
        yield "I2: the run never came to its end"
    elif named != over:
        yield f"I2: {sorted(named - over)} never ended"


def _repetitions(journal: Sequence[Record], ended: bool) -> Iterator[str]:
    """I2: a recommendation with several jobs has one outcome, after all of theirs, and it is their mean."""
    wanted = journal[0].get("repetitions", 1) if journal else 1
    jobs: dict[int, list[str]] = defaultdict(list)
    ends: dict[str, Record] = {}
    over: dict[int, str] = {}
    cut: dict[int, str] = {}
    for fact in journal:
        kind, index = fact["f"], fact.get("index")
        if kind == "Assigned":
            known = jobs[fact["index"]]
            if fact["job"] in known:
                if index in cut:
                    yield f"I2: {fact['job']} was tried again, and recommendation {index} was decided without it"
                continue
            if index in cut or index in over:
                yield f"I2: {fact['job']} was started for recommendation {index}, which was decided"
            if fact.get("repetition", 0) != len(known) or len(known) >= wanted:
                yield f"I2: recommendation {index} has {len(known)} jobs, and {fact['job']} is its number {fact.get('repetition')}"
            known.append(fact["job"])
        elif kind == "Ended":
            ends[fact["job"]] = fact
        elif kind == "Cut":
            cut[fact["index"]] = fact["state"]
        elif kind == "Concluded":
            if fact["index"] in over:
                yield f"I2: recommendation {index} ended twice"
            over[fact["index"]] = fact["state"]
            mine = [ends.get(name) for name in jobs[fact["index"]]]
            if None in mine or (index not in cut and len(mine) != wanted):
                yield f"I2: recommendation {index} ended before its jobs"
            states = [end["state"] for end in mine if end is not None]
            if (fact["state"] == "done") != (states == ["done"] * wanted):
                yield f"I2: recommendation {index} is {fact['state']}, its jobs are {states}"
            if fact["state"] == "done" and states == ["done"] * wanted:
                means = [math.fsum(column) / wanted for column in zip(*(end["scores"] for end in mine if end), strict=True)]
                if any(abs(mean - score) > 1e-12 for mean, score in zip(means, fact["scores"] or [], strict=True)):
                    yield f"I2: recommendation {index} has {fact['scores']}, its jobs come to {means}"
            elif fact["state"] in ("failed", "infeasible") and fact["scores"] is not None:
                yield f"I2: recommendation {index} {fact['state']} with a score"
    for index, names in jobs.items() if wanted > 1 and ended else ():
        whole = len(names) == wanted and all(ends.get(name, {}).get("state") == "done" for name in names)
        if index not in over and (index in cut or whole):
            yield f"I2: recommendation {index} never ended"


def _fences(journal: Sequence[Record]) -> Iterator[str]:
    """I3: fences increase; only the newest attempt speaks; and only what may be tried again is."""
    newest: dict[str, int] = {}
    lost: dict[str, int] = defaultdict(int)
    worker_of: dict[str, str] = {}
    index_of: dict[tuple[int, int], str] = {}
    seeds: dict[str, int] = {}
    for fact in journal:
        name = fact.get("job")
        if fact["f"] == "Assigned":
            if seeds.setdefault(fact["job"], fact["seed"]) != fact["seed"]:
                yield f"I3: {name} was tried again with another seed"
            if fact["fence"] <= newest.get(name or "", 0):
                yield f"I3: {name} was assigned again with fence {fact['fence']}"
            newest[fact["job"]] = fact["fence"]
            if fact["worker"] in worker_of.values():
                yield f"I4: {fact['worker']} was given {name} while it had another job"
            worker_of[fact["job"]] = fact["worker"]
            if index_of.setdefault((fact["index"], fact.get("repetition", 0)), fact["job"]) != name:
                yield f"I2: recommendation {fact['index']} became two jobs"
            if lost[fact["job"]] >= MAX_ATTEMPTS:
                yield f"I3: {name} was tried more than {MAX_ATTEMPTS} times"
        elif name is not None:
            if fact["fence"] != newest.get(name):
                yield f"I3: {fact['f']} of {name} has fence {fact['fence']}, the newest is {newest.get(name)}"
            if fact["f"] == "AttemptEnded":
                lost[name] += fact["counted"]
                if fact["cause"] not in RETRIED:
                    yield f"I3: {name} is tried again after {fact['cause']}"
            if fact["f"] in ("AttemptEnded", "Ended"):
                worker_of.pop(name, None)


def _devices(events: Sequence[Record]) -> Iterator[str]:
    """I4: no GPU in two live attempts, and no attempt twice at once."""
    holders: dict[int, int] = {}
    live: dict[int, tuple[str, int]] = {}
    for event in events:
        if event["e"] == "start":
            key = event["job"], event["fence"]
            if key in live.values():
                yield f"I4: attempt {event['fence']} of {event['job']} runs twice"
            live[event["pid"]] = key
            for gpu in event["gpus"]:
                if gpu in holders:
                    yield f"I4: GPU {gpu} is in two live attempts"
                holders[gpu] = event["pid"]
        elif event["e"] == "end":
            live.pop(event["pid"], None)
            holders = {gpu: pid for gpu, pid in holders.items() if pid != event["pid"]}


def _gaps(journal: Sequence[Record]) -> Iterator[str]:
    """I5, as far as the journal alone tells."""
    heard: dict[tuple[str, int], int] = defaultdict(int)
    for fact in journal:
        if fact["f"] == "Reported":
            heard[fact["job"], fact["fence"]] += 1
            if fact["seq"] != heard[fact["job"], fact["fence"]]:
                yield f"I5: {fact['job']}, attempt {fact['fence']}, has message {fact['seq']}"


def _reports(journal: Sequence[Record], events: Sequence[Record]) -> Iterator[str]:
    """I5: the metrics of an attempt, without gaps, in order, and as the job gave them."""
    said: dict[tuple[str, int], list[Record]] = defaultdict(list)
    # What a dead agent had not passed on is lost, but for what result.json says of it.
    from_disk = {(event["job"], event["fence"]) for event in events if event["e"] == "read from the disk"}
    for event in events:
        if event["e"] == "report":
            said[event["job"], event["fence"]].append(event)
    heard: dict[tuple[str, int], int] = defaultdict(int)
    for fact in journal:
        if fact["f"] == "Reported":
            key = fact["job"], fact["fence"]
            heard[key] += 1
            if fact["seq"] != heard[key]:
                yield f"I5: {key} has message {fact['seq']} where {heard[key]} is due"
            elif heard[key] > len(said[key]):
                yield f"I5: {key} never said message {fact['seq']}"
            else:
                event = said[key][heard[key] - 1]
                if (event["step"], event["values"]) != (fact["step"], fact["values"]):
                    yield f"I5: {key} reported {event['values']} at {event['step']}, stored is {fact['values']}"
        elif fact["f"] == "Ended" and fact["state"] == "done":
            key = fact["job"], fact["fence"]
            if heard[key] != len(said[key]) and key not in from_disk:
                yield f"I5: {key} reported {len(said[key])} times, and {heard[key]} are stored"


def _results(journal: Sequence[Record], events: Sequence[Record]) -> Iterator[str]:
    """I2: the outcome of a job is that of an execution, the one with its fence."""
    seen: dict[tuple[str, int], Record] = {}
    best: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if event["e"] == "outcome":
            seen.setdefault((event["job"], event["fence"]), event)
        elif event["e"] == "report":
            for name, value in event["values"].items():
                best[event["job"], event["fence"]][name].append(value)
    for fact in journal:
        if fact["f"] != "Ended" or fact["state"] != "done":
            continue
        key = fact["job"], fact["fence"]
        outcome = seen.get(key)
        if outcome is None:
            yield f"I2: {key} is done, and nothing of it ran to its end"
        elif outcome["cause"] is not None:
            yield f"I2: {key} is done, and it failed with {outcome['cause']}"
        else:
            for name, value in outcome["values"].items():
                if fact["values"].get(name) != value:
                    yield f"I2: {key} gave {name} = {value}, stored is {fact['values'].get(name)}"
            if fact["scores"] is None or any(score != score for score in fact["scores"]):
                yield f"I2: {key} is done without a score"


def _finished(journal: Sequence[Record], events: Sequence[Record]) -> Iterator[str]:
    """I2: an attempt that ended well, its result safe on the disk, is not given up after that."""
    stored: dict[tuple[str, int], float] = {}
    written: list[tuple[int, float]] = []
    for event in events:
        if event["e"] == "stored" and event["cause"] is None and not event["stopped"]:
            stored[event["job"], event["fence"]] = event["at"]
        elif event["e"] == "written":
            written.append((event["rows"], event["at"]))
    for row, fact in enumerate(journal, start=1):
        if fact["f"] == "AttemptEnded" and (fact["job"], fact["fence"]) in stored:
            given_up = next((at for rows, at in written if rows >= row), 0.0)
            if stored[fact["job"], fact["fence"]] < given_up:
                yield f"I2: {fact['job']} had finished, and attempt {fact['fence']} was given up"


def _processes(journal: Sequence[Record], events: Sequence[Record], left: Sequence[str]) -> Iterator[str]:
    """I7: no process of a finished attempt lives on after its grace, and none at all after the end."""
    for name in left:
        yield f"I7: {name} is left at the end"
    over: dict[tuple[str, int], float] = {}
    newest: dict[str, int] = {}
    for fact in journal:
        if fact["f"] == "Assigned":
            old = newest.get(fact["job"])
            if old is not None:
                over.setdefault((fact["job"], old), fact["at"])
            newest[fact["job"]] = fact["fence"]
        elif fact["f"] == "Ended":
            over.setdefault((fact["job"], fact["fence"]), fact["at"])
    live: dict[int, tuple[str, int]] = {}
    for event in events:
        if event["e"] == "start":
            live[event["pid"]] = event["job"], event["fence"]
        elif event["e"] == "end":
            key = live.pop(event["pid"], None)
            if key is not None and key in over and event["at"] - over[key] > GRACE_S:
                yield f"I7: {key} ran on for {event['at'] - over[key]:.0f} s after it was over"
    for key in live.values():
        yield f"I7: {key} runs at the end"


def _observations(journal: Sequence[Record], events: Sequence[Record], ended: bool) -> Iterator[str]:
    """I8: in each life the controller sees each outcome once: in the order of the journal, or of the recommendations."""
    index_of = {fact["job"]: fact["index"] for fact in journal if fact["f"] == "Assigned"}
    repeated = bool(journal) and journal[0].get("repetitions", 1) > 1
    final = [fact for fact in journal if fact["f"] == ("Concluded" if repeated else "Ended")]
    arrival = [fact["index"] if repeated else index_of.get(fact["job"], -1) for fact in final]
    outcomes = {index: (fact["state"], fact["scores"]) for index, fact in zip(arrival, final, strict=True)}
    made = [fact["index"] for fact in journal if fact["f"] == "Recommended"]
    shown = [fact["count"] for fact in journal if fact["f"] == "Shown"]
    fixed = bool(shown)
    lives: dict[int, list[Record]] = defaultdict(list)
    # A life that ended before its first commit may have read what the disk then forgot; nobody has heard of it.
    counted = {event["life"] for event in events if event["e"] == "synced"}
    for event in events:
        if event["e"] == "observe" and event["life"] in counted:
            lives[event["life"]].append(event)
    for life, seen in lives.items():
        order = [event["index"] for event in seen]
        wanted = made if fixed else arrival
        if order != wanted[: len(order)]:
            yield f"I8: life {life} observed {order}, the order was {wanted[: len(order)]}"
        for event in seen:
            if outcomes.get(event["index"]) != (event["state"], event["scores"]):
                yield f"I8: life {life} observed {event['index']} as {event['state']} {event['scores']}"
    if fixed and any(later <= earlier for earlier, later in pairwise(shown)):
        yield "I8: an outcome was shown twice"
    newest = lives.get(max(lives, default=0), [])
    if ended and lives and not fixed and len(newest) < len(arrival):
        yield f"I8: the last life observed {len(newest)} of {len(arrival)} outcomes"


def _table(journal: Sequence[Record], table: Record, ended: bool) -> Iterator[str]:
    """I6: the engine's own replay says what the facts say."""
    if not ended:
        return
    jobs = {}
    for fact in journal:
        if fact["f"] == "Ended":
            jobs[fact["job"]] = [fact["state"], fact["scores"], fact["fence"]]
    if jobs != table["jobs"]:
        yield "I6: replay gives another table"
    if table["ended"] != len(jobs):
        yield f"I6: replay counts {table['ended']} outcomes of {len(jobs)}"


def differing_replays(events: Sequence[Record]) -> list[str]:
    return ["I6: the state in memory was not that of a replay"] if any(e["e"] == "replay differs" for e in events) else []
