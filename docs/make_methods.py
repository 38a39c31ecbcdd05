"""Write docs/methods.md from the registry, the plugins' docstrings and results/published.csv: python docs/make_methods.py

Pictures that are missing are drawn first; docs/make_method_pictures.py draws them anew.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plugin_docs import cell, documented, markdown, options, pictured, wrapped
from torch import nn

from harness import marks, paths, slots
from harness.benchmarks.hosts import standing
from harness.catalog import Catalog, Filling, Method, read_registry
from harness.catalog.plugins import discover, load, owners
from harness.openmmlab import setup

FOLDER = Path(__file__).parent
SIZES: dict[str, tuple[str, dict[str, Any]]] = {
    **{slot: ("d = 256", {"channels": 256}) for slot in ("pooling", "block", "context")},
    "encoder_attention": ("d = f = 256", {"dim": 256, "heads": 8, "ffn_dim": 256}),
    "position_encoding": ("d = 256, 8 heads", {"dim": 256, "heads": 8}),
    "attention_loss": ("any size", {}),
    "masking": ("any size", {}),
    "relation": ("C = 1024", {"channels": 1024}),
    "region_features": ("C = 256, 7 x 7 parts", {"channels": 256, "size": 7, "stride": 16}),
    "duplicate_removal": ("C = 1024", {"channels": 1024}),
    "detector": ("C = 2048, 80 classes", {"channels": (1024, 2048), "classes": 80}),
    "model": ("C = 256, 4 scenes", {"channels": (128, 256), "scenes": 4}),
}
"""Slot -> the size at which parameters are counted, in words and as arguments."""

SHOWN = 8
"""Published numbers of a method that are printed."""

HEAD = """# Methods

Written by `python docs/make_methods.py` from `registry.yaml`, the docstrings in `plugins/harness_plugins/` and
`results/published.csv`; do not edit by hand. The command line's view of the same is `harness list methods`.

B images, N = H·W positions, d or C channels, h heads. **works**: implemented here; **wraps**: an OpenMMLab class, named;
**waits**: implemented and tested, but no family of benchmarks offers its slot yet; **planned**: see what is missing. A method that
*also fits* another slot is put there without change: a block stands in a segmentation head, too. Parameters are counted by
building the method at the size given. Options are set in a registry entry, or with `--set method.OPTION=VALUE`.

**Complexity**: what one forward pass of an image multiplies, projections and convolutions included, and reading the map; factors that
no option changes are left out. A test evaluates each formula and compares its growth in N and d with the counted operations.

**Released weights.** A decode head of mmseg becomes one of this harness with `harness_plugins.context.released.from_mmseg`, for the
methods of its `NAMES` and with the options of its `SETTINGS`: each is compared with mmseg's base configuration as a whole.

**Pictures.** `python docs/make_method_pictures.py` trains every method alike: 15 epochs on 480 scenes of 224 pixels, label by the
ringed object, from frozen features of an ImageNet MobileNetV2 (14×14 positions, a convolution to 64 channels before the method,
average and linear layer behind it; encoder layers and what goes with them in pairs). So they show what a method attends to after
the same short training, not what it reaches at its best. Each map is scaled from its least to its greatest value, dark to
bright. Of pairwise attention, the row of one query, at the cross in the ringed object, and the mean over all queries, heads
averaged; where the keys are no positions (bases, classes, pooled maps), what each position takes from the one that varies most.
Gates and other maps with many channels are averaged. Masks come from the attention of `vit-cls` trained so; masked positions
are grey. Methods of a detector's slots are not drawn here; a trial draws relations as lines between boxes. A method without a picture
has no map, or a uniform one: its entry says which. The three images:

![Three scenes, each with one ringed object among others](pictures/methods/images.jpg)
"""


def build(slot: str, filling: Filling) -> Any:
    """The plugin at the size of :data:`SIZES`."""
    return slots.build(filling.plugin, filling.params, **SIZES[slot][1])


def count(built: Any) -> int:
    """Number of parameters; 0 for what is no module."""
    return sum(p.numel() for p in built.parameters()) if isinstance(built, nn.Module) else 0


def trained_apart(built: Any) -> Iterator[str]:
    """What a plugin has trained apart from the rest, in words."""
    for entry in marks.marks(built):
        kinds = (("learning rate", entry.lr_mult), ("weight decay", entry.decay_mult))
        changed = [f"no {kind}" if not value else f"{kind} × {value:g}" for kind, value in kinds if value != 1]
        yield f"{', '.join(f'`{name}`' for name in entry.names)}: {' and '.join(changed)}"


def training_options(built: Any) -> Iterator[str]:
    """Rows of the options that every plugin with named query and key projections has."""
    if names := getattr(built, "query_key", ()):
        which = f" (`{'`, `'.join(names)}`)"
        for name, meaning in marks.TRAINING.items():
            yield f"| `{name}` | float | `1.0` | {meaning.replace('projections', 'projections' + which, 1)} |"


BASELINES = {"seg-baseline-fcn": "identity", "hrnet-baseline": "identity"}
"""Published baselines that are a method here: the head without an attention module, on the benchmark with that backbone."""


def published() -> dict[str, list[dict[str, str]]]:
    """Method id -> its published numbers."""
    found: dict[str, list[dict[str, str]]] = {}
    with (paths.home() / "results" / "published.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            # the file calls what it was transcribed from a seed or a slide
            plain = {name: re.sub(r"\b(?:on slide|in (?:the )?seed(?: text)?)\b", "in the source", value) for name, value in row.items()}
            found.setdefault(BASELINES.get(row["method_id"], row["method_id"]), []).append(plain)
    return found


def numbers(rows: list[dict[str, str]]) -> str:
    """Published numbers as a table of at most :data:`SHOWN` rows, of as many datasets and metrics as there are."""
    seen: dict[tuple[str, str], int] = {}
    ranked = []
    for index, row in enumerate(rows):
        key = (row["dataset"], row["metric"])
        seen[key] = seen.get(key, -1) + 1
        # differences that a table prints beside its values come last
        ranked.append(("as printed" in row["metric"] + row["setting"], seen[key], index))
    lines, title = ["| published | dataset | backbone, setting | metric | value |", "|---|---|---|---|---|"], ""
    for index in sorted(index for *_, index in sorted(ranked)[:SHOWN]):
        row = rows[index]
        value = row["value"].removesuffix("%") + (row["unit"] if row["unit"] == "%" else f" {row['unit']}".rstrip())
        columns = ("dataset", "split_or_scene"), ("backbone", "setting")
        dataset, setting = (cell(", ".join(row[name] for name in pair if row[name])) for pair in columns)
        named = "" if row["table_title"] == title else cell(row["table_title"])
        title = row["table_title"]
        lines.append(f"| {named} | {dataset} | {setting} | {cell(row['metric'])} | {cell(value)} |")
    rest = len(rows) - SHOWN
    return "\n".join(lines) + (f"\n\nand {rest} more in `results/published.csv`." if rest > 0 else "")


def home(catalog: Catalog, plugin: str) -> Method:
    """The method under which a plugin is described in full: the first that consists of it alone, or uses it."""
    users = [m for m in catalog.methods.values() if any(filling.plugin == plugin for filling in m.slots.values())]
    return next((m for m in users if len(m.slots) == 1), users[0])


def citation(method: Method) -> str:
    """Authors, title, venue and links."""
    if (paper := method.paper) is None:
        return ""
    parts = [f"{paper.authors}: *{paper.title}*", paper.venue]
    if paper.arxiv:
        parts.append(f"[arXiv {paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})")
    if paper.code:
        parts.append(f"code [{paper.code}](https://github.com/{paper.code})")
    return ", ".join(parts) + "."


def part(method: Method, slot: str, filling: Filling, catalog: Catalog) -> Iterator[str]:
    """What is to say of the plugin in one slot of a method."""
    cls = slots.registry().module_dict[filling.plugin]
    told = documented(cls)
    facts = told.sections
    owner = home(catalog, filling.plugin)
    given = ", ".join(f"`{name}: {value}`" for name, value in filling.params.items())
    yield f"Plugin `{filling.plugin}`{f' with {given}' if given else ''} in slot `{slot}`" + (
        "." if owner is method else f"; described with its options under [{owner.id}](#{owner.id})."
    )
    if owner is method:
        yield markdown(told.text)
    yield f"```text\n{facts['Formula']}\n```"
    total = count(built := build(slot, filling))
    # what a plugin counts by its options, the registry counts for one setting of them
    formula = method.params if filling.params else facts["Parameters"]
    rows = {
        "shapes": facts["Shapes"],
        "parameters": f"**{total:,}** at {SIZES[slot][0]}: {formula}" if total or formula != "0." else "none",
        "complexity": method.complexity if slot == method.slot else "",
        "training": "; ".join(trained_apart(built)),
        "map": facts["Map"],
        "source": facts["Source"],
    }
    yield "| | |\n|---|---|\n" + "\n".join(f"| {name} | {cell(text)} |" for name, text in rows.items() if text)
    if owner is method and (own := [*options(cls), *training_options(built)]):
        yield "\n".join(["| option | type | default | meaning |", "|---|---|---|---|", *own])


def entry(method: Method, catalog: Catalog, printed: dict[str, list[dict[str, str]]]) -> str:
    """One method."""
    state, missing = standing(method)
    if state == "wraps":
        modules = [build(slot, filling) for slot, filling in method.slots.items()]
        state = f"wraps {', '.join(f'`{name}`' for name in dict.fromkeys(name for m in modules for name in wrapped(m)))}"
    elif missing:
        state = f"{state}: {missing}"
    also = f" · also fits {', '.join(f'`{slot}`' for slot in method.stands_in)}" if method.stands_in else ""
    parts = [f"### {method.id}", f"**{method.title}** · {f'{method.kind} · ' if method.kind else ''}{state}{also}", citation(method)]
    if method.state == "planned" and method.params:
        parts.append(f"Parameters: {method.params}.")
    for slot, filling in method.slots.items():
        parts += part(method, slot, filling, catalog)
    parts.append(method.notes)
    if method.id in printed:
        parts.append(numbers(printed[method.id]))
    if (FOLDER / "pictures" / "methods" / f"{method.id}.jpg").exists():
        what = "Masks" if method.slot == "masking" else "Attention"
        parts.append(f"![{what} of {method.id} on the three images](pictures/methods/{method.id}.jpg)")
    return "\n\n".join(filter(None, parts)) + "\n"


def described(slot: slots.Slot) -> str:
    """What a slot is, and what a constructor gets there."""
    passed, offered = (", ".join(f"`{name}`" for name in names) for names in (slot.arguments, slot.offered))
    given = f" The harness passes {passed} to the constructor" if passed else ""
    return f"{slot.contract}: {slot.place}.{given}{f', and {offered} where it names them' if offered else ''}{'.' if given else ''}\n"


def summary(methods: list[Method]) -> str:
    """Table of contents of a group."""
    lines = ["| method | | venue | state | parameters | complexity |", "|---|---|---|---|---|---|"]
    if not methods[0].slots:
        lines = ["| method | | venue | missing |", "|---|---|---|---|"]
    for m in methods:
        total = " + ".join(f"{count(build(slot, filling)):,}" for slot, filling in m.slots.items())
        rest = f"{standing(m)[0]} | {total} | {cell(m.complexity)}" if m.slots else cell(m.missing or "")
        lines.append(f"| [{m.id}](#{m.id}) | {cell(m.title)} | {m.paper.venue if m.paper else ''} | {rest} |")
    return "\n".join(lines) + "\n"


def shipped() -> Catalog:
    """The shipped registry, its plugins imported."""
    setup()
    catalog, plugins = read_registry(paths.home() / "registry.yaml"), owners(discover())
    for name in {filling.plugin for method in catalog.methods.values() for filling in method.slots.values()}:
        load(plugins[name])
    return catalog


def page() -> str:
    """The whole page."""
    catalog, printed = shipped(), published()
    groups = {slot: [m for m in catalog.methods.values() if m.slot == slot] for slot in [*slots.SLOTS, ""]}
    groups = {slot: methods for slot, methods in groups.items() if methods}
    parts = [HEAD, "## Contents\n"]
    for slot, methods in groups.items():
        size = f", parameters at {SIZES[slot][0]}" if slot else ""
        parts.append(f"**{slot or 'planned'}**{size}\n\n{summary(methods)}")
    for slot, methods in groups.items():
        parts.append(f"## {slot or 'planned'}\n")
        if slot:
            parts.append(described(slots.SLOTS[slot]))
        parts += [entry(method, catalog, printed) for method in methods]
    others = {name: rows for name, rows in printed.items() if name not in catalog.methods}
    listed = ", ".join(f"`{name}` ({len(rows)})" for name, rows in sorted(others.items()))
    parts.append(f"## Other published rows\n\n`results/published.csv` also holds rows of the papers that are no method here: {listed}.\n")
    return "\n".join(parts)


def draw() -> None:
    """The pictures that are missing."""
    import make_method_pictures

    missing = [m.id for m in shipped().methods.values() if pictured(m) and not (make_method_pictures.FOLDER / f"{m.id}.jpg").exists()]
    if missing:
        make_method_pictures.main(missing)


if __name__ == "__main__":
    draw()
    (FOLDER / "methods.md").write_text(page(), encoding="utf-8")
