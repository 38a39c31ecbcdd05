"""What earlier harnesses wrote differently, for migrations and imports."""

from __future__ import annotations

from collections.abc import Iterable

from harness.outcome import ROUGH

MAP_NOTE = "score map: "
"""Began the note that said which map of the model located objects, before trials had labels."""


_ROUGH_NOTE = "the latency is uncertain"
"""Begins the note about a latency that others disturbed; the first of them had no label beside it."""


def rough_in(notes: Iterable[str]) -> dict[str, str]:
    """The label of costs that others disturbed, by the notes."""
    return {ROUGH: "latency_ms"} if any(note.startswith(_ROUGH_NOTE) for note in notes) else {}


def labels_in(notes: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The labels that were written as notes, and the notes that are left."""
    notes = [*notes]
    maps = dict.fromkeys(note.removeprefix(MAP_NOTE) for note in notes if note.startswith(MAP_NOTE))
    return {"map": " / ".join(maps)} if maps else {}, [note for note in notes if not note.startswith(MAP_NOTE)]
