"""Whatever a dataset looks like: if its check finds nothing fatal, a trial's datasets hold what the reader lists, pixel for pixel.

Sound datasets of every format are damaged at random in ways that people's files are: renamed, cut, emptied, tagged, copied, mixed
with files of others, their tables and JSON edited. ``HARNESS_EXAMPLES=200 pytest -m slow tests/benchmarks/test_any_data.py`` tries
more of each.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import formats
import numpy as np
import pytest
from click.testing import CliRunner
from examined import entry_of, examine
from formats import FORMATS, NO_VAL, VIDEOS
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.benchmarks import task
from harness.benchmarks.base import SPLITS
from harness.benchmarks.validation import hold_out
from harness.cli import main
from harness.compose.setting import setting
from harness.errors import HarnessError
from harness.fingerprints import of_folder

NAMES = ("a b", "ä", "x.y", "%20", "[1]", "#1", "IMG_001 (copy)", ".hidden", "-", "ж", "0")


def _files(root: Path, pictures: bool) -> list[Path]:
    suffixes = (".png", ".jpg")
    return sorted(file for file in root.rglob("*") if file.is_file() and (file.suffix in suffixes) == pictures)


def _rename(draw, root: Path) -> None:
    file = draw(st.sampled_from(_files(root, True)))
    file.rename(file.with_name(draw(st.sampled_from(NAMES)) + draw(st.sampled_from([".png", ".PNG", ".gif"]))))


def _cut(draw, root: Path) -> None:
    file = draw(st.sampled_from(_files(root, draw(st.booleans())) or _files(root, True)))
    file.write_bytes(file.read_bytes()[: draw(st.integers(0, file.stat().st_size))])


def _delete(draw, root: Path) -> None:
    draw(st.sampled_from(_files(root, draw(st.booleans())) or _files(root, True))).unlink()


def _copy(draw, root: Path) -> None:
    """A picture under the name of another, or into another folder."""
    pictures = _files(root, True)
    file, place = draw(st.sampled_from(pictures)), draw(st.sampled_from([*pictures, *(file.with_name("copy.png") for file in pictures)]))
    if file != place:
        shutil.copy(file, place)


def _tag(draw, root: Path) -> None:
    file = draw(st.sampled_from(_files(root, True)))
    try:
        image = Image.open(file)
        image.load()
    except Exception:
        return
    exif = Image.Exif()
    exif[0x0112] = draw(st.integers(1, 8))
    image.save(file, exif=exif.tobytes())


def _repaint(draw, root: Path) -> None:
    """A picture of other pixels: 16 bits, grey, transparent, a palette, another size."""
    file = draw(st.sampled_from(_files(root, True)))
    shape = draw(st.sampled_from([(32, 40), (40, 32), (3, 3), (64, 80)]))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    kind = draw(st.sampled_from(["L", "RGB", "RGBA", "LA", "1", "P", "I;16", "I;12"]))
    if kind.startswith("I"):
        Image.fromarray(rng.integers(0, 4095 if kind == "I;12" else 65535, shape).astype(np.uint16)).save(file, format="PNG")
    else:
        Image.fromarray(rng.integers(0, 255, (*shape, 3)).astype(np.uint8)).convert(kind).save(file, format="PNG")


def _strangers(draw, root: Path) -> None:
    """Files and folders that others leave behind."""
    folder = draw(st.sampled_from(sorted({file.parent for file in _files(root, True)})))
    match draw(st.integers(0, 3)):
        case 0:
            (folder / draw(st.sampled_from([".DS_Store", "Thumbs.db", "notes.txt", "._0.png"]))).write_bytes(b"x")
        case 1:
            (folder / ".ipynb_checkpoints").mkdir(exist_ok=True)
            Image.new("RGB", (9, 9)).save(folder / ".ipynb_checkpoints/0.png")
        case 2:
            link = folder / "self"
            if not link.exists():
                link.symlink_to(folder)
        case _:
            Image.new("RGB", (9, 9)).save(folder / "extra.gif")


def _values(content: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below ``content``."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place for key, value in items for place in [(content, key), *_values(value)]]


ODD = st.one_of(
    st.none(),
    st.integers(-3, 99),
    st.floats(-1e3, 1e3),
    st.just(float("nan")),
    st.text("ab01 ./\\", max_size=5),
    st.booleans(),
    st.just([]),
)


def _edit(draw, root: Path) -> None:
    """A value of a JSON file, or a word or line of a text file, becomes another one."""
    file = draw(st.sampled_from(_files(root, False) or _files(root, True)))
    if file.suffix == ".json":
        try:
            content = json.loads(file.read_text())
        except ValueError:
            return
        places = _values(content)
        if not places:
            return
        holder, key = draw(st.sampled_from(places))
        match draw(st.integers(0, 2)):
            case 0:
                holder[key] = draw(ODD)
            case 1 if isinstance(holder, list):
                holder.append(json.loads(json.dumps(holder[key])))
            case _:
                del holder[key]
        file.write_text(json.dumps(content))
        return
    if file.suffix in (".txt", ".csv", ".xml"):
        lines = file.read_text(errors="replace").splitlines()
        if not lines:
            return
        number = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                del lines[number]
            case 1:
                lines.insert(number, lines[number])
            case 2:
                lines.insert(number, draw(st.sampled_from(["", "# x", "x", " "])))
            case 3:
                separator = "," if "," in lines[number] else " "
                words = lines[number].split(separator)
                words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(["", "0", "-1", "nan", "1e9", "x", "2.5"]))
                lines[number] = separator.join(words)
            case _:
                lines = draw(st.permutations(lines))
        mark = draw(st.sampled_from(["", "", "\ufeff"]))
        file.write_text(mark + draw(st.sampled_from(["\n", "\r\n"])).join(lines), encoding="utf-8")


ALL = FORMATS | VIDEOS
DAMAGES = (_rename, _cut, _delete, _copy, _tag, _repaint, _strangers, _edit, _edit, _edit)


@pytest.mark.parametrize("name", ALL)
def test_a_sound_dataset_is_what_a_trial_sees(openmmlab, tmp_path, name):
    entry = entry_of(ALL[name](tmp_path))
    assert task(entry).check(tmp_path) == [] and examine(entry, tmp_path)
    assert task(entry).listing(tmp_path).val == [], "too few to hold any out"


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in NO_VAL])
def test_a_validation_split_of_its_own_is_used_whole(openmmlab, tmp_path, monkeypatch, name):
    monkeypatch.setitem(formats.SPLITS, "val", 3)
    entry = entry_of(FORMATS[name](tmp_path))
    assert task(entry).check(tmp_path) == [] and examine(entry, tmp_path)
    assert {split: len(task(entry).listing(tmp_path).of(split)) for split in SPLITS} == formats.SPLITS


@pytest.mark.parametrize("name", FORMATS)
def test_without_one_a_share_of_training_is_held_out(openmmlab, tmp_path, monkeypatch, name):
    monkeypatch.setitem(formats.SPLITS, "train", 40)
    content = FORMATS[name](tmp_path)
    entry, whole = (entry_of({**content, "data": {**content["data"], **more}}) for more in ({"val_share": 0.25}, {"val_share": 0}))
    assert not [problem for problem in task(entry).check(tmp_path) if problem.fatal] and examine(entry, tmp_path)
    listing, everything = task(entry).listing(tmp_path), task(whole).listing(tmp_path)
    assert everything.val == [] and len(everything.train) >= 16
    assert [*map(everything.image, everything.test)] == [*map(listing.image, listing.test)]
    held = [listing.image(sample) for sample in listing.val]
    assert abs(len(held) - 0.25 * len(everything.train)) <= 1
    assert [file for file in map(everything.image, everything.train) if file not in held] == [*map(listing.image, listing.train)]
    assert of_folder(task(entry), tmp_path) == of_folder(task(whole), tmp_path), "of the files"
    assert setting(task(entry), "") != setting(task(whole), "")
    for order in range(3):
        everything = task(whole).listing(tmp_path)
        np.random.default_rng(order).shuffle(everything.train)
        hold_out(everything, 0.25)
        assert {*map(everything.image, everything.val)} == {*held}


def _property(name: str, examples: int) -> None:
    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(st.data())
    def hold(data):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            with pytest.MonkeyPatch.context() as patch:
                if data.draw(st.booleans()) and name not in (*NO_VAL, *VIDEOS):
                    patch.setitem(formats.SPLITS, "val", 3)
                entry = entry_of(ALL[name](root))
            for damage in data.draw(st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=3)):
                if not _files(root, True):
                    break
                damage(data.draw, root)
            try:
                examine(entry, root)
            except HarnessError as error:  # refused in a sentence is right, too
                assert str(error)

    hold()


@pytest.mark.parametrize("name", ALL)
def test_what_is_called_fine_runs(openmmlab, name):
    _property(name, 12)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ALL)
def test_what_is_called_fine_runs_at_length(openmmlab, name):
    _property(name, int(os.environ.get("HARNESS_EXAMPLES", "160")))


def _xml_encoding(root: Path) -> None:
    file = next(root.rglob("*.xml"))
    file.write_text('<?xml version="1.0" encoding="klingon"?>' + file.read_text())


def _damaged_png(root: Path) -> None:
    """Zeros where Pillow does not look and OpenCV does."""
    file = next(root.rglob("*.png"))
    data = bytearray(file.read_bytes())
    data[-8:-4] = b"\0IDA"
    file.write_bytes(data)


def _unreadable(root: Path) -> None:
    file = sorted(file for file in root.rglob("*") if file.suffix in (".jpg", ".png"))[0]
    file.unlink()
    file.symlink_to("/proc/self/mem")


def _not_utf8(root: Path) -> None:
    file = next(root.rglob("*.png"))
    file.rename(os.fsdecode(os.fsencode(file.parent) + b"/\xff\xfe.png"))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *((name, damage) for name in ("voc_xml", "voc_crops") for damage in (_xml_encoding, _unreadable)),
        *(("colmap", damage) for damage in (_not_utf8, _unreadable)),
        *(("mmseg_folder", damage) for damage in (_damaged_png, _not_utf8, _unreadable)),
    ],
)
def test_damage_is_told_by_the_command(openmmlab, tmp_path, monkeypatch, name, damage):
    """In words, or as JSON that is ASCII where a terminal would obey it; never by a traceback."""
    root = tmp_path / "data"
    content = FORMATS[name](root)
    damage(root)
    monkeypatch.chdir(tmp_path)
    entry = {**content, "data": {**content["data"], "root": str(root)}}
    (tmp_path / "registry.yaml").write_text(json.dumps({"benchmarks": {"any": entry}}))
    for more in ((), ("--json",)):
        result = CliRunner().invoke(main, ["data", "check", "any", *more], prog_name="harness")
        assert result.exit_code in (0, 2) and "unexpected" not in result.stderr, result.output
        assert not set(result.output) & {"\x1b", "\ufffd"} and result.output.encode()
    if result.exit_code == 0:
        examine(entry_of(content), root)
