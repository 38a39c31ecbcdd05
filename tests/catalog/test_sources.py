"""A result depends on what its plugin imports, wherever that lies; finding out runs none of it."""

from __future__ import annotations

import importlib
import sys

import pytest

from harness.catalog.plugins import discover, load, source_digest
from harness.catalog.sources import absent, module_files, sources
from harness.catalog.verify import verdicts
from harness.errors import HarnessError
from harness.slots import registry

PLUGIN = "from harness.slots import attention_method\n\n@attention_method('mine', slot='masking')\ndef f(a): ...\n"
LOUD = "print('the code of a package ran')\nraise SystemExit(5)\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """``write(path, text)`` under a folder that Python imports from; it is also the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "path")
    before = set(sys.modules)

    def write(name: str, text: str = ""):
        file = tmp_path / "path" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        importlib.invalidate_caches()
        return file

    yield write
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("mypkg", "helper", "harness_plugin_mine"):
            del sys.modules[name]


@pytest.fixture
def install(write):
    """``install("mypkg.mine")`` makes that module an entry point."""

    def install(value: str) -> None:
        write("mypkg-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: mypkg\nVersion: 1.0\n")
        write("mypkg-1.0.dist-info/entry_points.txt", f"[harness.plugins]\nmine = {value}\n")

    return install


def external():
    return [file for file in discover() if file.origin != "shipped"]


def digest() -> str:
    return source_digest("mine", discover())


@pytest.mark.parametrize(
    ("statement", "helper"),
    [
        ("from . import maths", "mypkg/maths.py"),
        ("from .maths import scale", "mypkg/maths.py"),
        ("from mypkg.maths import scale", "mypkg/maths.py"),
        ("import mypkg.maths", "mypkg/maths.py"),
        ("def late():\n    from .deep.maths import scale", "mypkg/deep/maths.py"),
        ("from .deep import maths", "mypkg/deep/__init__.py"),
        ("import helper", "helper.py"),
        ("from .deep.maths import scale", "mypkg/deep/__init__.py"),
        ("from helper.sub import scale", "helper/__init__.py"),
        ("from helper.sub import scale", "helper/sub.py"),
    ],
)
def test_a_change_of_what_a_plugin_imports_changes_its_digest(write, install, statement, helper):
    for name in ("mypkg/__init__.py", "mypkg/deep/__init__.py", "mypkg/deep/maths.py", "mypkg/maths.py"):
        write(name, "scale = 1\n")
    if statement.startswith("from helper"):
        write("helper/__init__.py")
        write("helper/sub.py", "scale = 1\n")
    else:
        write("helper.py", "scale = 1\n")
    write("mypkg/mine.py", f"{statement}\n{PLUGIN}")
    install("mypkg.mine")
    before = digest()
    write(helper, "scale = 1  # a comment\n" if "__init__" not in helper or "mypkg" in helper else "# a comment\n")
    assert digest() == before
    write(helper, "scale = 2\n")
    assert digest() != before


def test_what_two_modules_hold_may_not_change_places(write, install):
    write("mypkg/__init__.py")
    write("mypkg/mine.py", f"from . import one, two\n{PLUGIN}")
    install("mypkg.mine")
    digests = set()
    for values in ((1, 2), (2, 1)):
        for name, value in zip(("one", "two"), values, strict=True):
            write(f"mypkg/{name}.py", f"scale = {value}\n")
        digests.add(digest())
    assert len(digests) == 2


def test_a_module_in_a_zip_is_not_followed(write, monkeypatch, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "path" / "h.zip", "w") as archive:
        archive.writestr("helper.py", "scale = 1")
    monkeypatch.syspath_prepend(tmp_path / "path" / "h.zip")
    file = write("mine.py", f"import helper\n{PLUGIN}")
    assert sources(file, "mine") == [file] and absent(file) == []


def test_imports_are_followed_through_other_files_and_round_in_a_circle(write, install):
    write("mypkg/__init__.py", "from .mine import f\n")
    write("mypkg/mine.py", f"from .one import two\n{PLUGIN}")
    write("mypkg/one.py", "from . import two\n")
    write("mypkg/two.py", "from .one import two\nimport helper\n")
    last = write("helper.py", "import mypkg.mine\nimport torch, numpy, json, click\nimport harness.slots\n")
    install("mypkg.mine")
    [file] = external()
    assert {source.relative_to(last.parent).as_posix() for source in sources(file.path, file.module)} == {
        "helper.py",
        *(f"mypkg/{name}.py" for name in ("__init__", "mine", "one", "two")),
    }


def test_a_file_in_the_plugins_folder_and_one_given_by_name_follow_their_imports_too(write, tmp_path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "mine.py").write_text(f"import helper\nfrom harness_plugins.pooling import gem\n{PLUGIN}")
    write("helper.py", "scale = 1\n")
    in_folder = digest()
    (tmp_path / "mine.py").write_bytes((tmp_path / "plugins" / "mine.py").read_bytes())
    (tmp_path / "plugins" / "mine.py").unlink()
    assert source_digest("mine", discover((tmp_path / "mine.py",))) == in_folder
    names = {source.name for source in sources(tmp_path / "mine.py", "mine")}
    assert {"mine.py", "helper.py", "gem.py"} <= names
    write("helper.py", "scale = 2\n")
    assert source_digest("mine", discover((tmp_path / "mine.py",))) != in_folder


@pytest.fixture
def alone(tmp_path):
    """``alone(folder, helper)`` writes a plugin file, of no package, and a helper beside it; neither is on ``sys.path``."""
    path, modules = [*sys.path], set(sys.modules)

    def alone(folder: str, helper: str):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "my_helper_beside.py").write_text(helper)
        file = tmp_path / folder / "mine.py"
        file.write_text(f"import my_helper_beside\n{PLUGIN}".replace("'mine'", f"'mine-{folder}'"))
        return file

    yield alone
    sys.path[:] = path
    for name in ("mine", "mine-one", "mine-two"):
        registry().module_dict.pop(name, None)
    for name in set(sys.modules) - modules:
        if name.startswith(("my_helper_beside", "harness_plugin_mine")):
            del sys.modules[name]


def test_a_helper_beside_a_plugin_file_is_found_and_part_of_its_digest(alone):
    file = alone("one", "SCALE = 1\n")
    files = discover((file,))
    before = source_digest("mine-one", files)
    alone("one", "SCALE = 2  # another\n")
    assert source_digest("mine-one", files) != before
    load(files[-1])
    assert sys.modules["my_helper_beside"].SCALE == 2
    assert verdicts([files[-1]]) == {file: None}


def test_helpers_of_one_name_beside_two_plugin_files_are_not_mixed(alone):
    load(discover((alone("one", "SCALE = 1\n"),))[-1])
    with pytest.raises(HarnessError, match=r"another module of that name is imported already: .*one.my_helper_beside"):
        load(discover((alone("two", "SCALE = 2\n"),))[-1])


def test_what_is_installed_wins_over_a_file_beside_a_plugin(alone, tmp_path):
    file = alone("one", "")
    (tmp_path / "one" / "click.py").write_text("raise SystemError\n")
    file.write_text(f"import click\nassert click.Command\n{PLUGIN}")
    load(discover((file,))[-1])


def test_a_relative_import_of_a_file_of_no_package_is_told_how_to_be_written(alone):
    file = alone("one", "SCALE = 1\n")
    file.write_text(f"from .my_helper_beside import SCALE\n{PLUGIN}")
    with pytest.raises(HarnessError, match="write `from helper import"):
        load(discover((file,))[-1])


def test_shipped_plugins_follow_shipped_plugins_only():
    for file in discover():
        assert all(source.is_relative_to(file.path.parents[1]) for source in sources(file.path, file.module))


def test_finding_an_entry_point_runs_nothing_of_its_package(write, install, capsys):
    write("mypkg/__init__.py", LOUD)
    write("mypkg/deep/__init__.py", LOUD)
    write("mypkg/deep/mine.py", PLUGIN)
    install("mypkg.deep.mine")
    [file] = external()
    assert (file.origin, file.names, file.error) == ("entry point mine", {"mine": "masking"}, None)
    assert capsys.readouterr().out == "" and "mypkg" not in sys.modules
    with pytest.raises(HarnessError, match="cannot be imported: SystemExit: 5"):
        load(file)


def test_an_entry_point_may_name_an_attribute(write, install):
    write("mypkg/__init__.py")
    write("mypkg/mine.py", PLUGIN)
    install("mypkg.mine:f")
    [file] = external()
    load(file)
    assert sys.modules["mypkg.mine"].__file__ == str(file.path)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("mypkg", "defines no plugin; the entry point has to name the module"),
        ("mypkg.absent", "module not found"),
        ("absent", "module not found"),
        ("sys", "module not found"),
        ("!!", "module not found"),
        ("mypkg..mine", "module not found"),
        ("mypkg.broken", "SyntaxError"),
    ],
)
def test_an_entry_point_without_a_plugin_is_reported_and_spoils_nothing(write, install, value, error):
    write("mypkg/__init__.py", "from .mine import f\n")
    write("mypkg/mine.py", PLUGIN)
    write("mypkg/broken.py", "def f(:\n")
    install(value)
    [file] = external()
    assert error in file.error
    assert error in verdicts([file])[file.path]
    with pytest.raises(HarnessError, match="cannot be imported"):
        load(file)


def test_a_damaged_installation_hides_no_other(write, install):
    write("mypkg/__init__.py")
    write("mypkg/mine.py", PLUGIN)
    install("mypkg.mine")
    for name, content in (("latin-1.0", "[harness.plugins]\n\xe9 = x\n".encode("latin-1")), ("odd-1.0", b"[harness.plugins]\na b\n")):
        folder = write(f"{name}.dist-info/METADATA", "Name: x\n").parent
        (folder / "entry_points.txt").write_bytes(content)
    assert [file.names for file in external() if not file.error] == [{"mine": "masking"}]


def test_hidden_files_and_links_to_themselves_are_no_plugins(write, tmp_path):
    hidden = tmp_path / "plugins" / ".ipynb_checkpoints"
    hidden.mkdir(parents=True)
    for file in (tmp_path / "plugins" / "mine.py", hidden / "mine-checkpoint.py", tmp_path / "plugins" / ".#mine.py"):
        file.write_text(PLUGIN)
    (tmp_path / "plugins" / "loop.py").symlink_to("loop.py")
    assert [(file.path.name, bool(file.error)) for file in external()] == [("loop.py", True), ("mine.py", False)]


def test_what_is_absent_is_named(write):
    file = write("helper.py", "import torch, no_such_thing.at_all\nfrom . import sibling\nfrom another import x\nimport json\n")
    assert absent(file) == ["another", "no_such_thing"]
    assert module_files("no_such_thing.at_all") == module_files("helper.below") == []


def test_a_verdict_lasts_until_a_helper_changes(write, install, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    write("mypkg/__init__.py")
    write("mypkg/mine.py", f"from .maths import scale\nimport helper\n{PLUGIN}")
    write("mypkg/maths.py", "scale = 1\n")
    helper = write("helper.py")
    install("mypkg.mine")
    assert [*verdicts(external()).values()] == [None]
    write("mypkg/maths.py", "scale = 1 / 0\n")
    assert [*verdicts(external()).values()] == ["ZeroDivisionError: division by zero"]
    write("mypkg/maths.py", "scale = 1\n")
    helper.unlink()
    importlib.invalidate_caches()
    assert [*verdicts(external()).values()] == ["ModuleNotFoundError: No module named 'helper'"]
