"""What earlier harnesses wrote differently, for migrations and imports."""

from __future__ import annotations

from collections.abc import Iterable

MAP_NOTE = "score map: "
"""Began the note that said which map of the model located objects, before trials had labels."""


def labels_in(notes: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The labels that were written as notes, and the notes that are left."""
    notes = [*notes]
    maps = dict.fromkeys(note.removeprefix(MAP_NOTE) for note in notes if note.startswith(MAP_NOTE))
    return {"map": " / ".join(maps)} if maps else {}, [note for note in notes if not note.startswith(MAP_NOTE)]
