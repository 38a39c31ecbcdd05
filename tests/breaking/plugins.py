"""Plugin files: read by their syntax trees, so whatever they say, listing and planning neither run nor stumble over them."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

from breaking import odd, syntax
from breaking.case import Case, Wrong, harness

SHIPPED = Path(__file__).parents[2] / "plugins/harness_plugins"
ADDED = (
    "import os; os._exit(7)", "raise SystemExit", "while True: pass", "def f(" , "x = " + "(" * 3000, "x = " + "-" * 50_000 + "1",
    "@attention_method(slot='pooling')\nclass A: ...", "@attention_method('mine', slot=3)\nclass A: ...",
    "@attention_method(3, slot='pooling')\nclass A: ...",
    "@attention_method('mi ne', slot='pooling')\nclass A: ...", "@attention_method('mine', slot='pooling')\ndef f(): ...",
    "@attention_method('mine', slot='pooling')\nclass A: ...\n@attention_method('mine', slot='block')\nclass B: ...",
    "@attention_method('gap', slot='pooling')\nclass A: ...", "@attention_method(*x)\nclass A: ...", "@attention_method(**x)\nclass A: ...",
    "@attention_method('mine', slot='pooling', colour=3)\nclass A: ...", "@attention_method('mine', slot='nowhere')\nclass A: ...",
    "@attention_method('mine', slot='pooling')\nclass A:\n    def __init__(self, *, a: 'x y z' = 1): ...",
    "@attention_method\nclass A: ...",
    "@attention_method('mine', slot='pooling')\nclass A:\n    def __init__(self, a=float('nan'), b: int | None = ..., *c, **d): ...",
    "@attention_method(f'mi{1}', slot='pooling')\nclass A: ...", "@attention_method('m' * 10**9, slot='pooling')\nclass A: ...",
    "import nowhere_at_all",
    "from . import *", "from .... import x", "from mine import *", "\x1b[31m", "# -*- coding: klingon -*-", "'''" , "\t x = 1",
    "x = 0o9", "match x:\n case", "\ufeffx = 1",
    "@attention_method('mine', slot='pooling')\nclass A:\n    '''\x1b[31m \u202e docstring'''",
)  # fmt: skip


def prepare(shared: Path) -> None:
    """Shipped plugins, what is known of them, and imports."""
    (shared / "files").mkdir()
    files = sorted(SHIPPED.glob("*/*.py"))
    for number, file in enumerate(file for file in files if not file.name.startswith("_")):
        shutil.copy(file, shared / "files" / f"{number}.py")
    for args in (("list", "plugins"), ("list", "methods"), ("run", "-m", "gap", "-b", "scenes-classification", "--dry-run")):
        assert harness(*args, cache=shared / "cache").code == 0


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    place = dice.choice(["given", "plugins", "named"])
    file = folder / ("plugins/mine.py" if place == "plugins" else "mine.py")
    file.parent.mkdir(exist_ok=True)
    sound = dice.choice(sorted((shared / "files").iterdir())).read_text()
    if dice.random() < 0.8:
        sound = re.sub(r'(attention_method\(\s*")', r"\1my-", sound)
    draw = dice.random()
    if draw < 0.2:
        how = dice.choice([*odd.BYTES])
        file.write_bytes(odd.BYTES[how](dice, sound.encode()))
    elif draw < 0.27:
        file.write_text(sound)
        how = odd.special(dice, file)
    elif draw < 0.75:
        how, text = syntax.change(dice, sound)
        file.write_text(text, encoding="utf-8")
    else:
        how = dice.choice(ADDED)
        head = "from harness_plugins import attention_method\n" if dice.random() < 0.7 else ""
        file.write_text(head + how + "\n", encoding="utf-8")

    shutil.copytree(shared / "cache", folder / ".cache")  # or else all that are shipped would be imported anew

    def act() -> bool:
        from harness.catalog import verify

        verify.TIMEOUT = 30.0
        more = ("--plugin", "mine.py") if place == "given" else ()
        said = [
            harness("list", "plugins", *more),
            harness("list", "plugins", "--json", *more),
            harness("list", "methods"),
            harness("run", "-m", dice.choice(["mine", "gap"]), "-b", "scenes-classification", "--dry-run", *more),
        ]
        if place == "named":
            said.append(harness("run", "-b", "scenes-classification", "--plugin", "mine.py", "--dry-run"))
        if place == "plugins" and said[2].refused and "Rename one of them" not in said[2].err:  # of two of one name
            raise Wrong(f"one broken plugin hides all methods: {said[2].err}")
        return not said[-1].refused

    return Case(f"{place}: {how[:70]}", "either", act)
