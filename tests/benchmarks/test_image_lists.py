"""Lists of images, and pictures of 16 bits, as people bring them to classification."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from formats import image_list
from PIL import Image

from harness.benchmarks import task
from harness.catalog import Benchmark


@pytest.fixture
def entry(tmp_path: Path) -> Benchmark:
    content = image_list(tmp_path)
    return Benchmark(id="lists", **{**content, "data": {**content["data"], "root": "x"}})


def _fatal(entry: Benchmark, root: Path) -> list[str]:
    return [f"{problem.what}. {problem.mend}" for problem in task(entry).check(root) if problem.fatal]


def test_an_image_with_two_classes_is_refused(entry, tmp_path):
    first = (tmp_path / "train.txt").read_text().splitlines()[0].split()[0]
    (tmp_path / "train.txt").open("a").write(f"{first} 2\n")
    assert _fatal(entry, tmp_path) == [f"the image images/{first}.png is listed with two classes. delete the wrong line"]


def test_names_in_one_list_and_numbers_in_another_are_refused(entry, tmp_path):
    """As an export of one tool for training and of another for the test: which number is which name nobody says."""
    lines = (tmp_path / "train.txt").read_text().splitlines()
    (tmp_path / "train.txt").write_text("".join(f"{line.split()[0]} {'ba'[int(line.split()[1]) % 2]}\n" for line in lines))
    mend = "write the names everywhere, or numbers, which count from 0 or from 1 alike in all lists"
    assert _fatal(entry, tmp_path) == [f"the lists name some classes ('a') and count others ('1'). {mend}"]


def test_a_line_that_stands_twice_counts_once_and_is_told(entry, tmp_path):
    lines = (tmp_path / "train.txt").read_text()
    (tmp_path / "train.txt").write_text(lines + lines.splitlines()[0] + "\n")
    listing = task(entry).listing(tmp_path)
    assert len(listing.train) == len(lines.splitlines()) and listing.left_out == {"lines that repeat an image": 1}
    assert _fatal(entry, tmp_path) == []


@pytest.mark.parametrize("before", ["/home/anna/data/", "D:\\data\\", "../", "images/"])
def test_paths_of_another_machine_are_refused_with_the_path_from_here(entry, tmp_path, before):
    lines = (tmp_path / "train.txt").read_text().splitlines()
    (tmp_path / "train.txt").write_text("".join(f"{before}{line}\n" for line in lines))
    first = lines[0].split()[0]
    what = f"{len(lines)} of its images are not where it says, but at an end of that path: '{before}{first}' is '{first}' here"
    assert _fatal(entry, tmp_path) == [f"{what}. write paths from data.images on, '{first}', or correct data.images"]
    (tmp_path / "train.txt").write_text("\n".join([*lines, f"{before}none.png 1"]))
    assert _fatal(entry, tmp_path) == [f"the image '{before}none.png' is not in the folder 'images'. add it, or take its line out"]


def test_a_slash_before_a_path_is_read_over(entry, tmp_path):
    """As in the lists of Places365."""
    before = [sample.file for sample in task(entry).listing(tmp_path).train]
    lines = (tmp_path / "train.txt").read_text().splitlines()
    for slash in ("/", f"{tmp_path}/images/"):
        (tmp_path / "train.txt").write_text("".join(f"{slash}{line}\n" for line in lines))
        assert [sample.file for sample in task(entry).listing(tmp_path).train] == before and _fatal(entry, tmp_path) == []


def test_a_name_of_two_images_is_refused_where_it_has_no_suffix(entry, tmp_path):
    name = (tmp_path / "train.txt").read_text().split()[0]
    Image.new("RGB", (8, 8)).save(tmp_path / f"images/{name}.bmp")
    assert _fatal(entry, tmp_path) == [f"'{name}' may be '{name}.bmp' or '{name}.png'. write the name of the image with its suffix"]
    lines = (tmp_path / "train.txt").read_text().splitlines()
    (tmp_path / "train.txt").write_text("".join(f"{line.replace(' ', '.png ', 1)}\n" for line in lines))
    assert _fatal(entry, tmp_path) == []


OTHERS = {
    "behind": ("id class path\n", "{n} {c} {f}", "the image stands in column 3, e.g. '0 1 {f}', below a header, 'id class path'"),
    "no header": ("", "x {f}", "the image stands in column 2, e.g. 'x {f}'. write the image first and its class behind it"),
    "header": ("path label\n", "{f} {c}", "its first line is a header, 'path label'. take that line out"),
    "no class": ("", "{f}", "its lines are images without a class. write the class behind each image"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_lists_of_other_columns_are_refused_with_the_line_that_is_meant(entry, tmp_path, case):
    """Stanford Online Products has a header and paths in column 4, DTD no classes."""
    header, line, told = OTHERS[case]
    names = [one.split()[0] for one in (tmp_path / "train.txt").read_text().splitlines()]
    rows = (line.format(n=n, c=n % 2 + 1, f=name) for n, name in enumerate(names))
    (tmp_path / "train.txt").write_text(header + "\n".join(rows))
    (said,) = _fatal(entry, tmp_path)
    assert said.startswith(told.format(f=names["header" not in told]))


@pytest.mark.parametrize(("third", "classes", "told"), [("other", 2, "'1 0' is 'b'"), ("same", 2, ""), ("other", 3, "each of 3 classes")])
def test_a_column_for_each_class_is_told(entry, tmp_path, third, classes, told):
    for split in ("train", "test"):
        lines = [line.split()[0] for line in (tmp_path / f"{split}.txt").read_text().splitlines()]
        hot = [[int(place % classes == label) for label in range(classes)] for place in range(len(lines))]
        rows = [f"{name} {' '.join(map(str, row if third == 'other' else row[:1] * 2))}\n" for name, row in zip(lines, hot, strict=True)]
        (tmp_path / f"{split}.txt").write_text("".join(rows))
    named = entry.model_copy(update={"data": {**entry.data, "classes": ["a", "b", "c"][:classes], "val": None}})
    found = [one for one in task(named).listing(tmp_path).problems if one.where == "data.column"]
    assert [told in one.what for one in found] == [True] * bool(told) and all(one.fatal == (classes > 2) for one in found)
    if told and classes == 2:
        mended = task(named.model_copy(update={"data": {**named.data, "column": 3}})).listing(tmp_path)
        assert mended.problems == [] and [sample.label for sample in mended.train][:2] == [0, 1]


def test_a_class_that_the_test_lacks_is_told(entry, tmp_path):
    lines = (tmp_path / "test.txt").read_text().splitlines()
    (tmp_path / "test.txt").write_text("\n".join(line for line in lines if line.split()[1] == "1"))
    assert _fatal(entry, tmp_path) == []
    told = [one for one in task(entry).check(tmp_path) if one.where == "test.txt"]
    assert [one.what for one in told] == ["no image of the class b"] and "data.classes" not in told[0].mend
    train = (tmp_path / "train.txt").read_text().splitlines()
    (tmp_path / "train.txt").write_text("\n".join(line for line in train if line.split()[1] == "1"))
    assert any("no image of the class" in one and "data.classes" in one for one in _fatal(entry, tmp_path))


def test_a_list_of_another_encoding_is_refused_with_the_mend(entry, tmp_path):
    text = (tmp_path / "train.txt").read_text()
    for encoding in ("utf-16", "utf-16-le"):
        (tmp_path / "train.txt").write_text(text, encoding=encoding)
        said = "cannot read the list train.txt: not UTF-8 text. save it as UTF-8; some programs write UTF-16 unless told"
        assert _fatal(entry, tmp_path)[0] == said


@pytest.mark.parametrize(("mark", "name"), [(",", "commas"), (";", "semicolons")])
def test_columns_parted_by_something_else_are_refused_with_the_mend(entry, tmp_path, mark, name):
    lines = (tmp_path / "train.txt").read_text().splitlines()
    (tmp_path / "train.txt").write_text("\n".join(mark.join(line.split()) for line in lines))
    said = _fatal(entry, tmp_path)[0]
    assert "has no column 2. part the columns by blanks or tabs, not by " + name in said and "an image and its class a line" in said


def test_classes_may_hold_blanks_and_names_of_images_need_tabs(entry, tmp_path):
    names = ["fire truck", "fire"]
    for split in ("train", "test"):
        lines = [line.split() for line in (tmp_path / f"{split}.txt").read_text().splitlines()]
        files = [(tmp_path / f"images/{one[0]}.png", place % 2) for place, one in enumerate(lines)]
        (tmp_path / f"{split}.txt").write_text("".join(f"{file.stem} {names[label]} 7\n" for file, label in files))
    named = entry.model_copy(update={"data": entry.data | {"classes": names}})
    assert _fatal(named, tmp_path) == []
    assert {sample.label for sample in task(named).listing(tmp_path).train} == {0, 1}
    for split in ("train", "test"):
        (tmp_path / f"{split}.txt").write_text("a photo.png 1\n")
    assert any("the class 'photo.png'" in one and "part the columns by tabs" in one for one in _fatal(entry, tmp_path))


def test_batches_of_one_image_are_told(entry, tmp_path):
    from harness.benchmarks.check_model import check_model

    assert check_model(task(entry), 8) == []
    (lone,) = check_model(task(entry), 1)
    assert not lone.fatal and (lone.where, lone.mend) == ("train split", "give at least 2 training images")
    (single,) = check_model(task(entry.model_copy(update={"schedule": {"batch_size": 1}})), 8)
    assert not single.fatal and (single.where, single.mend) == ("schedule.batch_size", "write 2 or more")


def _deepen(files: list[Path], largest: int) -> None:
    for file in files:
        grey = np.asarray(Image.open(file).convert("L"), np.uint16) * largest // 255
        grey[0] = largest
        Image.fromarray(grey).save(file)


BOTH = "test images have 16 bits and values of 12, training images have 8 bits. write data.bits: 12 to have both seen in their full range"


@pytest.mark.parametrize(("deep", "said"), [("train", []), ("test", [BOTH]), ("both", [])])
def test_splits_of_other_depths_are_read_alike_or_refused(entry, tmp_path, deep, said):
    for split in ("train", "test"):
        if deep in (split, "both"):
            _deepen(sorted(tmp_path.glob(f"images/{split}*.png")), 4095)
    assert _fatal(entry, tmp_path) == said
    said_bits = entry.model_copy(update={"data": entry.data | {"bits": 12}})
    assert _fatal(said_bits, tmp_path) == []


def test_a_hot_pixel_does_not_darken_the_rest_without_a_word(entry, tmp_path):
    files = sorted(tmp_path.glob("images/*.png"))
    _deepen(files, 4095)
    hot = np.array(Image.open(files[0]))
    hot[0, 0] = 65535
    Image.fromarray(hot).save(files[0])
    said = [problem.what for problem in task(entry).check(tmp_path)]
    assert "16-bit images have values of 16 bits, but all but a thousandth of their pixels need 12" in said


def test_a_class_of_thousands_of_digits_is_no_number(entry, tmp_path):
    first = (tmp_path / "train.txt").read_text().splitlines()[0].split()[0]
    (tmp_path / "train.txt").open("a").write(f"{first} {'9' * 5000}\n")
    assert f"the lists name the class '{'9' * 60}', which is not among them" in _fatal(entry, tmp_path)[0]
