"""``harness_plugins`` is one package, in a checkout and in a wheel, and no other place of plugins is taken for it."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from installed import walk
from packaging.requirements import Requirement

from harness import paths
from harness.catalog.code import code
from harness.catalog.plugins import discover, owners, source_digest

ROOT = Path(__file__).parents[2]
PLUGIN = "from harness.slots import attention_method\n\n@attention_method('mine', slot='masking')\ndef f(a): ...\n"


def python(*arguments: str, path: Path | None = None, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else None
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False, **options)


def test_a_shipped_module_is_imported_by_its_name_from_anywhere(tmp_path):
    done = python("-P", "-c", "import harness_plugins.pooling.simpool as m; print(m.__file__)", cwd=tmp_path)
    assert done.stdout.strip() == str(owners(discover())["simpool"].path), done.stderr


def test_every_shipped_file_is_found_under_its_module_name():
    shipped = [file for file in discover() if file.origin == "shipped"]
    assert len(shipped) > 30
    for file in shipped:
        assert importlib.util.find_spec(file.module).origin == str(file.path)


def test_packages_hold_no_code():
    """So that they need not count in any digest."""
    packages = {file.path.parent / "__init__.py" for file in discover() if file.origin == "shipped"} | {paths.plugins() / "__init__.py"}
    for file in packages:
        assert file.read_bytes() and not code(file.read_bytes()).strip(), file


def test_a_digest_covers_the_code_of_shipped_files_by_their_last_names(tmp_path):
    """Neither the packages nor the place of the shipped package: trials done before it was one are still known."""
    file = tmp_path / "mine.py"
    file.write_text(f"from harness_plugins.pooling import gem\n{PLUGIN}")
    pooling = paths.plugins() / "pooling"
    parts = [("", file), ("frame", pooling / "frame.py"), ("gem", pooling / "gem.py")]
    hasher = hashlib.blake2b(digest_size=16)
    for part in (part for name, source in parts for part in (name.encode(), code(source.read_bytes()))):
        hasher.update(len(part).to_bytes(8, "little") + part)
    assert source_digest("mine", discover((file,))) == hasher.hexdigest()


def test_in_a_checkout_own_plugins_lie_beside_the_shipped_package(tmp_path, monkeypatch):
    shipped = tmp_path / "plugins" / "harness_plugins"
    (shipped / "pooling").mkdir(parents=True)
    (shipped / "pooling" / "theirs.py").write_text(PLUGIN.replace("mine", "theirs"))
    (tmp_path / "plugins" / "mine.py").write_text(PLUGIN)
    monkeypatch.setattr(paths, "plugins", lambda: shipped)
    monkeypatch.chdir(tmp_path)
    assert {name: (file.origin, file.module.split(".")[0][:16]) for name, file in owners(discover()).items()} == {
        "theirs": ("shipped", "harness_plugins"),
        "mine": ("folder", "harness_plugin_m"),
    }


def test_the_package_of_another_harness_is_refused(tmp_path):
    (tmp_path / "harness_plugins").mkdir()
    (tmp_path / "harness_plugins" / "__init__.py").touch()
    done = python("-P", "-m", "harness", "list", "methods", path=tmp_path, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"Python imports harness_plugins from {tmp_path / 'harness_plugins'}, but this harness's lies in" in done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from this checkout."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: make setup")
    folder = tmp_path_factory.mktemp("wheel")
    built = python("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


def test_a_wheel_holds_all_that_is_read(wheel):
    """Every file of the packages, and what else is looked for at run time; nothing besides."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    kept = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    bundled = ("registry.yaml", "dashboard/", "docs/pictures/methods/", "results/published.csv")
    expected = {name for name in kept if name.startswith("harness/")}
    expected |= {name.removeprefix("plugins/") for name in kept if name.startswith("plugins/harness_plugins/")}
    expected |= {f"harness/_bundled/{name}" for name in kept if name.startswith(bundled)}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == expected


def test_a_wheel_asks_for_ranges_and_not_for_a_browser(wheel):
    """Who only trains installs neither the dashboard nor a database server, and keeps the versions that are there."""
    archive = zipfile.ZipFile(wheel)
    told = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    asked = [Requirement(line.partition(": ")[2]) for line in told.splitlines() if line.startswith("Requires-Dist: ")]
    core = {some.name for some in asked if some.marker is None or some.marker.evaluate({"extra": ""})}
    assert {"torch", "mmengine", "sqlalchemy"} <= core and not core & {"streamlit", "altair", "pandas", "psycopg", "ray", "pytest"}
    assert not [some for some in asked if some.name in core and "==" in str(some.specifier)]


@pytest.mark.slow
def test_an_extracted_wheel_has_the_plugins_and_digests_of_the_checkout(wheel, tmp_path):
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    done = python("-P", "-m", "harness", "list", "plugins", "--json", path=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = {row["name"]: Path(row["file"]) for row in json.loads(done.stdout)["rows"]}
    here, package = discover(), installed / "harness_plugins"
    assert files == {name: package / file.path.relative_to(paths.plugins()) for name, file in owners(here).items()}
    shown = (
        "import json\nfrom harness.catalog.plugins import discover, owners, source_digest\n"
        "files = discover()\nprint(json.dumps({name: source_digest(name, files) for name in owners(files)}))"
    )
    digests = json.loads(python("-P", "-c", shown, path=installed, cwd=tmp_path).stdout)
    assert digests == {name: source_digest(name, here) for name in owners(here)}
    named = python("-P", "-c", "import harness_plugins.pooling.simpool as m; print(m.__file__)", path=installed, cwd=tmp_path)
    assert named.stdout.strip() == str(files["simpool"])


@pytest.mark.slow
def test_an_installed_wheel_works_far_from_a_checkout(wheel, tmp_path):
    """In an environment that borrows the other packages of this one; ``make matrix`` installs them anew."""
    place = tmp_path / "environment"
    assert python("-m", "venv", str(place)).returncode == 0
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    done = subprocess.run([place / "bin" / "pip", "install", "-q", "--no-deps", wheel], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # a new environment may bring a setuptools, which may be older than torch wants
    subprocess.run([place / "bin" / "pip", "uninstall", "-q", "-y", "setuptools"], capture_output=True)
    folder = tmp_path / "far"
    folder.mkdir()
    assert walk(place / "bin" / "python", folder) == ""
