"""The evidence for every shipped method: that of ``plugins/harness_plugins/FOLDER/FILE.py`` lies in ``FOLDER/FILE.py`` here.

A file has one table ``PROOFS``: method (or plugin, where a method has several) -> :class:`~proofs.proof.Proof`. What a slot's
proof holds is said in the folder's ``__init__.py``. The tests beside this folder run over all of them.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from proofs.proof import Proof

FILES: dict[str, str] = {}
"""Name -> the file that proves it, from here."""
PROOFS: dict[str, Proof] = {}

for _file in sorted(Path(__file__).parent.glob("*/*.py")):
    if _file.name != "__init__.py":
        for _name, _proof in importlib.import_module(f"proofs.{_file.parent.name}.{_file.stem}").PROOFS.items():
            assert _name not in PROOFS, f"'{_name}' is proven in {FILES[_name]} and in {_file}"
            PROOFS[_name], FILES[_name] = _proof, f"{_file.parent.name}/{_file.name}"


def of(folder: str) -> dict[str, Proof]:
    """The proofs of one folder."""
    return {name: proof for name, proof in PROOFS.items() if FILES[name].startswith(f"{folder}/")}
