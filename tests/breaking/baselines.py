"""Baselines: refused, or judged with an exit code that means something."""

from __future__ import annotations

import json
import random
from contextlib import chdir
from pathlib import Path

from breaking import exports, odd
from breaking.case import Case, harness

MORE = ((), ("--costs",), ("--json",), ("--junit", "j.xml"), ("--markdown", "m.md"), ("--calibrate", "100"))


def prepare(shared: Path) -> None:
    """A store, and a baseline saved from it."""
    exports.prepare(shared)
    db = f"sqlite:///{shared}/results/harness.db"
    assert harness("baseline", "save", shared / "b.json", "--leave-out", "--db", db).code == 0
    with chdir(shared):
        for more in MORE:
            assert not harness("check", "--baseline", shared / "b.json", "--db", db, *more, codes=(0, 1)).code


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    file, must, where = folder / "b.json", "either", ""
    data = (shared / "b.json").read_bytes()
    if dice.random() < 0.2:
        how = dice.choice([*odd.BYTES, *odd.HARMLESS])
        file.write_bytes((odd.BYTES.get(how) or (lambda _, data: odd.HARMLESS[how](data)))(dice, data))
        must = "pass" if how in odd.HARMLESS else "either"
    elif dice.random() < 0.1:
        file.write_bytes(data)
        how, must = odd.special(dice, file), "refuse"
    else:
        content = json.loads(data)
        how, where, before, after = odd.tree(dice, content)
        hopeless = any(after is some for some in odd.HOPELESS)
        if how == "value" and hopeless and odd.is_number(before) and not where.startswith("settings"):
            must = "refuse"
        if how == "value" and hopeless and isinstance(before, str) and not isinstance(after, str) and not where.startswith("settings"):
            must = "refuse"
        where += "" if after is ... else f" {odd.shown(after)}"
        file.write_text(odd.dumped(content))
    db = f"sqlite:///{shared}/results/harness.db"
    more = dice.choice(MORE)

    def act() -> bool:
        said = harness("check", "--baseline", file, "--db", db, *more, codes=(0, 1, 2, 3, 4))
        if "--json" in more and said.out.strip():
            exports.plain(said)
        if Path("j.xml").exists():
            from xml.etree import ElementTree

            ElementTree.parse("j.xml")
        return said.code != 2

    return Case(f"{how} {where}", must, act)
