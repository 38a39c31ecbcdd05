"""What the COCO files of LVIS have and lack: images are named by ``coco_url`` alone, and each class is annotated in some of them only."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from harness.benchmarks.base import Listing


def named(entries: list[Any], folder: Path) -> list[Any]:
    """Entries of ``images``, those without ``file_name`` named by the end of their ``coco_url``.

    Its last two parts count as in mmdet, for LVIS's validation images lie in two folders of COCO; the last one where ``folder`` is
    the folder that it names.
    """
    return [_named(entry, folder) for entry in entries]


def _named(entry: Any, folder: Path) -> Any:
    if not isinstance(entry, dict) or isinstance(entry.get("file_name"), str) or not isinstance(entry.get("coco_url"), str):
        return entry
    parts = [part for part in PurePosixPath(unquote(urlsplit(entry["coco_url"]).path)).parts if part not in ("/", "..")]
    if not parts:
        return entry
    two = "/".join(parts[-2:])
    inside = not (folder / two).is_file() and (folder / parts[-1]).is_file()
    return {**entry, "file_name": parts[-1] if inside else two}


def tell_searched(entries: list[Any], where: str, listing: Listing[Any]) -> None:
    """Note images that say for which classes they were searched in vain: all other classes are not annotated in them."""
    if searched := sum(bool(entry.get("neg_category_ids")) for entry in entries if isinstance(entry, dict)):
        what = f"{searched} of {len(entries)} images have neg_category_ids, as LVIS's do: each class is annotated in some images only, and "
        what += "what is found of it in others counts here as a mistake, unlike in LVIS's own scores"
        listing.add(where, what, "compare methods here with one another only, not with published numbers of LVIS", fatal=False)
