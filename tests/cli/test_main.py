"""Errors, help and the verbs that look at the machine."""

from __future__ import annotations

import json
import runpy
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli import VERBS
from harness.doctor import Finding
from harness.errors import DataError

ROOT = Path(__file__).parents[2]


def test_reference_is_current():
    page = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))["text"]()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page, "run `python docs/make_cli.py`"
    assert all(f"## harness {verb}" in page for verb in VERBS)


def test_every_option_has_a_help_text(cli):
    import click

    from harness.cli import main

    def options(command, context):
        yield from ((command.name, param) for param in command.params if isinstance(param, click.Option))
        for name in command.list_commands(context) if isinstance(command, click.Group) else ():
            yield from options(command.get_command(context, name), context)

    silent = [(verb, param.name) for verb, param in options(main, click.Context(main)) if not param.help]
    assert not silent


def test_the_unforeseen_leaves_a_log_and_no_traceback(cli, monkeypatch):
    def explode(*args):
        raise RuntimeError("surprise")

    monkeypatch.setattr("harness.listing.list_suites", explode)
    result = cli("list", "suites")
    assert result.exit_code == 3 and "Traceback" not in result.output and "RuntimeError: surprise" in result.stderr
    log = Path(result.stderr.split()[-1].rstrip("."))
    assert "in explode" in log.read_text()
    log.unlink()


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        (["doctr"], "unknown command 'doctr'. Did you mean 'doctor'? `harness --help` shows what there is."),
        (["plugin", "chek"], "unknown command 'chek'. Did you mean 'check'? `harness plugin --help` shows what there is."),
    ],
)
def test_an_unknown_command_is_answered_with_the_nearest(cli, args, answer):
    result = cli(*args)
    assert (result.exit_code, result.stderr) == (2, f"error: {answer}\n")


def test_a_folder_that_is_gone_is_said(cli, tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    result = cli("list", "suites")
    assert result.exit_code == 2 and result.stderr.startswith("error: the current folder no longer exists.")


def test_an_interruption_is_no_regression(cli, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.listing.list_suites", interrupt)
    result = cli("list", "suites")
    assert result.exit_code == 130 and "same command" in result.stderr


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("note", 0), ("broken", 3)])
def test_doctor_fails_only_for_what_is_needed(cli, monkeypatch, state, code):
    monkeypatch.setattr("harness.doctor.examine", lambda db, root: iter([Finding("package", "torch", state, "2.13", "Mend it.")]))
    result = cli("doctor")
    assert result.exit_code == code and "Mend it." in result.stdout
    document = json.loads(cli("doctor", "--json").stdout)
    assert document["ok"] == (code == 0) and document["rows"][0]["state"] == state


def test_doctor_looks_at_packages_data_and_database(cli, monkeypatch):
    monkeypatch.setattr("harness.doctor._openmmlab", lambda: iter(()))
    monkeypatch.setattr("harness.doctor._devices", lambda: iter(()))
    found = {(row["part"], row["name"]): row for row in json.loads(cli("doctor", "--json").stdout)["rows"]}
    assert found["package", "torch"]["state"] == "ok"
    assert found["data", "scenes-classification"]["state"] == "ok"
    assert found["database", "state"]["what"].startswith("empty")
    assert {("disk", "cache"), ("disk", "results")} <= set(found)


def test_data_of_a_generated_benchmark(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "registry.yaml").write_text(
        "benchmarks: {mine: {family: classification, data: {format: synthetic, train: 12, test: 12, size: 64}}}\n"
    )
    state = {row["benchmark"]: row["state"] for row in json.loads(cli("data", "list", "--json").stdout)["rows"]}
    assert state["mine"] == "generated on first use"
    assert cli("data", "prepare", "mine").exit_code == 0
    result = cli("data", "check", "mine")
    assert result.exit_code == 0 and "is fine" in result.stdout
    damaged = next((tmp_path / "cache").rglob("*.png"))
    before = damaged.read_bytes()
    damaged.write_bytes(b"no picture")
    result = cli("data", "check", "mine", "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["ok"]
    assert damaged.read_bytes() == before, "what is damaged is written anew"


def test_malformed_real_data_stops_a_run_before_any_training(cli, monkeypatch):
    def malformed(bench, root):
        raise DataError("benchmark 'x': labels.csv: line 3 has 4 columns.")

    monkeypatch.setattr("harness.data.ready", malformed)
    result = cli("run", "-m", "gap", "-b", "scenes-classification")
    assert result.exit_code == 2 and "labels.csv" in result.stderr


def test_the_time_limit_reaches_the_run(cli, monkeypatch):
    from harness.data import Ready
    from harness.engine.run import Summary

    limits = []

    def run_plan(*args, time_limit, **options):
        limits.append(time_limit)
        return Summary(total=1, ran=0, done=0, failed=[], missing=[])

    monkeypatch.setattr("harness.engine.run.run_plan", run_plan)
    monkeypatch.setattr("harness.data.ready", lambda bench, root: Ready(Path(), ("1 training and 1 test samples",)))
    for given in ((), ("--time-limit", "1.5")):
        assert cli("run", "-m", "gap", "-b", "scenes-classification", *given).exit_code == 0
    assert limits == [None, 1.5]
    refused = cli("run", "-m", "gap", "-b", "scenes-classification", "--time-limit", "0")
    assert refused.exit_code == 2 and "--time-limit" in refused.stderr and len(limits) == 2


def test_dashboard_listens_on_this_machine_only(cli, monkeypatch):
    import os

    seen = {}
    monkeypatch.setattr(os, "execve", lambda program, command, env: seen.update(command=command, db=env["HARNESS_DB"]))
    assert cli("dashboard", "--port", free_port(), "--db", "sqlite:///x.db").exit_code == 0
    assert seen["command"][1] == "-P"  # nothing is imported from the current folder
    assert "--server.address=127.0.0.1" in seen["command"] and seen["db"] == "sqlite:///x.db"


def test_a_taken_port_is_said(cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli("dashboard", "--port", port)
    assert result.exit_code == 2 and f"port {port} is taken" in result.stderr and f"--port {port + 1}" in result.stderr


def test_who_ends_the_dashboard_ends_its_server(tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "harness", "dashboard", "--port", str(port)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as dashboard:
        try:
            assert f"http://127.0.0.1:{port}" in dashboard.stdout.readline()
            while dashboard.poll() is None and not listens(port):
                time.sleep(0.1)
            assert dashboard.poll() is None
            dashboard.terminate()
            dashboard.wait(20)
        finally:
            dashboard.kill()
    assert not listens(port)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
