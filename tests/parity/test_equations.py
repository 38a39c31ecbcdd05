"""Every method that has no formula of its slot's form is its equation, or OpenMMLab's module with the same weights."""

from __future__ import annotations

import pytest
from cases import PROVEN, subject
from proofs import PROOFS
from proofs.proof import EquationProof


@pytest.mark.parametrize("name", [name for name in PROVEN if isinstance(PROOFS[name], EquationProof)])
def test_equals_its_equation(openmmlab, name):
    subject(name)
    PROOFS[name].equation()
