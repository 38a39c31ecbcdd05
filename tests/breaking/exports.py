"""Exports: what is imported is exported again, line by line the same, and every reader can show it."""

from __future__ import annotations

import json
import random
import shutil
from contextlib import chdir
from pathlib import Path

from breaking import odd
from breaking.case import Case, Said, Wrong, harness

FREE = ("config", "environment")
"""Kinds of lines that hold what others wrote."""

READERS = (
    ("leaderboard",), ("leaderboard", "--format", "json"), ("leaderboard", "--format", "latex"), ("leaderboard", "--format", "md"),
    ("leaderboard", "--diagnostics"), ("leaderboard", "--format", "csv"), ("status",), ("status", "--json"), ("claims",),
    ("compare", "gap", "gem"), ("history", "-b", "scenes-classification", "-m", "gap"), ("baseline", "save", "b.json", "--leave-out"),
    ("report", "--out", "report.html"), ("publish", "--out", "published"), ("leaderboard", "--overall"),
)  # fmt: skip


def prepare(shared: Path) -> None:
    """A store of results, and its export."""
    from measuring import recorder

    measured = recorder(shared)
    measured("gap", 70.0, 72.0, 71.0, None)
    measured("gem", 80.0, 81.0, 83.5, device="a GPU")
    measured("simpool", 60.0, 61.0, sets=("schedule.epochs=3",))
    db = f"sqlite:///{shared}/results/harness.db"
    harness("db", "export", shared / "all.jsonl", "--db", db)
    with chdir(shared):
        for args in READERS:
            assert not harness(*args, "--db", db).refused, args


def look(db: str, dice: random.Random) -> None:
    """Readers on a database, some of them."""
    for args in dice.sample(READERS, 3):
        said = harness(*args, "--db", db)
        if args[-1] == "json" and said.code == 0:
            plain(said)


def plain(said: Said) -> None:
    """What is called JSON is."""

    def no(name: str) -> None:
        raise Wrong(f"{name} in JSON")

    json.loads(said.out, parse_constant=no)


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    text = (shared / "all.jsonl").read_text()
    file, must, where = folder / "in.jsonl", "either", ""
    if dice.random() < 0.2:
        how = dice.choice([*odd.BYTES, *odd.HARMLESS])
        file.write_bytes((odd.BYTES.get(how) or (lambda _, data: odd.HARMLESS[how](data)))(dice, text.encode()))
        must = "pass" if how in odd.HARMLESS else "either"
    elif dice.random() < 0.1:
        file.write_text(text)
        how = odd.special(dice, file)
        must = "refuse"
    else:
        rows = [json.loads(line) for line in text.splitlines()]
        number = dice.randrange(len(rows))
        match dice.randrange(10):
            case 0:
                del rows[number]
                how = "a line lost"
            case 1:
                rows.insert(dice.randrange(len(rows)), rows[number])
                how = "a line twice"
            case 2:
                dice.shuffle(rows)
                how = "shuffled"
            case _:
                kind = rows[number].get("kind", "head")
                how, where, before, after = odd.tree(dice, rows[number])
                where = f"{kind}.{where} {'' if after is ... else odd.shown(after)}"
                if how == "value" and odd.is_number(before) and any(after is some for some in odd.HOPELESS) and kind not in FREE:
                    must = "refuse"
                if where.startswith(("trial.numbers.metric", "trial.numbers.diagnostic", "floor.value")) and after == 1e300:
                    must = "either"  # what a method that diverged may have reached
        file.write_text("\n".join(map(odd.dumped, rows)) + "\n")
    db = f"sqlite:///{folder}/new.db"
    beside = dice.random() < 0.3
    if beside:
        shutil.copy(shared / "results/harness.db", folder / "new.db")

    def act() -> bool:
        before = _exported(db) if beside else None
        said = harness("db", "import", file, "--db", db)
        if said.refused:
            after = _exported(db) if beside or Path("new.db").exists() else None
            if beside and after != before:
                raise Wrong(f"refused, but not all of it: {said.err}")
            if not beside and after and len(after) > 1:
                raise Wrong(f"refused, and {len(after)} lines are there: {said.err}")
            return False
        first = _exported(db)
        (folder / "again.jsonl").write_text("\n".join(first) + "\n")
        if (again := harness("db", "import", "again.jsonl", "--db", f"sqlite:///{folder}/again.db")).refused:
            raise Wrong(f"what was taken is exported, and refused: {again.err}")
        if sorted(_exported(f"sqlite:///{folder}/again.db")) != sorted(first):
            raise Wrong("what was taken is another thing when exported and imported")
        look(db, dice)
        return True

    return Case(f"{how} {where}", must, act)


def _exported(db: str) -> list[str]:
    if (said := harness("db", "export", "out.jsonl", "--db", db)).refused:
        raise Wrong(f"what was taken cannot be exported: {said.err}")
    return Path("out.jsonl").read_text().splitlines()
