"""What all entries of ``registry.yaml`` have in common."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

_ID = re.compile(r"[a-z0-9][a-z0-9.-]*")
_LONGEST_ID = 64


def check_id(name: str) -> str:
    """An id is at most 64 lower-case letters, digits, dots and dashes."""
    if not _ID.fullmatch(name):
        raise ValueError(f"'{name}' is not an id: use lower-case letters, digits, dots and dashes")
    if len(name) > _LONGEST_ID:
        raise ValueError(f"'{name}' is not an id: it has {len(name)} characters, {_LONGEST_ID} are the most")
    return name


Id = Annotated[str, AfterValidator(check_id)]


class Entry(BaseModel):
    """Common base: unknown keys are errors, values are never coerced from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
