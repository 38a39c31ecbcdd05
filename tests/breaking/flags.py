"""Flags: every option of every verb with values of the wrong type, beyond all use, or of no sense. Nothing is run or served."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

from breaking import exports, odd
from breaking.case import Case, Wrong, harness

VERBS = (
    "list backbones", "list benchmarks", "list claims", "list methods", "list plugins", "list suites",
    "run -m gap -b scenes-classification --dry-run", "run -s quick --dry-run", "worker --max-trials 1 --for 1s", "status", "status 0",
    "evaluate w", "show w --image i.png", "leaderboard", "compare gap gem", "claims", "publish", "report",
    "baseline save b.json --leave-out", "check --baseline b.json", "history -b scenes-classification -m gap",
    "plugin new mine --slot pooling", "config gap scenes-classification", "data check tiny", "data list", "db backup x.db", "db current",
    "db export x.jsonl", "db import all.jsonl", "db upgrade",
)  # fmt: skip
NUMBERS = ("x", "", " ", "nan", "inf", "-inf", "1e999", "-1", "-0.0001", "9" * 400, "0x10", "1,5", "1 2", "1e30", "None", "[1]")
NAMES = (
    "",
    " ",
    "x" * 5000,
    "\x1b[31m",
    "a\nb",
    "ä",
    "../gap",
    "gap,gem",
    "-",
    "GAP",
    "\u202e",
    "'; DROP TABLE trials; --",
    "%s",
    "{}",
    "*",
    "0",
)
FILES = (
    "", "nowhere/x/y", "/proc/1/mem", "/dev/null/x", "a" * 300, "a\nb", "\x1b[31mx", "/", ".", "..", "~nobody-at-all/x", "/dev/full",
    "file", "fifo", "folder", "loop", "-", "file/x", "\u202ex", "/proc/self/mem",
)  # fmt: skip
URLS = (
    "", "x", "sqlite://", "sqlite:///", "sqlite:///.", "sqlite:///folder", "sqlite:///fifo", "sqlite:///loop", "sqlite:///file",
    "sqlite:////dev/null",
    "sqlite:///:memory:", "sqlite:///a?b=c", "sqlite:////proc/x/y.db", "postgresql://", "postgresql+psycopg://u:secret@127.0.0.1:1/x",
    "mysql://a/b",
    "postgresql+psycopg://u:secret@127.0.0.1:99999999/x", "sqlite:///a\nb.db", "http://x", "sqlite+pysqlite:///x.db?cache=shared",
    "sqlite:///" + "a" * 400,
    "postgresql+psycopg://127.0.0.1:1/x?connect_timeout=x", "sqlite:///nowhere/x.db", "://", "sqlite", "\x1b",
    "postgresql+asyncpg://u:secret@h/x",
)  # fmt: skip
SPECIAL = {"--db": URLS, "--set": (), "--tolerance": ("top1", "top1=", "=1", "top1=nan", "top1=inf", "top1=-1", "top1=1e999", "x=1",
    "top1=1=2"),
           "--for": (*NUMBERS, "1w", "1h30m", "0s", "0", "-1s", "1e3s", "99999999999999h"), "--device": (*NAMES, "cuda:", "cuda:-1",
           "cuda:99", "gpu"),
           "--port": NUMBERS, "--trials-per-gpu": (*NUMBERS, "autos", "257", "\u0663")}  # fmt: skip
KEYS = (
    "schedule.epochs", "schedule.lr", "schedule.batch_size", "schedule.weight_decay", "schedule.optimizer", "schedule.warmup",
    "model.backbone",
    "model.frozen", "model.weights", "model.block_at", "data.train", "data.size", "data.seed", "data.format", "data.val_share",
    "data.bits", "method.p",
    "method.gamma", "method.pooling", "method.plugin", "schedule", "data", "x", "", "schedule.", ".", "schedule..lr", "data.root",
    "primary", "family",
    "schedule.precision", "schedule.accumulate", "schedule.ema", "schedule.compile", "model.backbone.type", "model.mean", "model.std",
)  # fmt: skip
NEVER = (
    "schedule.epochs",
    "schedule.lr",
    "schedule.batch_size",
    "schedule.weight_decay",
    "data.train",
    "data.size",
    "data.seed",
    "data.val_share",
)
"""Keys whose value is a number."""


def prepare(shared: Path) -> None:
    """A store, its export, and a call of each verb."""
    exports.prepare(shared)
    assert harness("baseline", "save", shared / "b.json", "--leave-out", "--db", f"sqlite:///{shared}/results/harness.db").code == 0
    _verbs()


def _command(words: list[str]) -> Any:
    import click

    from harness.cli import main

    found: Any = main
    while isinstance(found, click.Group) and words:
        found = found.get_command(click.Context(main), words[0])
        words = words[1:]
    return found


def _verbs() -> dict[str, list[Any]]:
    return {verb: [param for param in _command(verb.split()).params if param.param_type_name == "option"] for verb in VERBS}


def _set(dice: random.Random) -> tuple[str, bool]:
    key = dice.choice(KEYS)
    if dice.random() < 0.1:
        return dice.choice(["=", "x", "", "a=b=c", "schedule.lr", "\x1b=1", "schedule.lr=&a [*a]",
        "schedule.lr=!!python/name:os.system", "method.p=" + "[" * 3000]), True  # fmt: skip
    values = (".nan", ".inf", "-.inf", "-1", "1e300", "1e-300", "x", "", "{}", "[]", "{a: 1}", "[[1]]", "true", "null", "9" * 400,
    "'1'", "2020-01-01", "\x1b", "0", "!!binary aGk=", "~", "1:30", "010", "&a 1", "*a", "[1, 2]", "@x", "%x")  # fmt: skip
    value = dice.choice(values)
    hopeless = value in (
        ".nan",
        ".inf",
        "-.inf",
        "1e300",
        "x",
        "",
        "{}",
        "[]",
        "{a: 1}",
        "[[1]]",
        "9" * 400,
        "2020-01-01",
        "-1",
        "true",
        "[1, 2]",
    )
    return f"{key}={value}", key in NEVER and hopeless


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    verb = dice.choice(VERBS)
    options = [
        param for param in _verbs()[verb] if param.opts[0] not in ("--launcher", "--config", "--forever", "--dry-run", "--plan-only")
    ]
    param = dice.choice([some for some in options if not getattr(some, "is_flag", False)] or options)
    name, kind, must = param.opts[0], type(param.type).__name__, "either"
    if name == "--set":
        value, hopeless = _set(dice)
        must = "refuse" if hopeless and "run" in verb else "either"
    elif name in SPECIAL:
        value = dice.choice(SPECIAL[name])
        must = "refuse" if name in ("--tolerance", "--for") and value != "x=1" else "either"
    elif kind in ("IntRange", "FloatRange"):
        value = dice.choice(NUMBERS)
        must = "refuse" if value not in ("1e30",) or kind == "IntRange" else "either"
    elif kind == "Path":
        value = dice.choice(FILES)
        must = "refuse" if name == "--plugin" and value != "/proc/1/mem" and value != "/proc/self/mem" else "either"
    elif getattr(param, "is_flag", False):
        value = dice.choice(NAMES)
        must = "refuse"
    else:
        value = dice.choice(NAMES)
        must = "refuse" if name in ("--family", "--format", "--slot", "--pareto", "--interval") else "either"
    (folder / "file").write_bytes(dice.choice([b"", b"x", b"\xff\xfe\0", b"[" * 9000]))
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    odd.os.mkfifo(folder / "fifo")
    shutil.copy(shared / "b.json", folder / "b.json")
    shutil.copy(shared / "all.jsonl", folder / "all.jsonl")
    shutil.copy(shared / "results/harness.db", folder / "h.db")
    (folder / "i.png").write_bytes(b"no picture")
    (folder / "registry.yaml").write_text(
        "benchmarks: {tiny: {family: classification, data: {format: synthetic, train: 8, test: 8, size: 32}}}"
    )
    words = [*verb.split(), name, value] if value != "--" else [*verb.split(), name]
    if name != "--db" and any(some.opts[0] == "--db" for some in _verbs()[verb]):
        words += ["--db", "sqlite:///h.db"]

    def act() -> bool:
        before = (folder / "h.db").read_bytes()
        said = harness(*words, codes=(0, 1, 2, 3, 4) if words[0] == "check" else (0, 2, 3, 4))
        if "secret" in said.out + said.err:
            raise Wrong(f"a password is shown: {said.err[:300]}")
        if said.code == 2 and words[0] not in ("db", "worker") and (folder / "h.db").read_bytes() != before:
            raise Wrong("refused, and the database changed")
        return not said.refused

    return Case(f"{verb} {name} {odd.shown(value)}", must, act)  # type: ignore[arg-type]
