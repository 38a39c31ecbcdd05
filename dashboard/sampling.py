"""Methods against each other as they are read, and single test samples: which one is looked at, the image, answers seed by seed, maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard import reads, state, tables, text
from harness.analysis import artifacts, compare, kept, source, test_images
from harness.analysis.board import Row
from harness.analysis.compare import Comparison
from harness.analysis.test_images import TestSet
from harness.analysis.views import attention
from harness.analysis.views.comparison import Dot, Scores
from harness.catalog import load_catalog
from harness.diagnostics.maps import Pictured
from harness.errors import DataError, HarnessError

FURTHEST = 12
"""Samples in the list of those that two methods differ on most."""

_IN_DOT = 200
"""Samples of a dot that are offered."""

_CLICKS = "sampling: clicks"


def compared(url: str, methods: tuple[str, ...]) -> list[Comparison]:
    """Methods against each other, over the samples of both where they are stored; to be asked for by :func:`reads.cached`."""
    return compare.compare(reads.board(), methods, lambda digests: source.per_sample(url, digests))


@st.cache_resource(max_entries=8, show_spinner="Looking for the images…")
def _found(benchmark: str, dataset: str, count: int) -> TestSet:
    return test_images.find(load_catalog(), benchmark, dataset, count)


def images(benchmark: str, dataset: str, count: int) -> TestSet | str:
    """The images of a test set, or the sentence that says why they are not here, which is found out anew each time."""
    try:
        return _found(benchmark, dataset, count)
    except HarnessError as error:
        return str(error)


def chosen(dots: Sequence[Dot], furthest: Sequence[int]) -> int | None:
    """The sample that the address names, or the one on which the methods differ most."""
    asked = state.value("image")
    if not asked:
        return furthest[0] if furthest else None
    if asked.isascii() and asked.isdigit() and len(asked) < 10 and any(int(asked) in dot.samples for dot in dots):
        return int(asked)
    text.show(f"Image: there is no {text.visible(asked)!r} with this score here.")
    return None


def _here(image: int) -> dict[str, state.Value]:
    """This view with another image."""
    return {name: state.values(name) for name in st.query_params} | {"image": image}


def clicked(chart: Any) -> None:
    """Draw a chart whose selection ``picked`` has the field ``sample``; a click on a point leads to that sample."""
    # a chart that was clicked is another one when it is drawn again: it would still hold the click
    clicks = st.session_state.setdefault(_CLICKS, 0)
    alt_text = "what both methods score on each sample"
    drawn = st.altair_chart(chart, width="stretch", key=f"scatter {clicks}", on_select="rerun", selection_mode="picked", alt=alt_text)
    if found := drawn["selection"].get("picked"):
        st.session_state[_CLICKS] = clicks + 1
        state.go("compare", **_here(int(found[0]["sample"])))


def largest(some: Scores, furthest: Sequence[int], found: TestSet | str) -> None:
    """The samples on which the methods differ most; a click leads to one."""
    if not furthest:
        return
    text.show("Largest differences; a click shows the image")
    names = () if isinstance(found, str) else found.names
    records = [
        {
            "sample": sample,
            "first": float(some.a[sample]),
            "second": float(some.b[sample]),
            "name": names[sample] if names else None,
        }
        for sample in furthest
    ]
    tables.show(
        records,
        key="furthest",
        numbers=dict.fromkeys(("first", "second"), some.unit),
        columns={"sample": st.column_config.NumberColumn(format="%d")},
        opens=lambda row, _: ("compare", _here(furthest[row])),
        alt_text="samples with the largest differences",
    )


def same_dot(dots: Sequence[Dot], image: int, furthest: Sequence[int], found: TestSet | str) -> None:
    """Choose among the samples that both methods score like this one."""
    dot = next(dot for dot in dots if image in dot.samples)
    names = () if isinstance(found, str) else found.names
    state.choice(
        "Image, of those with these scores",
        [*dict.fromkeys((image, *dot.samples[:_IN_DOT]))],
        "image",
        default=furthest[0] if furthest else -1,  # what is shown where the address names none
        show=lambda sample: f"{sample} · {names[sample]}" if names else str(sample),
    )


def one(some: Scores, image: int, found: TestSet | str, rows: tuple[Row, Row]) -> None:
    """An image, and what both methods make of it."""
    first, *others = st.columns([2, 3, 3], gap="medium")
    with first:
        _truth(image, found)
    for side, (column, row) in enumerate(zip(others, rows, strict=True)):
        with column:
            text.show(row.method)
            _answers(some, image, side, found)
            _maps(row, some.seeds, image, len(some.a))


def _truth(image: int, found: TestSet | str) -> None:
    if isinstance(found, str):
        text.show(f"The image cannot be shown: {found}")
        return
    try:
        sample = found.sample(image)
    except HarnessError as error:
        text.show(str(error))
        return
    st.image(sample.annotated, width="stretch")
    text.show(sample.name if sample.caption in sample.name else f"{sample.name}\n{sample.caption}")


def _answers(some: Scores, image: int, side: int, found: TestSet | str) -> None:
    """Seed by seed: the score, and what a classifier took the image for."""
    values = (some.of_a, some.of_b)[side][:, image]
    records: list[dict[str, object]] = [{"seed": seed, "score": float(value)} for seed, value in zip(some.seeds, values, strict=True)]
    if some.guesses is not None:
        classes = getattr(getattr(found, "listing", None), "classes", ())
        for record, guess in zip(records, some.guesses[side][:, image], strict=True):
            record["taken for"] = _class(float(guess), classes)
    tables.show(
        records,
        key=f"answers {side}",
        numbers={"score": some.unit},
        columns={"seed": st.column_config.NumberColumn(format="%d")},
        rows=5,
        alt_text="scores of the image by seed",
    )


def _class(guess: float, classes: Sequence[str]) -> str | None:
    if not math.isfinite(guess):
        return None
    return classes[int(guess)] if 0 <= guess < len(classes) else f"class {int(guess)}"


def _maps(row: Row, seeds: Sequence[int], image: int, count: int) -> None:
    """Attention and predictions on the image, of the first seed that kept it, or which images were kept."""
    known: set[int] = set()
    digests = {seed: row.digests[row.seeds.index(seed)] for seed in seeds}
    for seed, digest in digests.items():
        pictured, why = reads.cached(kept.pictured, digest)
        if why:
            text.show(f"Seed {seed}: {why}")
        known |= {one.sample for one in pictured if one.sample < count}
        mine = next((one for one in pictured if one.sample == image), None)
        if mine is not None:
            _overlay(mine, seed)
            return
    if not known and any(_drawn_first(seed, digest, image, known) for seed, digest in digests.items()):
        return
    text.show("Its trials kept no map over this image." if known else "No maps of its attention and no predictions are kept here.")
    for sample in sorted(known):
        state.link(f"What they kept of image {sample}", "compare", **_here(sample))


def _drawn_first(seed: int, digest: str, image: int, known: set[int]) -> bool:
    """Show the picture of a trial that kept no numbers, if it is of this image: the first picture is of the first sample."""
    picture = reads.cached(artifacts.galleries, (digest,)).get(0, {}).get(digest)
    if picture is None:
        return False
    known.add(0)
    if image != 0:
        return False
    try:
        st.image(artifacts.read(picture), width="stretch")
        text.show(f"attention, seed {seed}: the image, then its heads or maps; a line for each layer")
    except DataError as error:
        text.show(str(error))
        return False
    return True


def _overlay(mine: Pictured, seed: int) -> None:
    from harness.diagnostics import overlays

    image = overlays.enlarged(mine.image)
    if (found := attention.map_of(mine)) is not None:
        st.image(overlays.overlays(image, [found.values]), width="stretch")
        text.show(f"attention of {found.layer}, seed {seed}, mean over {found.heads} {'map' if found.heads == 1 else 'heads or maps'}")
    if mine.predicted.drawn:
        # one map of labels would hide the other
        below = image if mine.predicted.labels is not None else overlays.marked(image, mine.true, true=True)
        st.image(overlays.marked(below, mine.predicted, true=False), width="stretch")
        text.show(f"predicted by seed {seed}" + ("" if below is image else " in orange, true in white"))
    if mine.predicted.text:
        text.show(f"predicted: {mine.predicted.text}" + (f"\ntrue: {mine.true.text}" if mine.true.text else ""))
