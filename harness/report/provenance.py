"""What was run, when, where and by which code, and the commands that run it again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.analysis.board import Block, Board, Row
from harness.analysis.numbers import duration

if TYPE_CHECKING:
    from harness.store import TrialRow


@dataclass(frozen=True)
class Place:
    """Where trials ran, and by which code."""

    trials: int
    facts: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ran:
    """One block of the board."""

    anchor: str
    """Of its section."""
    name: str
    trials: tuple[tuple[str, tuple[tuple[int, str], ...]], ...]
    """(method, (seed, digest) of each trial)."""
    facts: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Head:
    """What stands above everything."""

    what: str
    when: str
    code: tuple[str, ...]
    """Revisions."""
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Provenance:
    head: Head
    places: tuple[Place, ...]
    blocks: tuple[Ran, ...]


def provenance(
    board: Board, trials: Iterable[TrialRow], environments: Mapping[str, Mapping[str, Any]], anchors: Mapping[Block, str]
) -> Provenance:
    """Of the trials behind a board.

    Args:
        trials: at least those of the board.
        environments: digest -> what is known of where a trial ran.
        anchors: where in the page each block is.
    """
    known = {trial.digest: trial for trial in trials}
    blocks = []
    used: dict[str, TrialRow] = {}
    for block, methods in board.blocks().items():
        firsts = [rows[0] for rows in methods.values()]
        mine = {digest: known[digest] for row in firsts for digest in row.digests if digest in known}
        used |= mine
        blocks.append(_ran(anchors.get(block, ""), firsts, [*mine.values()], environments))
    counted = Counter(trial.environment_digest or "" for trial in used.values())
    places = [_place(environments.get(digest, {}), count) for digest, count in counted.most_common()]
    about = [environments.get(digest, {}) for digest in counted]
    names = [{row.method for row in board.rows}, {row.benchmark for row in board.rows}]
    seconds = sum(trial.seconds or 0.0 for trial in used.values())
    head = Head(
        what=f"{_many(len(names[0]), 'method')} on {_many(len(names[1]), 'benchmark')}, {_many(len(used), 'trial')}, {duration(seconds)}",
        when=_when(used.values()),
        code=tuple(dict.fromkeys(filter(None, map(_revision, about)))),
        devices=tuple(dict.fromkeys(filter(None, map(_device, about)))),
    )
    return Provenance(head, tuple(places), tuple(blocks))


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _ran(anchor: str, rows: Sequence[Row], trials: Sequence[TrialRow], environments: Mapping[str, Mapping[str, Any]]) -> Ran:
    first = rows[0]
    revisions = dict.fromkeys(filter(None, (_revision(environments.get(trial.environment_digest or "", {})) for trial in trials)))
    facts = {
        "trials": f"{len(trials)}, {duration(sum(trial.seconds or 0.0 for trial in trials))}",
        "when": _when(trials),
        "code": ", ".join(revisions),
        "dataset": first.dataset,
        "setting": first.setting.digest,
    }
    listed = tuple((row.method, tuple(zip(row.seeds, row.digests, strict=True))) for row in rows)
    name = f"{first.benchmark} v{first.version}{f' · {first.differs}' if first.differs else ''}"
    return Ran(anchor, name, listed, tuple(facts.items()), tuple(_commands(rows, {trial.digest: trial.config_file for trial in trials})))


def _commands(rows: Sequence[Row], configs: Mapping[str, str]) -> Iterable[str]:
    """What measures a block again; methods with the same seeds and options together.

    Args:
        configs: digest of a trial -> the config file that is its benchmark; empty where a registry has it.
    """
    grouped: dict[tuple[int, tuple[str, ...], str], list[str]] = {}
    for row in rows:
        grouped.setdefault((max(row.seeds) + 1, row.overrides, configs.get(row.digests[0], "")), []).append(row.method)
    first = rows[0]
    tuning = first.setting.content.get("tuning") or {}
    for (count, overrides, file), methods in grouped.items():
        where = ["--config", file] if file else ["-b", first.benchmark]
        words = ["harness", "run", *where, *(word for method in methods for word in ("-m", method)), "--seeds", str(count)]
        words += [word for text in overrides for word in ("--set", text)]
        words += ["--tune", str(tuning["trials"]), "--tune-seeds", str(tuning["seeds"])] if tuning else []
        words += ["--data-root", "DIR"] if first.tier == "paper" else []
        yield shlex.join(words)


def _place(about: Mapping[str, Any], trials: int) -> Place:
    names = {
        "device": "device",
        "device_name": "GPU",
        "cuda": "CUDA",
        "driver": "driver",
        "cpu": "processor",
        "cpu_isa": "instructions",
        "platform": "system",
    }
    facts = {"code": _revision(about), **{title: about.get(name) for name, title in names.items()}, "numerics": about.get("numerics")}
    packages = about.get("packages") or {}
    return Place(
        trials,
        tuple((name, str(value)) for name, value in facts.items() if value not in (None, "")),
        tuple((str(name), str(version)) for name, version in sorted(packages.items())),
    )


def _revision(about: Mapping[str, Any]) -> str:
    version = str((about.get("packages") or {}).get("attention-harness", ""))
    sha = str(about.get("git_sha") or "")
    changed = " with uncommitted changes" if about.get("git_dirty") else ""
    return " ".join(filter(None, [f"attention-harness {version}" if version else "", f"at {sha[:12]}{changed}" if sha else ""]))


def _device(about: Mapping[str, Any]) -> str:
    return str(about.get("device_name") or about.get("cpu") or about.get("device") or "")


def _when(trials: Iterable[TrialRow]) -> str:
    """From the first start to the last end, in UTC."""
    times = [time for trial in trials for time in (trial.started, trial.finished) if time is not None]
    if not times:
        return "unknown"
    first, last = (datetime.fromtimestamp(time, UTC) for time in (min(times), max(times)))
    if first.date() == last.date():
        return f"{first:%Y-%m-%d %H:%M} to {last:%H:%M} UTC"
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
