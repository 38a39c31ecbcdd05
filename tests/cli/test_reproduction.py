"""The command that a trial's status gives plans that trial again: as registered, with --set, tuned, and one of the tuning itself."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from test_tuned import RUN, run  # noqa: F401  trials that cost nothing

from harness.analysis import reproduction, source
from harness.compose import trial

DB = "sqlite:///results/harness.db"


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--set", "schedule.lr=0.02", "--set", "schedule.batch_size=6"),
        ("--tune", "4", "--tune-seeds", "2", "--set", "schedule.batch_size=6"),
    ],
)
def test_the_command_of_a_trial_plans_it_again(run, more):  # noqa: F811
    done = run(*RUN, *more)
    assert done.exit_code == 0, done.output
    rows = json.loads(run("status", "--json").stdout)["rows"]
    assert len(rows) == (4 + 2 * 4 * 2 if "--tune" in more else 4)
    for row in rows:
        lines = json.loads(run("status", row["digest"], "--json").stdout)["trial"]["command"]
        words = shlex.split(lines[-1])
        assert words[0] == "harness" and words[-1] == reproduction.ELSEWHERE
        again = run(*words[1:-1], DB, "--dry-run")  # where the winners of the tuning are known
        assert row["digest"] in {line.split()[0] for line in again.stdout.splitlines()}, (lines, again.output)
        view = source.trial_view(DB, row["digest"])
        assert reproduction.differs_here(view.row, view.conditions, view.tuning) == ""
    assert run(*words[1:]).exit_code == 0
    assert source.states(reproduction.ELSEWHERE, [row["digest"]]) == {row["digest"]: "done"}
    assert lines[-1] in run("status", row["digest"]).stdout


def test_what_has_changed_here_is_told(run, monkeypatch):  # noqa: F811
    assert run(*RUN).exit_code == 0
    view = source.trial_view(DB, source.trials(DB, methods=["gem"])[0].digest)

    def why() -> str:
        return reproduction.differs_here(view.row, view.conditions, view.tuning)

    assert why() == ""
    registry = Path("registry.yaml").read_text()
    changes = {
        registry.replace("lr: 0.01", "lr: 0.02"): "the config is another",
        registry.replace("tier: synthetic", "tier: synthetic\n    version: 2"): "of version 2, not 1",
        registry.replace("  tiny:", "  small-one:").replace("[tiny]", "[small-one]"): "unknown benchmark 'tiny'",
    }
    for text, says in changes.items():
        Path("registry.yaml").write_text(text)
        assert says in why()
    Path("registry.yaml").write_text(registry)
    monkeypatch.setattr(trial, "source_digest", lambda name, files: "another")
    assert "the code of gem is another" in why()
