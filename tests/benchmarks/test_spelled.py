"""Names that lists and entries spell otherwise than the disk: another Unicode form, the suffix in capitals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unicodedata import normalize

import formats
import pytest
from examined import entry_of

from harness.benchmarks import task
from harness.benchmarks.spelled import Spelled

NFC, NFD = "\u00e9", "e\u0301"


@pytest.mark.parametrize(
    ("there", "asked", "suffixes", "found"),
    [
        (["a.jpg", "a.JPG"], "a.jpg", [""], "a.jpg"),
        (["a.JPG"], "a.jpg", [""], "a.JPG"),
        (["a.JPG", "a.Jpg"], "a.jpg", [""], None),
        (["A.JPG"], "a.jpg", [""], None),
        (["a.JPG", "a.png"], "a", [".jpg", ".png"], "a.png"),
        (["a.JPG", "a.PNG"], "a", [".jpg", ".png"], "a.JPG"),
        ([f"{NFD}/{NFD}.JPG"], f"{NFC}/{NFC}.jpg", [""], f"{NFD}/{NFD}.JPG"),
        ([f"{NFC}/b/{NFD}.png"], f"{NFD}/b/{NFC}", [".png"], f"{NFC}/b/{NFD}.png"),
        (["x.Y/a.png"], "x.y/a.png", [""], None),
        (["a.png"], "b.png", [""], None),
        (["a.png/b"], "a.png", [""], None),
        (["a.png"], "a" * 5000, ["", ".png"], None),
        (["a.png"], "", ["", ".png"], None),
    ],
)
def test_a_name_finds_what_looks_the_same(tmp_path, there, asked, suffixes, found):
    for name in there:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert Spelled(tmp_path).file(asked, suffixes) == (tmp_path / found if found else None)
    assert Spelled(tmp_path / "none").file(asked, suffixes) is None


def _accented(value: Any) -> Any:
    """The content of an annotation file whose images have an accent."""
    if isinstance(value, dict):
        names = ("imlist", "qimlist")
        return {
            key: NFC + part if key == "file_name" else [NFC + one for one in part] if key in names else _accented(part)
            for key, part in value.items()
        }
    return [*map(_accented, value)] if isinstance(value, list) else value


def mmseg_lists(root: Path) -> formats.Entry:
    entry = formats.mmseg_folder(root)
    for split, count in formats.SPLITS.items():
        (root / f"{split}.txt").write_text("".join(f"{index}.PNG\n" for index in range(count)))
        entry["data"][split]["list"] = f"{split}.txt"
    return entry


LISTED = [
    formats.image_list, formats.retrieval_revisited, formats.mmseg_folder, mmseg_lists, formats.segmentation_coco, formats.keypoint_coco,
    formats.localization_coco, formats.detection_coco,
]  # fmt: skip


@pytest.mark.parametrize("build", LISTED, ids=lambda build: build.__name__)
def test_files_as_cameras_and_macos_name_them_are_those_of_a_list(tmp_path, build):
    own = task(entry_of(build(tmp_path)))
    before = {split: len(own.listing(tmp_path).of(split)) for split in ("train", "test")}
    for file in [*tmp_path.rglob("*.png")]:
        file.rename(file.with_name(f"{NFD}{file.stem}.PNG"))
    for file in tmp_path.rglob("*.txt"):
        file.write_text("".join(NFC + line for line in file.read_text().splitlines(keepends=True)), encoding="utf-8")
    for file in tmp_path.rglob("*.json"):
        file.write_text(json.dumps(_accented(json.loads(file.read_text()))), encoding="utf-8")
    listing = own.listing(tmp_path)
    assert [problem.sentences for problem in own.check_listing(tmp_path, listing) if problem.fatal] == []
    assert {split: len(listing.of(split)) for split in before} == before
    assert all(file.is_file() for sample in listing.train for file in listing.files_of(sample))


@pytest.mark.parametrize("build", [formats.image_folder, formats.retrieval_folder], ids=lambda build: build.__name__)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("named", [False, True])
def test_class_folders_may_be_written_otherwise_in_another_split(tmp_path, build, form, named):
    content = build(tmp_path)
    for folder in [*tmp_path.glob("*/a")]:
        folder.rename(folder.with_name(normalize(form if folder.parent.name == "train" else "NFC", NFD)))
    if named:
        content["data"]["classes"] = [NFD, "b"]
    own: Any = task(entry_of(content))
    assert [problem.sentences for problem in own.check(tmp_path) if {NFC, NFD} & {*problem.where.split("/")}] == []
    assert {sample.label for sample in own.listing(tmp_path).test} == {0, 1}


def test_classes_of_a_list_may_be_written_otherwise(tmp_path):
    content = formats.image_list(tmp_path)
    content["data"]["classes"] = [NFC, "b"]
    for file in tmp_path.glob("*.txt"):
        rows = [line.split() for line in file.read_text().splitlines()]
        file.write_text("".join(f"{name} {NFD if number == '1' else 'b'}\n" for name, number, _ in rows), encoding="utf-8")
    own = task(entry_of(content))
    assert [problem.sentences for problem in own.check(tmp_path) if problem.fatal] == []
