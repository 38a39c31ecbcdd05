"""Localization readers on what people bring: the right pictures and boxes, or a sentence that names cause and mend."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.benchmarks import Task, task
from harness.catalog import Benchmark

SIZE = (96, 64)
NAMES = ("g", "r")


def bench(**data) -> Task:
    return task(Benchmark(id="b", family="object-localization", data={"root": "r", "size": 32, **data}))


def check(found: Task, root: Path, *, fatal: bool | None = None) -> list[str]:
    return [problem.sentences for problem in found.check(root) if fatal in (None, problem.fatal)]


def counts(found: Task, root: Path) -> list[int]:
    listing = found.listing(root)
    return [len(listing.split(split)) for split in ("train", "test")]


def said(sentences: list[str], *words: str) -> bool:
    return any(all(word in sentence for word in words) for sentence in sentences)


def picture(file: Path, seed: int, tag: int = 1) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = tag
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8)).save(file, exif=exif.tobytes())


# --- COCO


@pytest.fixture
def coco(tmp_path: Path) -> dict:
    """18 pictures in three folders whose base names are the same, a box each; the test is the last folder."""
    content: dict = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "g"}, {"id": 2, "name": "r"}]}
    for n in range(1, 19):
        file = f"cam{(n - 1) // 6 + 1}/{(n - 1) % 6:03d}.png"
        picture(tmp_path / "img" / file, n)
        content["images"].append({"id": n, "file_name": file, "width": 96, "height": 64})
        box = [n, n + 1, 30, 20]
        content["annotations"].append({"id": n, "image_id": n, "category_id": 1 + n % 2, "bbox": box, "area": 600, "iscrowd": 0})
    return content


def part(content: dict, first: int, last: int) -> dict:
    return copy.deepcopy({**content, **{key: content[key][first:last] for key in ("images", "annotations")}})


def split_of(root: Path, name: str, content: dict, subset: str | None = None) -> dict:
    (root / f"{name}.json").write_text(json.dumps(content))
    return {"annotations": f"{name}.json", "images": "img"} | ({"subset": subset} if subset else {})


def of(root: Path, train: dict, test: dict, **data) -> Task:
    splits = {"train": split_of(root, "train", train), "test": split_of(root, "test", test)}
    return bench(format="coco", **{"classes": 2} | splits | data)


def changed(coco: dict, root: Path, change) -> Task:
    """A dataset of 12 and 6 pictures whose test file was changed."""
    test = part(coco, 12, 18)
    change(test)
    return of(root, part(coco, 0, 12), test)


def test_pictures_of_one_base_name_in_several_folders_are_several(coco, tmp_path):
    same = split_of(tmp_path, "all", coco)
    found = bench(format="coco", classes=2, train=same, test=same)
    assert counts(found, tmp_path) == [18, 18] and check(found, tmp_path) == []
    assert [p.file for p in found.listing(tmp_path).test[::6]] == ["img/cam1/000.png", "img/cam2/000.png", "img/cam3/000.png"]


def each(key: str, how, kind: str = "annotations"):
    return lambda content: [entry.update({key: how(entry[key])}) for entry in content[kind]]


def some_text_ids(content: dict) -> None:
    for entry in content["annotations"][:3]:
        entry["image_id"] = str(entry["image_id"])


def text_categories(content: dict) -> None:
    content["categories"] = [{"id": "1", "name": "g"}, {"id": "2", "name": "r"}]
    each("category_id", str)(content)


RIGHT = {
    "as it is": lambda content: None,
    "image ids as text in some annotations": some_text_ids,
    "image ids as floats": each("image_id", float),
    "image ids as padded text in the images": each("id", lambda number: f"{number:06d}", "images"),
    "category ids as text": text_categories,
    "sizes as text": each("width", str, "images"),
    "backslashes": each("file_name", lambda name: name.replace("/", "\\"), "images"),
    "categories numbered otherwise": lambda content: content.update(
        categories=[{"id": 40, "name": "r"}, {"id": 70, "name": "g"}],
        annotations=[{**a, "category_id": {1: 70, 2: 40}[a["category_id"]]} for a in content["annotations"]],
    ),
    "a category that training does not know and no annotation has": lambda content: content["categories"].append({"id": 9, "name": "all"}),
    "boxes as text": each("bbox", lambda box: [str(number) for number in box]),
}


@pytest.mark.parametrize("case", RIGHT)
def test_coco_files_that_mean_the_same_are_read_alike(coco, tmp_path, case):
    found = changed(coco, tmp_path, RIGHT[case])
    assert counts(found, tmp_path) == [12, 6] and check(found, tmp_path) == []
    test = found.listing(tmp_path).test
    assert [p.labels for p in test] == [(n % 2,) for n in range(13, 19)]
    assert [p.boxes for p in test] == [((n, n + 1, n + 30, n + 21),) for n in range(13, 19)]


def flat(content: dict) -> None:
    content["annotations"].append({"id": 918, "image_id": 13, "category_id": 1, "bbox": [29.65, 38.33, 1.03, 0.0], "iscrowd": 0})


TOLD = {
    "box without area": (flat, 6, ("1 box without area left out", "annotation 918")),
    "image twice": (lambda c: c["images"].append(dict(c["images"][0])), 6, ("1 image listed more than once", "cam3/000.png")),
    "image twice, two ids": (lambda c: c["images"].append({**c["images"][0], "id": 99}), 6, ("1 image listed more than once",)),
    "orphan": (lambda c: c["annotations"][0].update(image_id=999), 5, ("1 annotation of no image left out", "999")),
    "crowd only": (lambda c: c["annotations"][0].update(iscrowd=1), 5, ("1 image with nothing but crowds or ignored", "cam3/000.png")),
    "ignored": (lambda c: c["annotations"][0].update(ignore=1), 5, ("1 image with nothing but crowds or ignored", "cam3/000.png")),
    "a class untested": (each("category_id", lambda _: 1), 6, ("1 of 2 classes have no test image (labels 1)",)),
    "some without box": (lambda c: c["annotations"][0].update(bbox=None), 5, ("1 object without bbox", "annotation 13")),
    "empty image": (lambda c: c["annotations"].pop(), 5, ("'img/cam3/005.png' shows no object; it is not scored",)),
}


@pytest.mark.parametrize("case", TOLD)
def test_what_is_left_out_of_coco_is_counted_and_told(coco, tmp_path, case):
    change, left, words = TOLD[case]
    found = changed(coco, tmp_path, change)
    assert counts(found, tmp_path) == [12, left]
    assert check(found, tmp_path, fatal=True) == []
    assert said(check(found, tmp_path, fatal=False), *words), check(found, tmp_path)


def other_names(content: dict) -> None:
    content["categories"] = [{"id": 1, "name": "Green"}, {"id": 2, "name": "r "}]


REFUSED = {
    "no box at all": (each("bbox", lambda box: None), ("test split", "no image has a box")),
    "no image is meant": (each("image_id", lambda number: f"{number}.png"), ("6 annotations of no image", "'13.png'")),
    "another name": (other_names, ("unknown category 'Green', in 3 annotations", "g, r")),
    "unknown category": (lambda c: c["annotations"][0].update(category_id=7), ("unknown category 7, in 1 annotation",)),
    "one id for two images": (lambda c: c["images"][1].update(id=13), ("two images have the id 13", "cam3/000.png", "cam3/001.png")),
    **{
        f"image twice, spelled {way}": (
            lambda c, spelled=spelled: c["images"].append({**c["images"][0], "file_name": spelled, "id": 99}),
            (f"'{spelled}' is the file of another image", "cam3/000.png"),
        )
        for way, spelled in {"with a dot": "././cam3/000.png", "with two strokes": "cam3//000.png", "in capitals": "cam3/000.PNG"}.items()
    },
    "no ids": (lambda c: c["images"][1].pop("id"), ("lacks id or file_name",)),
    "category without id": (lambda c: c["categories"].append({"name": "x"}), ("a category lacks its id",)),
    "one id for two categories": (lambda c: c["categories"].append({"id": 1, "name": "x"}), ("two categories have the id 1",)),
    "fractions": (each("bbox", lambda b: [b[0] / 96, b[1] / 64, b[2] / 96, b[3] / 64]), ("6 boxes of 6 in the first pixel", "multiply")),
    "corners, by area": (each("bbox", lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]), ("looks like x0, y0, x1, y1", "width, height")),
    "negative width": (lambda c: c["annotations"][0].update(bbox=[30, 5, -5, 9]), ("inverted",)),
    "nan": (lambda c: c["annotations"][0].update(bbox=[30, 5, float("nan"), 9]), ("not finite",)),
    "absolute path": (each("file_name", lambda name: f"/{name}", "images"), ("points outside",)),
    "another drive": (each("file_name", lambda name: f"C:/{name}", "images"), ("points outside",)),
    "missing image": (lambda c: c["images"][0].update(file_name="cam4/000.png"), ("img/cam4/000.png", "missing")),
    "training image": (lambda c: c["images"][0].update(file_name="cam1/000.png"), ("test images are training images",)),
    "sizes exchanged": (lambda c: [i.update(width=64, height=96) for i in c["images"]], ("5 images more", "data.exif: apply")),
}


@pytest.mark.parametrize("case", REFUSED)
def test_coco_that_cannot_be_right_is_refused_with_the_mend(coco, tmp_path, case):
    change, words = REFUSED[case]
    problems = check(changed(coco, tmp_path, change), tmp_path, fatal=True)
    assert any(all(word.lower() in problem.lower() for word in words) for problem in problems), problems


def test_an_unknown_category_is_no_crowd(coco, tmp_path):
    found = check(changed(coco, tmp_path, REFUSED["unknown category"][0]), tmp_path)
    assert said(found, "unknown category 7") and not said(found, "crowds"), found


def test_corners_without_areas_are_known_by_leaving_their_images(coco, tmp_path):
    def change(content: dict) -> None:
        for n, entry in enumerate(content["annotations"]):
            del entry["area"]
            entry["bbox"] = [40 + n, 30, 70 + n, 50]

    assert said(check(changed(coco, tmp_path, change), tmp_path, fatal=True), "reaches out of the image", "two corners where")


def test_training_categories_give_the_labels(coco, tmp_path):
    train, test = part(coco, 0, 12), part(coco, 12, 18)
    train["categories"] = [{"id": 20, "name": "g"}, {"id": 3, "name": "r"}]
    for entry in train["annotations"]:
        entry["category_id"] = {1: 20, 2: 3}[entry["category_id"]]
    listing = of(tmp_path, train, test).listing(tmp_path)
    assert [p.labels for p in listing.train[:2]] == [(0,), (1,)]  # r has the lower id
    assert [p.labels for p in listing.test[:2]] == [(0,), (1,)]
    assert said(check(of(tmp_path, train, test, classes=3), tmp_path), "there are 2 categories", "data.classes: 2")


def test_without_categories_nobody_is_told_to_write_zero_classes(coco, tmp_path):
    problems = check(of(tmp_path, part(coco, 0, 12) | {"categories": []}, part(coco, 12, 18)), tmp_path)
    assert said(problems, "there are 0 categories") and not said(problems, "data.classes: 0.")


def test_images_of_a_single_class_without_box_are_no_background(coco, tmp_path):
    for entry in coco["annotations"]:
        entry["category_id"] = 1
    coco["categories"].pop()
    train, test = part(coco, 0, 12), part(coco, 12, 18)
    train["annotations"][0]["bbox"] = [5, 5, 0, 9]
    train["annotations"][1]["iscrowd"] = 1
    train["annotations"].pop(2)
    labels = {p.file: p.labels for p in of(tmp_path, train, test, classes=1).listing(tmp_path).split("train") if p.crop is None}
    assert labels["img/cam1/000.png"] == (0,), "an object is there, though its box has no area"
    assert "img/cam1/001.png" not in labels, "of a crowd neither object nor background is known"
    assert labels["img/cam1/002.png"] == (1,)


@pytest.mark.parametrize("line", ["{}", "img/{}", "/home/me/data/img/{}", "C:\\img\\{}"])
@pytest.mark.parametrize("suffix", [".png", ""])
def test_a_subset_may_be_written_as_people_do(coco, tmp_path, line, suffix):
    lines = [line.format(f"cam{n}/00{n}{suffix}") for n in (3, 1)]
    (tmp_path / "list.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8-sig")
    same = split_of(tmp_path, "all", coco, "list.txt")
    listing = bench(format="coco", classes=2, train=same, test=same).listing(tmp_path)
    assert [p.file for p in listing.split("test")] == ["img/cam3/003.png", "img/cam1/001.png"]


def test_a_subset_that_names_no_or_several_images_is_refused(coco, tmp_path):
    (tmp_path / "list.txt").write_text("000.png\ncam7/000.png\ncam1/001.png\ncam1/001.png\n")
    same = split_of(tmp_path, "all", coco, "list.txt")
    problems = check(bench(format="coco", classes=2, train=same, test=same), tmp_path)
    assert said(problems, "'000.png' may mean cam1/000.png or cam2/000.png")
    assert said(problems, "'cam7/000.png' is not among the images")
    assert said(problems, "1 image listed more than once")


# --- PASCAL VOC


def annotation(file: Path, *boxes: tuple, name: str = "", size: str = "<width>96</width><height>64</height>", folder: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    tags = ("xmin", "ymin", "xmax", "ymax")
    objects = "".join(
        f"<object><name>{kind}</name><bndbox>{''.join(f'<{t}>{v}</{t}>' for t, v in zip(tags, corners, strict=True))}</bndbox></object>"
        for kind, *corners in boxes
    )
    file.write_text(f"<annotation><folder>{folder}</folder><filename>{name}</filename><size>{size}</size>{objects}</annotation>")


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    for n in range(8):
        picture(tmp_path / f"images/{n}.png", n)
        annotation(tmp_path / f"annotations/{n}.xml", (NAMES[n % 2], 6 + n, 7, 35 + n, 27), name=f"{n}.png")
    return tmp_path


def voc_of(**data) -> Task:
    return bench(format="voc-xml", classes=list(NAMES), **data)


def boxes_of(found: Task, root: Path) -> dict[str, tuple]:
    listing = found.listing(root)
    return {p.file: (p.labels, p.boxes) for split in ("train", "test") for p in listing.split(split)}


EXPECTED = {f"images/{n}.png": ((n % 2,), ((5 + n, 6, 35 + n, 27),)) for n in range(8)}


def rewrite(how):
    def change(root: Path) -> None:
        for n in range(8):
            file = root / f"annotations/{n}.xml"
            file.write_text(how(file.read_text(), n))

    return change


def nested(root: Path) -> None:
    for n in range(4):
        for folder, suffix in (("images", ".png"), ("annotations", ".xml")):
            (root / folder / "a").mkdir(exist_ok=True)
            (root / folder / f"{n}{suffix}").rename(root / folder / f"a/{n}{suffix}")


def junk(root: Path) -> None:
    for folder, suffix in (("images", ".png"), ("annotations", ".xml")):
        for name in (".ipynb_checkpoints", "@eaDir", "__MACOSX"):
            (root / folder / name).mkdir()
            (root / folder / name / f"0{suffix}").write_bytes((root / folder / f"0{suffix}").read_bytes())
        (root / folder / f"._1{suffix}").write_bytes(b"\x00\x05\x16\x07")


SAME = {
    "as it is": lambda root: None,
    "no size": rewrite(lambda text, n: text.replace("<size><width>96</width><height>64</height></size>", "")),
    "size zero": rewrite(lambda text, n: text.replace(">96<", ">0<").replace(">64<", ">0<")),
    "size as floats": rewrite(lambda text, n: text.replace(">96<", ">96.0<")),
    "no file name": rewrite(lambda text, n: text.replace(f"{n}.png", "")),
    "a path of another machine": rewrite(lambda text, n: text.replace(f"{n}.png", f"C:\\photos\\{n}.png")),
    "another suffix": rewrite(lambda text, n: text.replace(f"{n}.png", f"{n}.jpeg")),
    "blanks around names": rewrite(lambda text, n: text.replace("<name>", "<name> \n").replace("</name>", "\n </name>")),
    "corners as floats": rewrite(lambda text, n: text.replace(">7<", ">7.0<")),
    "hidden and system folders": junk,
    "upper-case suffix of an annotation": lambda root: (root / "annotations/3.xml").rename(root / "annotations/3.XML"),
}


@pytest.mark.parametrize("case", SAME)
def test_voc_files_that_mean_the_same_are_read_alike(voc, case):
    SAME[case](voc)
    assert boxes_of(voc_of(), voc) == EXPECTED
    assert check(voc_of(), voc) == []


def test_a_stale_file_name_does_not_move_a_box(voc):
    rewrite(lambda text, n: text.replace(f"{n}.png", f"{n - n % 2}.png"))(voc)
    assert boxes_of(voc_of(), voc) == EXPECTED
    assert said(check(voc_of(), voc, fatal=False), "4 annotations", "<filename> of another", "1.xml says '0.png'")


def test_a_file_name_counts_where_no_image_has_the_annotations_own(voc):
    for n in range(8):
        (voc / f"annotations/{n}.xml").rename(voc / f"annotations/note-{n}.xml")
    assert boxes_of(voc_of(), voc) == EXPECTED
    assert said(check(voc_of(), voc, fatal=False), "8 annotations", "<filename> counts")
    (voc / "annotations/note-3.xml").write_text((voc / "annotations/note-2.xml").read_text())
    assert said(check(voc_of(), voc, fatal=True), "2 annotations claim the image 'images/2.png'", "note-2.xml", "note-3.xml")


def test_what_follows_a_blank_in_the_name_of_an_annotation_is_no_column(voc):
    """``1 2.xml`` is no annotation of ``1.png``."""
    for n in range(8):
        picture(voc / f"images/{n}_2.png", 100 + n)
        text = (voc / f"annotations/{n}.xml").read_text().replace(f"{n}.png", f"{n}_2.png")
        (voc / f"annotations/{n} 2.xml").write_text(text)
        (voc / f"annotations/{n}.xml").unlink()
    assert boxes_of(voc_of(), voc) == {name.replace(".png", "_2.png"): shown for name, shown in EXPECTED.items()}
    assert said(check(voc_of(), voc, fatal=False), "8 annotations", "<filename> counts")


def test_folders_and_upper_case_suffixes(voc):
    nested(voc)
    (voc / "images/5.png").rename(voc / "images/5.PNG")
    found = boxes_of(voc_of(), voc)
    assert found["images/a/2.png"] == EXPECTED["images/2.png"] and found["images/5.PNG"] == EXPECTED["images/5.png"]
    assert len(found) == 8 and check(voc_of(), voc) == []


def test_pictures_of_one_name_in_several_folders(voc):
    for n in (0, 1):
        picture(voc / f"images/other/{n}.png", 50 + n)
        annotation(voc / f"annotations/other/{n}.xml", ("g", 41, 31, 60, 50))
    found = boxes_of(voc_of(), voc)
    assert {file: found[file] for file in EXPECTED} == EXPECTED
    assert found["images/other/0.png"] == ((0,), ((40, 30, 60, 50),))


def test_an_annotation_that_may_mean_several_images_is_refused(voc):
    (voc / "images/0.png").rename(voc / "images/x.png")
    for folder in ("a", "b"):
        picture(voc / f"images/{folder}/0.png", ord(folder))
    assert said(check(voc_of(), voc, fatal=True), "several images may be meant: a/0.png, b/0.png", "same subfolder")
    annotation(voc / "annotations/0.xml", ("g", 6, 7, 35, 27), folder="b")
    assert check(voc_of(), voc, fatal=True) == [] and "images/b/0.png" in boxes_of(voc_of(), voc)


def test_of_two_images_that_differ_by_suffix_the_file_name_decides(voc):
    picture(voc / "images/0.jpg", 77)
    assert boxes_of(voc_of(), voc) == EXPECTED
    assert said(check(voc_of(), voc), "images/0.jpg", "1 image without annotation, not used")
    rewrite(lambda text, n: text.replace(f"{n}.png", ""))(voc)
    assert said(check(voc_of(), voc, fatal=True), "several images may be meant: 0.jpg, 0.png", "with the suffix, into its <filename>")


@pytest.mark.parametrize("listed", [False, True])
def test_annotations_in_another_unicode_form_are_those_of_their_images(voc, listed):
    """As macOS writes names into archives."""
    for n in range(8):
        (voc / f"images/{n}.png").rename(voc / f"images/\u00e9{n}.png")
        (voc / f"annotations/{n}.xml").rename(voc / f"annotations/e\u0301{n}.xml")
    rewrite_as = {n: voc / f"annotations/e\u0301{n}.xml" for n in range(8)}
    for n, file in rewrite_as.items():
        file.write_text(file.read_text().replace(f"{n}.png", f"e\u0301{n}.png"), encoding="utf-8")
    for split, names in (("train", range(4)), ("test", range(4, 8))):
        (voc / f"{split}.txt").write_text("".join(f"\u00e9{n}\n" for n in names), encoding="utf-8")
    found = voc_of(**({"train": "train.txt", "test": "test.txt"} if listed else {}))
    assert boxes_of(found, voc) == {file.replace("images/", "images/\u00e9"): shown for file, shown in EXPECTED.items()}
    assert check(found, voc) == []


VOC_REFUSED = {
    "swapped corners": (("r", 43, 28, 14, 9), ("1.xml", "inverted", "swap its corners")),
    "class in another case": (("R", 6, 7, 35, 27), ("unknown class 'R'", "Is it 'r'?")),
    "no name": (("", 6, 7, 35, 27), ("1.xml", "an object has no name")),
}


@pytest.mark.parametrize("case", VOC_REFUSED)
def test_voc_that_cannot_be_right_is_refused_with_the_mend(voc, case):
    box, words = VOC_REFUSED[case]
    annotation(voc / "annotations/1.xml", box, name="1.png")
    problems = check(voc_of(), voc, fatal=True)
    assert any(all(word.lower() in problem.lower() for word in words) for problem in problems), problems


def test_more_of_voc_that_is_told(voc):
    file = voc / "annotations/1.xml"
    file.write_text("<annotation><filename>1.png</filename><object><name>r</name></object></annotation>")
    assert said(check(voc_of(), voc, fatal=True), "1.xml", "the object 'r' has no bndbox")
    annotation(file)
    assert said(check(voc_of(), voc, fatal=False), "'images/1.png' shows no object")
    annotation(file, ("r", 0, 0, 30, 20))
    assert said(check(voc_of(), voc, fatal=False), "1 box beginning at 0", "counts pixels from 1")
    rewrite(lambda text, n: text.replace(">96<", ">1<").replace(">64<", ">96<").replace(">1<", ">64<"))(voc)
    assert said(check(voc_of(), voc, fatal=True), "96 x 64 pixels, its annotation says 64 x 96; and 7 images more", "data.exif: apply")


def test_voc_boxes_as_fractions_are_refused(voc):
    rewrite(
        lambda text, n: text.replace(f">{6 + n}<", ">0.1<").replace(">7<", ">0.2<").replace(f">{35 + n}<", ">0.5<").replace(">27<", ">0.6<")
    )(voc)
    assert said(check(voc_of(), voc, fatal=True), "in the first pixel, as if they were fractions")


@pytest.mark.parametrize("line", ["{}", "{}.png", "{}.xml", "images/{}.png", "/home/me/images/{}.png", "{} 1", "C:\\x\\{}.jpg"])
def test_a_list_of_voc_may_be_written_as_people_do(voc, line):
    for split, names in (("train", (3, 1)), ("test", (4,))):
        (voc / f"{split}.txt").write_text("\n\n".join(line.format(name) for name in names), encoding="utf-8-sig")
    listing = voc_of(train="train.txt", test="test.txt").listing(voc)
    assert [p.file for p in (*listing.split("train"), *listing.split("test"))] == [f"images/{n}.png" for n in (3, 1, 4)]


# --- EXIF orientation


@pytest.mark.parametrize("tag", [3, 6])
def test_boxes_lie_in_stored_pixels_or_as_shown(tmp_path, tag):
    for n in range(4):
        picture(tmp_path / f"images/{n}.jpg", n, tag)
        annotation(tmp_path / f"annotations/{n}.xml", ("g", 6, 7, 35, 27), name=f"{n}.jpg")
    assert check(voc_of(), tmp_path, fatal=True) == []
    turned = tag == 6  # 64 x 96 as it is shown
    problems = check(voc_of(exif="apply"), tmp_path, fatal=True)
    assert said(problems, "64 x 96 pixels, its annotation says 96 x 64", "data.exif: ignore") == turned
    shown = voc_of(exif="apply").samples(tmp_path, 1)[0].image.shape[:2] if not turned else None
    if turned:
        for n in range(4):
            annotation(tmp_path / f"annotations/{n}.xml", ("g", 38, 6, 58, 35), size="<width>64</width><height>96</height>")
        assert check(voc_of(exif="apply"), tmp_path, fatal=True) == []
        shown = voc_of(exif="apply").samples(tmp_path, 1)[0].image.shape[:2]
    assert shown == ((96, 64) if turned else (64, 96))


def test_the_floor_measures_images_as_they_are_shown(tmp_path):
    centre = (7, 11, 58, 86)  # 0.8 of 64 x 96, from its middle
    for n in range(4):
        picture(tmp_path / f"images/{n}.jpg", n, 6)
        annotation(tmp_path / f"annotations/{n}.xml", ("g", *centre), size="")
    assert voc_of(exif="apply").floor(tmp_path)["corloc"] == 100
    assert voc_of(exif="apply").floor(tmp_path)["maxboxaccv2"] == 100
    assert voc_of().floor(tmp_path)["maxboxaccv2"] < 100


def test_background_is_cut_from_images_as_they_are_shown(tmp_path):
    for n in range(2):
        picture(tmp_path / f"images/{n}.jpg", n, 6)
        annotation(tmp_path / f"annotations/{n}.xml", ("g", 1, 1, 64, 50), size="")
    found = bench(format="voc-xml", classes=["g"], exif="apply")
    assert [p.crop for p in found.listing(tmp_path).split("train")] == [None, (0, 51, 64, 96)]
