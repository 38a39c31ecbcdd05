"""A broken plugin file costs its own verdict only, and each content is imported once."""

from __future__ import annotations

import pytest

from harness.catalog import verify
from harness.catalog.plugins import discover

HEAD = "from harness.slots import attention_method\n"
FILES = {
    "works.py": HEAD + "@attention_method('works', slot='masking')\nclass A: pass\nprint('noise')\n"
    "import os\nos.write(1, b'\\xff\\n')\nos.write(2, b'\\xff\\n')\n",
    "raises.py": HEAD + "@attention_method('raises', slot='masking')\nclass A: pass\n1 / 0\n",
    "exits.py": HEAD + "@attention_method('exits', slot='masking')\nclass A: pass\nimport os\nos._exit(7)\n",
    "later.py": HEAD + "@attention_method('later', slot='masking')\nclass A: pass\n",
    "conditional.py": HEAD + "if False:\n    @attention_method('absent', slot='masking')\n    class A: pass\n",
    "slot.py": HEAD + "@attention_method('slot', slot='poling')\nclass A: pass\n",
    "syntax.py": "def f(:\n",
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "plugins").mkdir()
    for name, text in FILES.items():
        (tmp_path / "plugins" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return [file for file in discover() if file.origin == "folder"]


def test_verdicts(files, monkeypatch):
    checked = []
    found = {path.name: reason for path, reason in verify.verdicts(files, checked.append).items()}
    assert found["works.py"] is None and found["later.py"] is None
    assert found["raises.py"] == "ZeroDivisionError: division by zero"
    assert "ends the process (exit code 7)" in found["exits.py"]
    assert "does not register 'absent'" in found["conditional.py"]
    assert "unknown slot 'poling'" in found["slot.py"]
    assert found["syntax.py"].startswith("SyntaxError") and "line 1" in found["syntax.py"]
    assert checked == [5]

    monkeypatch.setattr(verify, "_in_child", lambda files: pytest.fail("imported again"))
    assert {path.name: reason for path, reason in verify.verdicts(files, checked.append).items()} == found
    assert checked == [5]


def test_a_spoilt_cache_is_no_verdict(files, monkeypatch):
    works = [file for file in files if file.path.name == "works.py"]
    verify._store().parent.mkdir(parents=True)
    verify._store().write_text("[1, 2")
    assert verify.verdicts(works) == {works[0].path: None}


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "time.sleep(60)"])
def test_a_check_that_is_ended_from_outside_is_no_verdict_for_later(tmp_path, monkeypatch, end):
    """The file before has its verdict, the one under way is tried again alone and then each time, those behind are not blamed."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(verify, "TIMEOUT", 4.0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugins").mkdir()
    for name, text in (("a", ""), ("b", f"import os, time\nif not os.path.exists('mended'): {end}\n"), ("c", "")):
        (tmp_path / "plugins" / f"{name}.py").write_text(f"{text}{HEAD}@attention_method('{name}', slot='masking')\nclass A: pass\n")
    files = [file for file in discover() if file.origin == "folder"]
    reasons = {path.name: reason for path, reason in verify.verdicts(files).items()}
    assert reasons["a.py"] is reasons["c.py"] is None and reasons["b.py"].startswith(("importing it was interrupted", "importing it takes"))
    assert [*verify.deadly(files)] == [files[1].path]
    (tmp_path / "mended").touch()
    assert set(verify.verdicts(files).values()) == {None}


def test_a_file_that_hangs_is_given_up(files, monkeypatch, tmp_path):
    hanging = tmp_path / "plugins" / "syntax.py"
    hanging.write_text("import time\nprint('x')\ntime.sleep(60)\n")
    monkeypatch.setattr(verify, "TIMEOUT", 3.0)
    reasons = verify.verdicts([file for file in discover() if file.path.name == "syntax.py"])
    assert "takes more than 3 s" in reasons[hanging.relative_to(tmp_path)]
