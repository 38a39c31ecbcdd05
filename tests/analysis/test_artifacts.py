"""Files of trials: found from the digest beside the database, wherever that lies, and opened nowhere else."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from PIL import Image

from harness.analysis import artifacts
from harness.cli import main
from harness.errors import DataError
from harness.store import open_store

DIGEST = "0123456789abcdef"


@pytest.fixture
def results(tmp_path):
    """(URL of a database that need not exist, the folder of a trial with a log)."""
    folder = tmp_path / "results" / "trials" / DIGEST
    (folder / "artifacts").mkdir(parents=True)
    (folder / "log.txt").write_text("one\ntwo\nthree\n")
    return f"sqlite:///{tmp_path}/results/harness.db", folder


def _picture(folder, name, size=(40, 20)):
    Image.new("RGB", size, (200, 30, 30)).save(folder / "artifacts" / name)


def test_the_end_of_a_log(results):
    url, folder = results
    assert artifacts.log_tail(url, DIGEST, lines=2) == "two\nthree"
    (folder / "log.txt").write_bytes(b"\xff" * 200_000 + b"\nend\n")
    assert artifacts.log_tail(url, DIGEST).splitlines()[-1] == "end", "a line that is too long hides nothing after it"
    assert len(artifacts.log_tail(url, DIGEST)) <= 1 << 16
    assert artifacts.log_tail(url, "ab" * 8) == ""


def test_results_that_were_moved_keep_their_files(measured, tmp_path, capsys):
    (digest,) = measured("gap", None)
    folder = tmp_path / "results" / "trials" / digest
    (folder / "artifacts").mkdir(parents=True)
    (folder / "log.txt").write_text("before the move\n")
    _picture(folder, "attention-0.jpg")
    shutil.move(tmp_path / "results", tmp_path / "elsewhere")
    url = f"sqlite:///{tmp_path}/elsewhere/harness.db"
    assert artifacts.log_tail(url, digest) == "before the move"
    assert [picture.name for picture in artifacts.pictures(url, digest)] == ["attention-0.jpg"]
    for arguments in (["status", digest, "--json"], ["status", "--json"]):
        main([*arguments, "--db", url], standalone_mode=False)
        document = json.loads(capsys.readouterr().out)
        trial = document.get("trial") or document["rows"][0]
        assert trial["log"] == str(tmp_path / "elsewhere" / "trials" / digest / "log.txt")
        assert trial["work_dir"] == str(tmp_path / "elsewhere" / "trials" / digest)
    shutil.rmtree(tmp_path / "elsewhere" / "trials")
    main(["status", "--db", url], standalone_mode=False)
    assert "log:" not in capsys.readouterr().out


def test_what_the_database_says_about_paths_is_never_opened(measured, tmp_path, capsys):
    (digest,) = measured("gap", None)
    secret = tmp_path / "secret" / digest  # an import refuses what is not even called as the trial is
    (secret / "artifacts").mkdir(parents=True)
    (secret / "log.txt").write_text("a secret\n")
    _picture(secret, "attention-0.jpg")
    url = f"sqlite:///{tmp_path}/results/harness.db"
    export, told = tmp_path / "export.jsonl", tmp_path / "told.jsonl"
    main(["db", "export", str(export), "--db", url], standalone_mode=False)
    lines = [json.loads(line) for line in export.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "trial":
            line |= {"log": str(secret / "log.txt"), "work_dir": str(secret)}
    told.write_text("".join(json.dumps(line) + "\n" for line in lines))
    other = f"sqlite:///{tmp_path}/imported/harness.db"
    main(["db", "import", str(told), "--db", other], standalone_mode=False)
    assert open_store(other).trial(digest).log == str(secret / "log.txt"), "or the test would show nothing"
    assert artifacts.log_tail(other, digest) == "" and artifacts.pictures(other, digest) == []
    capsys.readouterr()
    main(["status", digest, "--db", other], standalone_mode=False)
    assert "secret" not in capsys.readouterr().out


@pytest.mark.parametrize("place", ["the trial", "its pictures", "a picture", "the log"])
def test_links_out_of_the_folder_are_not_followed(results, tmp_path, place):
    url, folder = results
    _picture(folder, "attention-0.jpg")
    outside = tmp_path / "outside"
    shutil.copytree(folder, outside)
    target = {"the trial": folder, "its pictures": folder / "artifacts", "a picture": folder / "artifacts" / "attention-0.jpg"}.get(
        place, folder / "log.txt"
    )
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    target.symlink_to(outside / target.relative_to(folder))
    assert target.exists()
    shown = bool(artifacts.log_tail(url, DIGEST)), bool(artifacts.pictures(url, DIGEST))
    assert shown == {"the trial": (False, False), "the log": (False, True)}.get(place, (True, False))


def test_a_link_to_the_folder_of_all_trials_is_followed(results, tmp_path):
    url, folder = results
    shutil.move(folder.parent, tmp_path / "large")
    folder.parent.symlink_to(tmp_path / "large")
    assert artifacts.log_tail(url, DIGEST).endswith("three")


@pytest.mark.parametrize("digest", ["..", ".", "", "../trials/" + DIGEST, DIGEST + "/artifacts/..", "a\0b", "A" * 16, "a" * 5000])
def test_only_a_digest_names_a_trial(results, digest):
    url, _ = results
    assert artifacts.find(url, digest) is None and artifacts.find(url, digest, "log.txt") is None


def test_what_is_no_file_is_not_opened(results):
    url, folder = results
    (folder / "log.txt").unlink()
    os.mkfifo(folder / "log.txt")
    (folder / "artifacts" / "attention-0.jpg").mkdir()
    (folder / "artifacts" / "loop.png").symlink_to("loop.png")
    assert artifacts.log_tail(url, DIGEST) == "" and artifacts.pictures(url, DIGEST) == []


def test_pictures_are_listed_attention_first_and_by_number(results):
    url, folder = results
    for name in ("errors.png", "attention-10.jpg", "attention-2.jpg", "attention-x.jpg", "prediction-1.jpg"):
        _picture(folder, name)
    (folder / "artifacts" / "notes.svg").write_text("<svg onload='alert(1)'/>")
    found = artifacts.pictures(url, DIGEST)
    assert [(picture.name, picture.image) for picture in found] == [
        ("attention-2.jpg", 2), ("attention-10.jpg", 10), ("prediction-1.jpg", 1), ("attention-x.jpg", None), ("errors.png", None)
    ]  # fmt: skip


def test_a_picture_that_cannot_be_shown_says_why(results, monkeypatch):
    url, folder = results
    _picture(folder, "errors.png", (600, 600))
    whole = (folder / "artifacts" / "errors.png").read_bytes()
    (picture,) = artifacts.pictures(url, DIGEST)
    assert artifacts.read(picture) == whole
    broken = {b"": "is empty", b"no picture": "damaged or no picture", whole[: len(whole) // 2]: "damaged", b"<svg/>": "no picture"}
    for content, why in broken.items():
        picture.file.write_bytes(content)
        with pytest.raises(DataError, match=why):
            artifacts.read(picture)
    Image.new("RGB", (8, 8)).save(picture.file, format="GIF")
    with pytest.raises(DataError, match="no picture"):
        artifacts.read(picture)
    picture.file.write_bytes(whole)
    monkeypatch.setattr(artifacts, "_MOST_PIXELS", 600 * 600 - 1)
    with pytest.raises(DataError, match="pixels"):
        artifacts.read(picture)
    monkeypatch.setattr(artifacts, "_MOST_BYTES", len(whole) - 1)
    with pytest.raises(DataError, match="larger"):
        artifacts.read(picture)


def test_galleries_go_by_image_and_keep_the_order_of_trials(results):
    url, folder = results
    second = folder.parent / "fedcba9876543210"
    shutil.copytree(folder, second)
    for some, name in ((folder, "attention-0.jpg"), (second, "attention-0.jpg"), (second, "attention-1.jpg"), (second, "errors.png")):
        _picture(some, name)
    found = artifacts.galleries(url, [second.name, DIGEST, "00"])
    assert {image: [*of] for image, of in found.items()} == {0: [second.name, DIGEST], 1: [second.name]}


def test_a_broken_first_epoch_is_none(results):
    url, folder = results
    file = folder / "artifacts" / "first_epoch.csv"
    file.write_text("iteration,layer,qk_distance,purity\n1,neck,3,0.5\n")
    assert artifacts.first_epoch(url, DIGEST) == [{"iteration": 1, "layer": "neck", "qk_distance": 3.0, "purity": 0.5}]
    for content in ("iteration,layer\n1,neck\n", "iteration,layer,qk_distance,purity\nx,neck,1,1\n", "\0", "iteration\n1\n"):
        file.write_text(content)
        assert artifacts.first_epoch(url, DIGEST) == []
