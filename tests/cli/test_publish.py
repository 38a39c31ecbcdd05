"""Leaderboards as files: what is committed can be drawn again, and parts of several databases are put together."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest

from harness.analysis import publish, source

FOLDER = Path(__file__).parents[2] / "results" / "leaderboards"
COMMITTED = sorted(FOLDER.rglob("*.jsonl"))


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_board_is_drawn_again_from_its_file(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 83.0, 81.0)
    said = cli("publish", "--out", "boards")
    assert said.exit_code == 0 and "2 methods, 5 trials (5 new)" in said.stdout
    (file,) = Path("boards").glob("*.jsonl")
    here = cli("leaderboard", "--format", "md").stdout
    assert file.with_suffix(".md").read_text() == here == publish.page_of(file)
    assert f"({file.stem}.md)" in Path("boards/README.md").read_text()
    assert source.board(f"sqlite:///{tmp_path}/results/harness.db").rows == publish.board_of(file).rows


def test_files_name_no_place_of_this_machine(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0)
    cli("publish", "--out", "boards")
    (file,) = Path("boards").glob("*.jsonl")
    assert str(tmp_path) not in file.read_text()
    assert all((line["log"], line["work_dir"], line["samples"]) == (None, None, {}) for line in lines(file) if line["kind"] == "trial")


def test_what_failed_is_published_until_it_ends(cli, measured):
    measured("gap", 70.0, None)
    measured("gem", None)
    cli("publish", "--out", "boards")
    (file,) = Path("boards").glob("*.jsonl")
    page = file.with_suffix(".md")
    assert "| gem | failed |" in page.read_text() and "1/2" in page.read_text()
    assert [line["reason"] for line in lines(file) if line["kind"] == "trial"] == [None] * 3, "a reason may name files"
    with sqlite3.connect("results/harness.db") as retried:
        retried.execute("UPDATE trials SET state = 'planned' WHERE state = 'failed'")
    measured("gap", 70.0, 72.0)
    cli("publish", "--out", "boards")
    assert "1/2" not in page.read_text() and "| gem | failed |" in page.read_text(), "what was published stays"


def test_a_page_says_that_newer_sources_failed(cli, measured, monkeypatch):
    measured("gap", 70.0, 72.0)
    monkeypatch.setattr("harness.compose.trial.source_digest", lambda name, files: "edited")
    measured("gap", None, None)
    cli("publish", "--out", "boards")
    (file,) = Path("boards").glob("*.jsonl")
    assert "gap was planned since with other settings or sources, without a result yet: 2 failed" in file.with_suffix(".md").read_text()
    assert file.with_suffix(".md").read_text() == cli("leaderboard", "--format", "md").stdout


def test_a_page_says_nothing_of_what_its_file_does_not_hold(cli, measured):
    measured("simpool", 80.0, 82.0, sets=("method.gamma=3",))
    cli("publish", "--out", "boards")
    measured("simpool", 70.0, 72.0)
    assert "'simpool' was run with 2 settings" in cli("leaderboard").stdout
    assert "1 methods, 2 trials (2 new)" in cli("publish", "--out", "boards").stdout
    (file,) = Path("boards").glob("*.jsonl")
    assert "2 settings" not in file.with_suffix(".md").read_text() == publish.page_of(file)


def test_what_was_published_elsewhere_stays(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0)
    cli("publish", "--out", "boards")
    with sqlite3.connect(tmp_path / "results/harness.db") as elsewhere:
        elsewhere.execute("DELETE FROM trials")
    measured("gem", 80.0, 83.0)
    assert "2 methods, 4 trials (2 new)" in cli("publish", "--out", "boards").stdout
    assert "2 methods, 4 trials (0 new)" in cli("publish", "--out", "boards").stdout
    (file,) = Path("boards").glob("*.jsonl")
    assert [row.method for row in publish.board_of(file).rows if row.primary] == ["gem", "gap"]


def measured_again(cli, measured, device: str, *top1: float) -> None:
    """The same trials, whose digests know no device, in the place of those that are in the database."""
    with sqlite3.connect("results/harness.db") as elsewhere:
        elsewhere.execute("PRAGMA foreign_keys = ON")
        elsewhere.execute("DELETE FROM trials")
    measured("gap", *top1, device=device)


def test_results_of_another_device_go_into_a_folder_of_their_own(cli, measured):
    measured("gem", 80.0, 83.0, on="digits")
    measured("gap", 70.0, 72.0, device="cpu")
    cli("publish", "--out", "boards")
    before = {file: file.read_bytes() for file in Path("boards").iterdir()}
    measured_again(cli, measured, "cuda:0", 70.5, 72.5)
    measured("simpool", 60.0, 62.0, on="digits")
    said = cli("publish", "--out", "boards")
    assert said.exit_code == 2 and "has 2 of the trials by cpu, this database has them by cuda" in said.stderr
    assert "--out boards/cuda" in said.stderr and not said.stdout
    assert {file: file.read_bytes() for file in Path("boards").iterdir()} == before
    assert "2 trials (2 new)" in cli("publish", "-b", "scenes-classification", "--out", "boards/cuda").stdout
    assert cli("publish", "-b", "digits", "--out", "boards").exit_code == 0
    two = cli("report", "boards/scenes-classification.jsonl", "boards/cuda/scenes-classification.jsonl", "--out", "report")
    assert two.exit_code == 0
    assert (
        "2 trials are in a file before it with other results, which stay (2 by cpu in a file before it, by cuda in the file)" in two.stderr
    )


def test_a_board_that_another_machine_ran_again_keeps_its_numbers_and_says_so(cli, measured):
    measured("gap", 70.0, 72.0, device="cpu")
    cli("publish", "--out", "boards")
    (file,) = Path("boards").glob("*.jsonl")
    before = file.read_bytes()
    measured_again(cli, measured, "cpu", 70.0, 72.5)
    measured("gem", 80.0, 83.0, device="cpu")
    said = cli("publish", "--out", "boards")
    assert said.exit_code == 0 and "2 methods, 4 trials (2 new)" in said.stdout
    assert f"{file} keeps its own numbers of 1 trials: this database has others" in said.stderr
    kept = [line for line in before.splitlines() if b'"kind":"trial"' in line]
    assert len(kept) == 2 and {*kept} <= {*file.read_bytes().splitlines()}
    assert not cli("publish", "--out", "again").stderr and not cli("publish", "--out", "again").stderr


def test_nothing_and_broken_files_are_sentences(cli, measured):
    assert "nothing to publish yet" in cli("publish").stderr
    measured("gap", 70.0, 72.0)
    cli("publish", "--out", "boards")
    (file,) = Path("boards").glob("*.jsonl")
    header = file.read_text().splitlines()[0]
    (file.parent / "none.jsonl").write_text(re.sub(r'"trials":\d+', '"trials":0', header) + "\n")
    said = cli("publish", "--out", "boards")
    assert said.exit_code == 0 and "none" not in Path("boards/README.md").read_text(), "an export without results has no board"
    file.write_text(file.read_text()[:500])
    said = cli("publish", "--out", "boards")
    assert said.exit_code == 2 and f"{file}, line" in said.stderr
    said = cli("publish", "--out", f"{file}/boards")
    assert said.exit_code == 2 and f"cannot write {file}/boards: Not a directory. Give another folder with --out." in said.stderr


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.relative_to(FOLDER).with_suffix("").as_posix())
def test_committed_boards_are_those_of_their_trials(file):
    assert file.with_suffix(".md").read_text() == publish.page_of(file)


@pytest.mark.parametrize("folder", sorted({file.parent for file in COMMITTED}), ids=lambda folder: folder.name)
def test_pages_over_all_are_those_of_the_committed_boards(folder):
    pages = publish.over_all(folder)
    assert {name: (folder / name).read_text() for name in pages} == pages
    inner = [page for page in FOLDER.glob(f"*/{publish.INDEX}") if folder == FOLDER]
    assert all(f"({page.relative_to(folder)})" in pages[publish.INDEX] for page in inner)


def test_ranks_over_all_boards_go_when_no_two_of_them_meet(cli, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 83.0)
    cli("publish", "--out", "boards")
    ranked = Path("boards") / publish.OVERALL
    assert not ranked.exists() and publish.OVERALL not in Path("boards/README.md").read_text()
    measured("gap", 90.0, 92.0, on="digits")
    measured("gem", 91.0, 93.5, on="digits")
    cli("publish", "-b", "digits", "--out", "boards")
    assert "| 1.0 | gem |" in ranked.read_text() and f"({publish.OVERALL})" in Path("boards/README.md").read_text()
    Path("boards/digits.jsonl").unlink()
    cli("publish", "-b", "scenes-classification", "--out", "boards")
    assert not ranked.exists()
    ranked.write_text("my own page\n")
    cli("publish", "-b", "scenes-classification", "--out", "boards")
    assert ranked.read_text() == "my own page\n", "only what publish wrote goes"
