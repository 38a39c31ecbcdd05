"""What is shown of one trial, against what was measured, written out by hand."""

from __future__ import annotations

import shlex

from harness.analysis import reproduction


def test_no_text_of_a_store_becomes_a_command(trial_row):
    evil = "x; rm -rf ~ $(id) `id` 'a' \"b\""
    row = trial_row(method=evil, benchmark=evil, seed=2, overrides=(f"data.name={evil}",))
    sha = "$(id)" + "0" * 35
    (line,) = reproduction.command(row, {"device": "cpu; id", "git_sha": sha}, None)
    assert shlex.split(line) == [
        *("harness", "run", "-m", evil, "-b", evil, "--seeds", "3", "--set", f"data.name={evil}", "--db", reproduction.ELSEWHERE)
    ]
    sha = "0123456789" * 4
    assert reproduction.command(row, {"git_sha": sha, "device": "cuda:1"}, None)[0] == f"git checkout {sha}"
    assert "--device cuda:1" in reproduction.command(row, {"git_sha": sha, "device": "cuda:1"}, None)[1]
    assert reproduction.command(row, {"git_sha": sha, "git_dirty": True}, None)[0].startswith("#")
