"""`plugin new` writes a file that keeps its slot's contract, and a registry entry."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import families, paths
from harness.catalog import load_catalog
from harness.errors import UsageError
from harness.plugin_tools import contract
from harness.plugin_tools.scaffold import scaffold, with_entry
from harness.slots import SLOTS


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("slow", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("slot", SLOTS)
def test_a_new_plugin_keeps_the_contract(own_folder: Path, slot: str, slow: bool) -> None:
    name = f"test-scaffold-{slot.replace('_', '-')}-{'slow' if slow else 'fast'}"
    written = scaffold(name, slot)
    assert written.files == [Path("plugins") / f"{name.replace('-', '_')}.py", Path("registry.yaml")]
    assert len(written.files[0].read_text().splitlines()) < 60
    assert load_catalog().methods[name].slots[slot].plugin == name
    for target in (name, str(written.files[0])):
        report = contract.check(target, slow=slow)
        assert report.ok, report.failed


def test_at_the_root_of_a_checkout_a_plugin_is_one_that_ships(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("registry.yaml").write_bytes((paths.home() / "registry.yaml").read_bytes())
    monkeypatch.setattr(paths, "home", lambda: own_folder)
    written = scaffold("test-ships", "block")
    assert written.files == [Path("plugins/harness_plugins/blocks/test_ships.py"), Path("registry.yaml")]
    assert written.files[0].is_file() and "test-ships" in load_catalog().methods
    assert written.commands[-2:] == ["python -m pytest tests/parity/test_every_method.py", "python docs/make_methods.py"]


@pytest.mark.parametrize("fails", ["plugin", "registry", "rename"])
@pytest.mark.parametrize("before", [None, "methods:\n  a: {title: A, slots: {block: {plugin: identity}}}\n"])
def test_a_full_disk_leaves_the_folder_as_it_was(own_folder: Path, monkeypatch: pytest.MonkeyPatch, fails: str, before: str | None) -> None:
    if before:
        Path("registry.yaml").write_text(before)
    left = {"plugin": 0, "registry": 1, "rename": 1}[fails]
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def some(function):
        def of(*arguments, **named):
            nonlocal left
            if fails == "rename" or "x" in arguments[1:2]:  # writes
                if left == 0:
                    raise full
                left -= 1
            return function(*arguments, **named)

        return of

    if fails == "rename":
        monkeypatch.setattr(os, "replace", some(os.replace))
    else:
        monkeypatch.setattr(Path, "open", some(Path.open))
    with pytest.raises(
        UsageError, match=f"cannot write .*{'my_own.py' if fails == 'plugin' else 'registry.yaml'}: No space left on device"
    ):
        scaffold("my-own", "block")
    monkeypatch.undo()
    assert [path.name for path in own_folder.rglob("*")] == (["registry.yaml"] if before else [])
    assert not before or (own_folder / "registry.yaml").read_text() == before


def test_comments_and_other_entries_stay(own_folder: Path) -> None:
    before = "# mine\nmethods:\n  # first\n  a: {title: A, slots: {block: {plugin: identity}}}\n\n# below\nsuites: {}\n"
    Path("registry.yaml").write_text(before)
    scaffold("test-b", "block")
    after = Path("registry.yaml").read_text()
    assert [line for line in after.splitlines(keepends=True) if line in before.splitlines(keepends=True)] != []
    assert after.index("  a:") < after.index("  test-b:") < after.index("# below")
    assert all(line in after for line in before.splitlines())
    assert {"a", "test-b"} <= set(load_catalog().methods)


@pytest.mark.parametrize("text", ["", "methods: {}\n", "methods:\n", "suites: {}", "methods:\n  x:\n    title: X"])
def test_an_entry_fits_any_registry(text: str) -> None:
    import yaml

    parsed = yaml.safe_load(with_entry(text, "  n:\n    title: N\n", Path("r.yaml")))
    assert parsed["methods"]["n"] == {"title": "N"}
    assert ("x" in parsed["methods"]) == ("  x:" in text)


@pytest.mark.parametrize(
    ("name", "slot", "reason"),
    [
        ("gap", "pooling", "exists already"),
        ("psa-polarized-parallel", "block", "exists already"),
        ("My Block", "block", "not an id"),
        ("../evil", "block", "not an id"),
        ("a" * 65, "block", "65 characters, 64 are the most"),
        ("fine", "blocks", "Did you mean 'block'"),
    ],
)
def test_refusals_write_nothing(own_folder: Path, name: str, slot: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        scaffold(name, slot)
    assert list(own_folder.iterdir()) == []


@pytest.mark.parametrize("name", ["1", "1.5", "0x1f", "true", "null", "on", "no", "2024-01-01", "a" * 64])
def test_a_name_that_yaml_would_read_as_something_else(own_folder: Path, name: str) -> None:
    written = scaffold(name, "masking")
    assert load_catalog().methods[name].slots["masking"].plugin == name
    assert contract.check(str(written.files[0]), slow=False).ok
    sys.modules.pop(next(module for module in sys.modules if module.startswith(f"harness_plugin_{written.files[0].stem}_")))


def test_a_plugin_that_ends_the_process_ends_its_check_with_a_sentence(own_folder: Path) -> None:
    killer = (
        "import os\nos._exit(7)\nfrom harness.slots import attention_method\n@attention_method('killer', slot='masking')\ndef f(a): ...\n"
    )
    Path("killer.py").write_text(killer)
    with pytest.raises(UsageError, match=r"plugin file killer.py: importing it ends the process \(exit code 7\)\."):
        contract.check("killer.py")


def test_a_registry_that_cannot_be_added_to_stays_as_it_is(own_folder: Path) -> None:
    inline = "methods: {a: {title: A, slots: {block: {plugin: identity}}}}\n"
    Path("registry.yaml").write_text(inline)
    with pytest.raises(UsageError, match="one line"):
        scaffold("test-c", "block")
    assert Path("registry.yaml").read_text() == inline
    assert not Path("plugins").exists()


def test_scaffolding_imports_no_torch() -> None:
    code = "import sys, harness.plugin_tools.scaffold; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_broken_plugin_fails_by_name(own_folder: Path) -> None:
    path = own_folder / "broken.py"
    path.write_text(
        "import torch\nfrom torch import nn\nfrom harness.slots import attention_method\n"
        '@attention_method("test-broken", slot="block")\n'
        "class Broken(nn.Module):\n"
        "    def __init__(self, channels):\n"
        "        super().__init__()\n"
        "        self.unused = nn.Parameter(torch.ones(channels))\n"
        "    def forward(self, x):\n"
        "        x.detach().mul_(2)\n"
        "        return x + torch.rand(()) + x.mean()\n"
    )
    failed = {row.check: row.detail for row in contract.check(str(path), slow=False).failed}
    assert "in place" in failed["input untouched"]
    assert "unused" in failed["gradients"]
    assert "two passes" in failed["deterministic in eval"]
    assert "batch mates" in failed["batch independence"]


@pytest.mark.slow
def test_a_new_block_runs_on_every_family(own_folder: Path) -> None:
    """Written outside the repository, run by the command that `plugin new` prints."""
    written = scaffold("test-everywhere", "block")
    (run,) = [command for command in written.commands if command.startswith("harness run")]
    assert run.count("-b ") == 5
    harness = [sys.executable, "-c", "import sys; from harness.cli import main; sys.exit(main())"]
    arguments = [*run.split()[1:], "--seeds", "1", "--workers", "1", "--set", "schedule.epochs=1"]
    done = subprocess.run([*harness, *arguments], capture_output=True, text=True, check=False, timeout=290)
    assert done.returncode == 0, done.stderr
    listed = subprocess.run([*harness, "leaderboard", "--format", "json"], capture_output=True, text=True, check=True).stdout
    found = {row["family"] for row in json.loads(listed)["rows"] if row["method"] == "test-everywhere"}
    assert found == set(families.names()) - {"openmmlab"}
