"""The map a method offers is the one it used: the output follows from the map, the values and the method's last layers."""

from __future__ import annotations

import pytest
import torch
from proofs import PROOFS
from test_maps import MAPS, built, observe


@pytest.fixture(scope="module", autouse=True)
def _toolboxes(openmmlab):
    """All plugins can be imported."""


@pytest.mark.parametrize("name", [name for name in MAPS if not isinstance(PROOFS[name].rebuilt, str)])
def test_output_follows_from_the_map(name):
    module, inputs = built(name)
    with torch.no_grad():
        (output,), offers = observe(module, inputs)
        torch.testing.assert_close(PROOFS[name].rebuilt(module, inputs[0], offers), output, rtol=1e-4, atol=1e-4)
