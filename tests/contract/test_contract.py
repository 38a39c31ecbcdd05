"""Every plugin keeps the contract of its slot: a new one is tested by being registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog import load_catalog
from harness.catalog.plugins import discover, owners
from harness.plugin_tools import contract


def _targets() -> list[str]:
    """Plugins as they are, and methods that set parameters."""
    plugins = owners(discover())
    configured = [m.id for m in load_catalog().methods.values() if any(filling.params for filling in m.slots.values())]
    return sorted({*plugins, *configured})


TARGETS = _targets()


def test_there_is_something_to_check() -> None:
    assert len(TARGETS) > 40


@pytest.mark.parametrize("target", TARGETS)
def test_contract(openmmlab: None, target: str) -> None:
    report = contract.check(target, slow=False)
    assert report.ok, report.failed


SOURCE = """
from torch import nn

from harness.slots import attention_method, observe


@attention_method("{name}", slot="pooling")
class Faulty(nn.Module):
    def __init__(self, channels{more}):
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1, bias=False)

    def forward(self, x):
        a = self.score(x).flatten(2).softmax(-1)
        m = a.view(len(x), 1, *x.shape[2:])
        {line}
        return (x.flatten(2) @ a.mT).squeeze(2){end}
"""

FAULTS = {
    "double": ("", "", ".double()", {"float32": "float64 out: return x's dtype", "bf16 autocast": "float64 out"}),
    "built": (", heads", "", "", {"shapes": "Give heads a default"}),
    "shape": ("", "", "[:, 1:]", {"shapes": "(2, 63)"}),
    "in-place": ("", "x.add_(1)", "", {"input untouched": "in place", "gradients": "in-place"}),
    "name": ("", "observe(self, weights=m)", "", {"attention maps": "'weights' is read by nobody; did you mean map or attention?"}),
    "narrow": ("", "observe(self, map=m[..., 1:])", "", {"attention maps": "the map is 7x8 where the input is 7x9"}),
}
"""More arguments, a line that observes or spoils, what is done to the output -> the checks that fail, each with its reason."""


def _report(tmp_path: Path, name: str, more: str, line: str, end: str) -> contract.Report:
    file = tmp_path / "faulty.py"
    file.write_text(SOURCE.format(name=f"test-faulty-{name}", more=more, line=line, end=end))
    return contract.check(str(file), slow=False)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_once_and_by_its_cause(tmp_path: Path, fault: str) -> None:
    *parts, wanted = FAULTS[fault]
    report = _report(tmp_path, fault, *parts)
    found = {row.check: row.detail for row in report.failed}
    assert found.keys() == wanted.keys(), found
    assert all(reason in found[name] for name, reason in wanted.items()), found
    assert "shapes" not in wanted or len(report.rows) == 1


@pytest.mark.parametrize(
    ("line", "remark"),
    [
        ("observe(self, map=3 * m)", "; remark: the map sums to 3, not to 1"),
        ("observe(self, map=-m)", "; remark: the map has negative values"),
        ("observe(self, map=m, maps=m)", "; remark: 'maps' is read by nobody; did you mean map?"),
        ("observe(self, map=m, channel=x)", ""),
    ],
)
def test_what_may_not_be_meant_is_remarked(tmp_path: Path, line: str, remark: str) -> None:
    report = _report(tmp_path, "remark-" + "".join(filter(str.isalnum, line)), "", line, "")
    (told,) = [row.detail for row in report.rows if row.check == "attention maps"]
    assert report.ok and (remark in told if remark else "remark" not in told)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_compile_and_export(openmmlab: None, target: str) -> None:
    for subject in contract.subjects(target):
        failed = [row for row in contract.rows(subject, contract.SLOW) if row.ok is False]
        assert not failed, failed


KEPT = {
    "list": ("self.more = [nn.Conv2d(channels, channels, 1)]", "x = self.more[0](x)", {"float64", "state dict"}, "nn.ModuleList"),
    "tensor": (
        "self.w = torch.randn(channels, channels)",
        "x = torch.einsum('bchw,cd->bdhw', x, self.w.to(x))",
        {"state dict"},
        "nn.Parameter",
    ),
    "count": ("self.steps = 0", "self.steps += self.training; x = x * (1 + self.steps)", {"state dict"}, "register_buffer"),
    "first": (
        "self.pos = None",
        "if self.pos is None: self.pos = nn.Parameter(torch.randn(1, *x.shape[1:3], 1))\n        x = x + self.pos[:, :, :1]",
        {"gradients", "state dict"},
        "made in the first pass, so that no optimiser sees them: pos",
    ),
}
"""A line of the constructor, one of the pass -> the checks that fail, and what one of them says."""


@pytest.mark.parametrize("fault", KEPT)
def test_what_neither_optimiser_nor_state_dict_knows_is_told(tmp_path: Path, fault: str) -> None:
    made, used, checks, said = KEPT[fault]
    file = tmp_path / "faulty.py"
    source = SOURCE.format(name=f"test-kept-{fault}", more="", line="pass", end="")
    source = source.replace("        self.score", f"        {made}\n        self.score").replace(
        "        a = ", f"        {used}\n        a = "
    )
    file.write_text(f"import torch\n{source}")
    found = {row.check: row.detail for row in contract.check(str(file), slow=False).failed}
    assert found.keys() >= checks - {"float64"} and "attention maps" not in found and any(said in reason for reason in found.values()), (
        found
    )
