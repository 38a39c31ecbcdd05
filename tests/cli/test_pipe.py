"""Whatever prints a table: in a pipe a row is a line, nothing folded or cut; in a terminal it is folded to its width."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.doctor import Finding

METHOD, BENCHMARK, PHOTOGRAPHS, SUITE = (  # as long as names may be
    what + "-with-a-name-that-goes-on-and-on-until-it-may-not-get-any-longer"[: 64 - len(what)]
    for what in ("a-method", "a-benchmark", "photographs", "a-suite")
)
TITLE = "A title of many words, " * 12 + "which ends here"
REGISTRY = f"""
methods:
  {METHOD}: {{title: "{TITLE}", slots: {{pooling: {{plugin: gap}}}}, kind: method}}
benchmarks:
  {BENCHMARK}:
    {{family: classification, tier: synthetic, title: "{TITLE}", data: {{format: synthetic, train: 12, test: 12, size: 64}}}}
  {PHOTOGRAPHS}:
    {{family: classification, tier: small, title: "{TITLE}", data: {{format: image-folder, root: {PHOTOGRAPHS}, classes: 2}}}}
suites:
  {SUITE}: {{title: "{TITLE}", methods: [{METHOD}], benchmarks: [{BENCHMARK}, {PHOTOGRAPHS}], seeds: 2}}
"""


def run(*args: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return subprocess.run([sys.executable, "-m", "harness", *args], env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder whose registry, plugins and data have long names."""
    (tmp_path / "registry.yaml").write_text(REGISTRY)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "broken_in_two_lines.py").write_text("raise ValueError('first line\\nsecond line')\n@attention_method\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def results(folder, measured):
    """Results of two methods, one of them with a failed seed, and a baseline that they miss."""
    *_, other = measured(METHOD, 70.0, 72.0, None, on=BENCHMARK)
    _, failed = measured("gem", 80.0, None, on=BENCHMARK)
    for digest in (other, failed):
        log = folder / "results" / "trials" / digest / "log.txt"
        log.parent.mkdir(parents=True)
        log.touch()
    row = {"benchmark": BENCHMARK, "version": 1, "method": METHOD, "unit": "%", "higher_is_better": True, "n": 2, "tolerance": 1.0}
    entries = [{**row, "metric": "top1", "mean": 99.0}, {**row, "metric": "top5", "mean": 90.0}]
    (folder / "baseline.json").write_text(json.dumps({"schema": 1, "entries": entries}))
    return failed


@pytest.fixture(params=["called", "piped"])
def lines(request, cli):
    """The lines a command prints: called in this process, and by the reader of a real pipe."""
    return lambda *args: (cli if request.param == "called" else run)(*args).stdout.splitlines()


def only(lines: list[str], *words: str) -> str:
    """The one line that has all words."""
    found = [line for line in lines if all(word in line for word in words)]
    assert len(found) == 1, (words, lines)
    return found[0]


def test_lists(folder, lines):
    only(lines("list", "methods"), METHOD, "pooling", "works", TITLE)
    only(lines("list", "benchmarks"), BENCHMARK, "classification", "top1", TITLE)
    only(lines("list", "suites"), SUITE, f"{BENCHMARK}, {PHOTOGRAPHS}", TITLE)
    only(lines("data", "list"), PHOTOGRAPHS, "image-folder", "missing", "--data-root")
    only(lines("run", "-s", SUITE, "-b", BENCHMARK, "--dry-run"), METHOD, BENCHMARK, " 1 ", "planned")


@pytest.mark.parametrize("what", ["methods", "benchmarks", "suites"])
def test_a_list_has_a_line_for_each_row(folder, lines, what):
    rows = json.loads("\n".join(lines("list", what, "--json")))["rows"]
    assert [line.split()[0] for line in lines("list", what)[1:]] == [row["id"] for row in rows]


def test_plugins_and_their_multi_line_errors(folder, lines, monkeypatch):
    only(lines("list", "plugins"), "broken_in_two_lines", "broken", "invalid syntax")


def test_results(results, lines):
    only(lines("leaderboard"), METHOD, "71.0  57.3 to 81.7", "90.0", " 2/3 ", "0.700")
    only(lines("leaderboard", "--diagnostics"), METHOD, "0.710 ± 0.127")
    only(lines("leaderboard", "--format", "md"), METHOD, "| 71.0 | 57.3 to 81.7 |")
    only(lines("status"), f"{BENCHMARK}     3       2")
    only(lines("status"), results, "gem", BENCHMARK, "epoch 2", "log.txt")
    only(lines("status", results), "reason", "epoch 2")
    only(lines("compare", METHOD, "gem"), f"{BENCHMARK} v1", "top1 %", "71.0", "80.0", "-9")
    only(lines("compare", METHOD, "gem"), f"{BENCHMARK} v1: ", "2 seeds of each are needed")
    only(lines("check", "--baseline", "baseline.json"), "worse", f"{BENCHMARK} v1", METHOD, "top1 %", "99.0", "71.0", "-28", "-1")
    only(lines("check", "--baseline", "baseline.json"), "failed: ", METHOD, BENCHMARK, "seed 2", "log.txt")


def test_problems_of_a_dataset(folder, lines):
    for split in ("train", "test"):
        for name in ("a", "b"):
            (folder / PHOTOGRAPHS / split / name).mkdir(parents=True)
            (folder / PHOTOGRAPHS / split / name / "two\nlines.jpg").write_bytes(b"no picture")
    said = lines("data", "check", PHOTOGRAPHS, "--data-root", ".")
    told = (
        "error: train/a/two lines.jpg: the file is no image; and 3 more",
        "2 training",
        "no validation split: ",
        "not used: ",
        "warning: ",
        PHOTOGRAPHS,
    )
    assert len(said) > 1 and said[0].startswith(told[0])
    assert [line for line in said if not line.startswith(told)] == []


def test_doctor(cli, monkeypatch):
    finding = Finding("data", BENCHMARK, "note", f"no folder {BENCHMARK} " * 5, "Give one.\nOr none.")
    monkeypatch.setattr("harness.doctor.examine", lambda db, root: iter([finding]))
    only(cli("doctor").stdout.splitlines(), "data", BENCHMARK, "no folder", "Give one. Or none.")


def test_a_terminal_gets_folded_tables(folder, measured):
    """A real one, of 80 columns; results in 100."""
    measured(METHOD, 70.0, 72.0)

    def shown(*args: str) -> list[str]:
        ours, theirs = pty.openpty()
        subprocess.run(["stty", "cols", "80", "rows", "24"], stdin=theirs, check=True)
        run(*args, stdout=theirs)
        os.close(theirs)
        text = b""
        while chunk := _read(ours):
            text += chunk
        os.close(ours)
        return text.decode().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()

    lists = shown("list", "suites")
    assert lists[-1].endswith("here") and len(lists[-1]) <= 80 and any(line.startswith(SUITE) for line in lists)
    (board,) = (line for line in shown("leaderboard") if "71.0  58.3 to 83.7" in line)
    assert "…" in board and len(board) <= 100


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so where the other side is closed
        return b""


def unread(*args: str) -> tuple[int, str]:
    """Exit code and errors of a program whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, *args], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["list", "suites"], 0),
        (["leaderboard", "--format", "json"], 0),
        (["check", "--baseline", "baseline.json"], 1),
        (["list", "swites"], 2),
    ],
)
def test_whoever_stops_reading_changes_no_exit_code(results, command, code):
    got, said = unread("-m", "harness", *command)
    assert got == code and "Broken" not in said and "Traceback" not in said


RUN = """
import os, sys
os.dup2(1, 2)
from harness.cli.streams import outlive_readers
outlive_readers()
from pathlib import Path
from engine_fakes import make_plan, sleeping
from harness.cli.progress import watching
from harness.engine.run import run_plan
with watching() as tell:
    options = {"workers": 1, "device": "cpu", "trial_function": sleeping(0), "on_event": tell}
    summary = run_plan(make_plan(4), "sqlite:///h.db", data_dirs={"fake": Path()}, **options)
sys.exit(10 + summary.done)
"""


def test_a_run_that_nobody_watches_any_more_goes_on(folder, monkeypatch):
    tests = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([tests, str(Path(tests).parent), os.environ.get("PYTHONPATH", "")]))
    assert unread("-c", RUN) == (14, "")


def test_a_run_that_is_ended_while_it_prepares_says_so(folder):
    command = [sys.executable, "-m", "harness", "run", "-m", "gap", "-b", "scenes-classification"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        while "importing OpenMMLab" not in (line := started.stderr.readline()):
            assert line, "it never came to that"
        started.send_signal(signal.SIGTERM)
        said = started.stderr.read()
    assert started.returncode == 130 and said.endswith("error: interrupted. The same command goes on where it stopped.\n")
    assert "Traceback" not in said
