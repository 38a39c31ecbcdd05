"""Registries: each entry of the shipped one under another name, with one place of it broken."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import yaml

from breaking import odd
from breaking.case import Case, Wrong, harness

FREE = (
    "notes",
    "title",
    "missing",
    "statement",
    "source",
    "reference",
    "params",
    "slots",
    "model.backbone",
    "model.options",
    "paper",
    "tune",
)
"""Where text is text, or what is in it is the plugin's or OpenMMLab's own business."""


def prepare(shared: Path) -> None:
    """Entries, as they are shipped."""
    (shared / "registry.json").write_text(
        json.dumps(yaml.safe_load(Path(__file__).parents[2].joinpath("registry.yaml").read_text()), default=str)
    )


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    shipped: dict[str, dict[str, Any]] = json.loads((shared / "registry.json").read_text())
    section = dice.choice(["benchmarks", "benchmarks", "benchmarks", "methods", "suites", "claims"])
    name = dice.choice([*shipped[section]])
    content = {section: {"mine": shipped[section][name]}}
    file, must, where = folder / "registry.yaml", "either", ""
    if dice.random() < 0.15:
        how = dice.choice([*odd.BYTES, *odd.HARMLESS])
        data = yaml.safe_dump(content).encode()
        file.write_bytes((odd.BYTES.get(how) or (lambda _, data: odd.HARMLESS[how](data)))(dice, data))
        must = "pass" if how in odd.HARMLESS else "either"
    elif dice.random() < 0.1:
        how, text = dice.choice(
            [
                ("aliases of aliases",
                "a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24))),
                ("a key that is a list", "methods: {? [a, b] : {title: A}}\n"),
                ("a merge of itself", "methods: &m {<<: *m}\n"),
                ("an alias of itself", "benchmarks: {mine: &a {family: classification, data: *a}}\n"),
                ("a tag of Python", "methods: !!python/object/apply:os.system ['touch pwned']\n"),
                ("deep", "methods: " + "{a: " * 2000 + "}" * 2000),
            ]
        )  # fmt: skip
        file.write_text(text)
        must = "refuse"
    else:
        how, where, before, after = odd.tree(dice, content[section]["mine"])
        hopeless = any(after is some for some in odd.HOPELESS)
        if how == "value" and hopeless and not where.startswith(FREE):
            number = odd.is_number(before) or isinstance(before, bool)
            if number or (isinstance(before, str) and not isinstance(after, str)):
                must = "refuse"
        where += "" if after is ... else f" {odd.shown(after)}"
        file.write_text(yaml.safe_dump(content, allow_unicode=True) if how != "deep" else "methods: " + "[" * 3000 + "]" * 3000)

    def act() -> bool:
        said = harness("list", section, "--json")
        if Path("pwned").exists():
            raise Wrong("it ran code")
        if said.refused:
            return False
        rows = {row["id"]: row for row in json.loads(said.out)["rows"]}
        harness("list", section)
        if section == "benchmarks":
            harness("data", "list")
            if (rows.get("mine") or {}).get("error"):
                if not harness("run", "-b", "mine", "-m", "identity", "--dry-run").refused:
                    raise Wrong(f"listed as malformed ({rows['mine']['error']}), and run")
                return False
            ran = harness("run", "-b", "mine", "-m", dice.choice(["identity", "gap", "gc-block"]), "--dry-run")
            return "mine" in rows and (not ran.refused or _lacks(ran.err))
        if section == "methods":
            ran = [harness("run", "-b", bench, "-m", "mine", "--dry-run") for bench in ("scenes-classification", "scenes-segmentation")]
            return "mine" in rows and (not all(one.refused for one in ran) or all(_lacks(one.err) for one in ran))
        if section == "suites":
            return not harness("run", "-s", "mine", "--dry-run").refused
        return not harness("claims").refused

    return Case(f"{section}: {how} {where}", must, act)


def _lacks(said: str) -> bool:
    """Whether the entry itself is right, and something is not here."""
    return any(
        words in said
        for words in ("--data-root", "no dataset", "fits no slot", "planned, not implemented", "is not in", "no file at", "waits for")
    )
