"""Datasets of every format: what is called fine must be what a trial sees, with finite numbers inside the pictures."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import struct
import sys
import zlib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from breaking import odd
from breaking.case import Case, Wrong, harness

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import lookalikes
from examined import entry_of, examine
from formats import FORMATS

PICTURES = (".png", ".jpg", ".jpeg", ".JPEG")
CLASSES = {"imagenet": 3}
"""Of official layouts, what a look-alike has."""


def prepare(shared: Path) -> None:
    """Write a sound dataset of each format."""
    from harness.benchmarks import task
    from harness.benchmarks.register import setup
    from harness.catalog import load_catalog
    from harness.engine.prepare import end_thread_pools

    setup()
    end_thread_pools()
    entries = {}
    for name, build in FORMATS.items():
        (shared / name).mkdir(parents=True)
        entries[name] = build(shared / name)
    for bench in load_catalog().benchmarks.values():
        if bench.tier == "paper" and bench.data.get("root") in lookalikes.WRITERS and bench.data["format"] not in _formats(entries):
            (shared / bench.id).mkdir()
            lookalikes.write(bench, shared / bench.id)
            data = {**bench.data, "official": {}}
            data |= {"classes": CLASSES[data["format"]]} if data["format"] in CLASSES else {}
            entry = {"family": bench.family, "data": data}
            if not any(problem.fatal for problem in task(entry_of(entry)).check(shared / bench.id)):  # some need all of their classes
                entries[bench.id] = entry
    for name, entry in entries.items():  # and import what is needed
        examine(entry_of(entry), shared / name)
    (shared / "entries.json").write_text(json.dumps(entries))


def _formats(entries: dict[str, Any]) -> set[str]:
    return {entry["data"]["format"] for entry in entries.values()}


def make(dice: random.Random, folder: Path, shared: Path) -> Case:
    entries = json.loads((shared / "entries.json").read_text())
    name = dice.choice([*entries])
    content = entries[name]
    root = folder / "data"
    shutil.copytree(shared / name, root)
    sound = _counted(content, shared / name)
    damages, must = [], "pass"
    for _ in range(dice.choice([1, 1, 2])):
        what, harmless = dice.choice(DAMAGES)(dice, root)
        damages.append(what)
        must = must if harmless else "either"
    (folder / "registry.yaml").write_text(
        yaml.safe_dump({"benchmarks": {"any": {**content, "data": {**content["data"], "root": str(root)}}}})
    )

    def act() -> bool:
        said = harness("data", "check", "any", "--json")
        told = json.loads(said.out) if said.out.strip() else {"ok": False}
        if said.refused == told["ok"]:
            raise Wrong(f"exit code {said.code}, and ok is {told['ok']}")
        if said.refused:
            if must != "pass" and not (told.get("rows") or said.err.strip()):
                raise Wrong("refused without a word")
            return False
        entry = entry_of(content)
        examine(entry, root)
        _sane(entry, root)
        if must == "pass" and _counted(content, root) != sound:
            raise Wrong(f"{_counted(content, root)} samples, which were {sound}")
        return True

    return Case(f"{name}: {' and '.join(damages)}", must, act)


def _counted(content: dict[str, Any], root: Path) -> list[int]:
    from harness.benchmarks import task

    listing = task(entry_of(content)).listing(root)
    return [len(listing.train), len(listing.val), len(listing.test)]


def _sane(entry: Any, root: Path) -> None:
    """No sample has a number that is none, or beyond all use."""
    from harness.benchmarks import task

    listing = task(entry).listing(root)
    for split in ("train", "val", "test"):
        for sample in listing.of(split):
            for where, value in _numbers(sample, type(sample).__name__):
                if math.isinf(value) or (math.isnan(value) and "point" not in where.lower()) or abs(value) > 1e12:
                    raise Wrong(f"a {split} sample with {where} = {value}")


def _numbers(value: Any, where: str):
    if isinstance(value, np.ndarray):
        yield from ((where, float(some)) for some in np.asarray(value, float).ravel()) if value.dtype.kind in "fiu" else ()
    elif odd.is_number(value):
        yield where, float(value) if abs(value) < 1e300 else math.inf
    elif is_dataclass(value):
        for field in fields(value):
            yield from _numbers(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, dict):
        for key, some in value.items():
            yield from _numbers(some, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for some in value:
            yield from _numbers(some, where)


# ---------------------------------------------------------------- damages: each says what it did, and whether it is harmless


def _files(root: Path, pictures: bool | None = None) -> list[Path]:
    found = sorted(file for file in root.rglob("*") if not file.is_symlink() and file.is_file())
    some = [file for file in found if pictures is None or (file.suffix in PICTURES) == pictures]
    return some or found


def _bytes(dice: random.Random, root: Path) -> tuple[str, bool]:
    files = _files(root, dice.choice([True, False, False]))
    if not files:
        return "nothing left", False
    file, how = dice.choice(files), dice.choice([*odd.BYTES])
    file.write_bytes(odd.BYTES[how](dice, file.read_bytes()))
    return f"{how} ({file.suffix})", False


def _special(dice: random.Random, root: Path) -> tuple[str, bool]:
    files = [*_files(root), *(folder for folder in root.rglob("*") if folder.is_dir())]
    if not files:
        return "nothing left", False
    file = dice.choice(sorted(files))
    return f"{odd.special(dice, file)} ({file.suffix or 'folder'})", False


def _beside(dice: random.Random, root: Path) -> tuple[str, bool]:
    """What other programs leave in folders."""
    folder = dice.choice(sorted({file.parent for file in _files(root)}))
    name = dice.choice([".DS_Store", "Thumbs.db", "desktop.ini", "._1.png", ".ipynb_checkpoints", "@eaDir"])
    if name in (".ipynb_checkpoints", "@eaDir"):
        (folder / name).mkdir(exist_ok=True)
        Image.new("RGB", (9, 9)).save(folder / name / "1.png")
    else:
        (folder / name).write_bytes(b"\0x\xff")
    return f"{name} beside", True


def _editor(dice: random.Random, root: Path) -> tuple[str, bool]:
    files = [file for file in _files(root, False) if file.suffix in (".txt", ".csv", ".json", ".xml")]
    if not files:
        return _beside(dice, root)
    file, how = dice.choice(files), dice.choice([*odd.HARMLESS])
    file.write_bytes(odd.HARMLESS[how](file.read_bytes()))
    return f"{how} ({file.suffix})", True


def _json(dice: random.Random, root: Path) -> tuple[str, bool]:
    files = [file for file in _files(root, False) if file.suffix == ".json"]
    if not files:
        return _text(dice, root)
    file = dice.choice(files)
    content = json.loads(file.read_text())
    how, where, _, after = odd.tree(dice, content)
    file.write_text(odd.dumped(content))
    return f"{how} {where} {'' if after is ... or how == 'deep' else odd.shown(after)}", False


def _text(dice: random.Random, root: Path) -> tuple[str, bool]:
    files = [
        file
        for file in _files(root, False)
        if file.suffix in (".txt", ".csv", ".xml", ".nvm", ".bin") and b"\0" not in file.read_bytes()[:2000]
    ]
    if not files:
        return _bytes(dice, root)
    file = dice.choice(files)
    lines = file.read_text(errors="replace").splitlines()
    number = dice.randrange(len(lines)) if lines else 0
    match dice.randrange(6) if lines else 5:
        case 0:
            lines[number:] = lines[number + 1 :]
            how = "a line lost"
        case 1:
            lines.insert(number, lines[number])
            how = "a line twice"
        case 2 | 3:
            separator = "," if "," in lines[number] else "\t" if "\t" in lines[number] else ">" if ">" in lines[number] else " "
            words = lines[number].split(separator)
            place, word = dice.randrange(len(words)), dice.choice(odd.WORDS)
            words[place] = word + ("</" + words[place].partition("</")[2] if separator == ">" and "</" in words[place] else "")
            lines[number] = separator.join(words)
            how = f"a word {odd.shown(word)}"
        case 4:
            dice.shuffle(lines)
            how = "shuffled"
        case _:
            lines.insert(number, dice.choice(["x", "# x", " ", "1 2 3", ",,,,", "\t", "nan " * 12, "é" * 1000]))
            how = "a line more"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{how} ({file.name.lstrip('0123456789') if file.suffix != '.txt' else file.name[-12:]})", False


def _xml(dice: random.Random, root: Path) -> tuple[str, bool]:
    files = [file for file in _files(root, False) if file.suffix == ".xml"]
    if not files:
        return _text(dice, root)
    file = dice.choice(files)
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    how, head, body = dice.choice(
        [
            ("entities by the billion", f'<!DOCTYPE a [<!ENTITY l0 "lol">{laughs}]>', "&l11;"),
            ("an entity of a file", '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;"),
            ("an entity of a device", '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///dev/zero">]>', "&e;"),
            ("an unknown encoding", '<?xml version="1.0" encoding="klingon"?>', ""),
            ("deep", "", "<a>" * 50_000 + "</a>" * 50_000),
        ]
    )
    text = file.read_text()
    file.write_text(head + text.replace("<object>", f"<object>{body}", 1).replace("<name>", f"<name>{body if len(body) < 10 else ''}", 1))
    return f"XML with {how}", False


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _bomb(width: int, height: int) -> bytes:
    """A PNG that says to be large and is not."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + _chunk(b"IEND", b"")


def _picture(dice: random.Random, root: Path) -> tuple[str, bool]:
    pictures = [file for file in _files(root, True) if file.suffix in PICTURES]
    if not pictures:
        return _bytes(dice, root)
    file = dice.choice(pictures)
    kind = dice.choice(
        ["bomb", "no width", "CMYK", "I;16", "F", "LA", "P", "1", "1x1", "1x9999", "exif", "gif", "webp", "tiff", "bmp", "svg", "text",
        "half", "animated"]
    )  # fmt: skip
    pixels = np.random.default_rng(dice.randrange(99)).integers(0, 255, (32, 40, 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    match kind:
        case "bomb":
            file.write_bytes(_bomb(60_000, 60_000))
        case "no width":
            file.write_bytes(_bomb(0, 5))
        case "CMYK":
            image.convert("CMYK").save(file, format="JPEG")
        case "I;16":
            Image.fromarray(pixels[..., 0].astype(np.uint16) * 250).save(file, format="PNG")
        case "F":
            Image.fromarray(np.where(pixels[..., 0] > 99, np.nan, 0.5).astype(np.float32)).save(file, format="TIFF")
        case "LA" | "P" | "1":
            image.convert("L" if kind == "LA" else "RGB").convert(kind).save(file, format="PNG")
        case "1x1":
            image.resize((1, 1)).save(file, format="PNG")
        case "1x9999":
            image.resize((1, 9999)).save(file, format="PNG")
        case "exif":
            exif = Image.Exif()
            exif[0x0112] = dice.choice([0, 3, 6, 8, 9, 255, "x"])
            image.save(file, format="JPEG", exif=exif.tobytes() if isinstance(exif[0x0112], int) else b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
        case "gif" | "webp" | "tiff" | "bmp":
            image.save(file, format=kind)
        case "animated":
            image.save(file, format="GIF", save_all=True, append_images=[image.resize((20, 20))])
        case "svg":
            file.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
        case "text":
            file.write_text("this is no picture")
        case _:
            data = file.read_bytes()
            file.write_bytes(data[: len(data) // 2])
    return f"picture {kind}", False


def _names(dice: random.Random, root: Path) -> tuple[str, bool]:
    """Names that are no text, or no name."""
    files = _files(root)
    if not files:
        return "nothing left", False
    file = dice.choice(files)
    name = dice.choice(
        [
            b"\xff\xfe.png",
            b"a\nb.png",
            b"\x1b[31m.png",
            b" .png",
            b"-.png",
            "\u202ex.png".encode(),
            b"%s%n.png",
            b"a" * 250 + b".png",
            b"$DATA.png",
        ]
    )
    target = os.path.join(os.fsencode(file.parent), name)
    match dice.randrange(3):
        case 0:
            os.rename(os.fsencode(file), target)
            how = "renamed"
        case 1:
            shutil.copy(os.fsencode(file), target)
            how = "copied"
        case _:
            target = os.path.join(os.fsencode(file.parent), name[:-4])
            os.mkdir(target)
            shutil.copy(os.fsencode(file), os.path.join(target, b"1.png"))
            how = "in a folder"
    return f"{how} {name[:12]!r}", False


def _loop(dice: random.Random, root: Path) -> tuple[str, bool]:
    folders = sorted(folder for folder in (root, *root.rglob("*")) if folder.is_dir() and not folder.is_symlink())
    one, other = dice.choice(folders), dice.choice(folders)
    for link, target in ((one / "loop", other), (other / "pool", one)):
        if not link.is_symlink():  # a case may be damaged twice, and so may one folder
            link.symlink_to(target, target_is_directory=True)
    return "folders that link to each other", False


DAMAGES = (_bytes, _bytes, _special, _beside, _editor, _json, _json, _json, _text, _text, _text, _xml, _picture, _picture, _names, _loop)
