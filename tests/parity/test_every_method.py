"""No method of the registry without its proofs: equations, parameters, operations, invariants, maps, gradients."""

from __future__ import annotations

from collections.abc import Callable

import proofs
import pytest
import test_blocks
import test_context
import test_detectors
import test_encoder
import test_equations
import test_gradients
import test_losses
import test_maps
import test_maps_make_outputs
import test_masking
import test_models
import test_operations
import test_pooling
import test_position
import test_regions
from cases import CASES, FILES, PROVEN
from proofs import PROOFS

from harness import paths
from harness.catalog import load_catalog
from harness.catalog.plugins import owners

MAY_BE_PLANNED = {
    "space-time-region-graph",
    "strn",
    "rdn-video-det",
    "mega-video-det",
    "mst-masked-ssl",
}
"""Video systems, and a self-supervised host."""

EQUATIONS: dict[str, Callable[..., None]] = {
    "block": test_blocks.test_equals_the_formula,
    "pooling": test_pooling.test_equals_the_formula,
    "encoder_attention": test_encoder.test_equals_the_formula,
}
"""Slot -> the test that compares its methods with their formulas; in the other slots a method brings an equation of its own."""

INVARIANTS = [
    test_blocks.test_start,
    test_blocks.test_permuting_the_positions_permutes_the_output,
    test_blocks.test_pairwise_attention,
    test_blocks.test_unary_map_sums_to_one,
    test_blocks.test_query_independent_blocks_add_the_same_to_every_position,
    test_pooling.test_order_of_the_positions_does_not_matter,
    test_pooling.test_attention_map,
    test_context.test_maps_are_rows_that_sum_to_one,
    test_context.test_permutation_equivariance,
    test_encoder.test_attention_is_offered_and_its_rows_sum_to_one,
    test_encoder.test_spectral_norm,
    test_position.test_encoder_layer_takes_it,
    test_masking.test_the_generator_decides,
    test_detectors.test_order_of_the_queries_does_not_matter,
    test_regions.test_order_and_place_of_the_regions_do_not_matter,
    test_regions.test_regions_neither_see_each_other_nor_other_images,
    test_regions.test_order_of_the_regions_does_not_matter_and_classes_are_apart,
]
NAMED: dict[str, Callable[..., None]] = {
    "aspp-deeplabv3": test_equations.test_equals_its_equation,
    "mst-no-encoder-sa": test_encoder.test_no_token_sees_another_without_self_attention,
    "qk-alignment-loss": test_losses.test_only_the_means_count,
    "mspn-multi-scene-posenet": test_models.test_posenet_pools_its_coarse_map,
}
"""Invariants: tests that take the method's name, or are about this one."""

LACKS = """method '{name}' has no proof. Write tests/parity/proofs/{file} with

    PROOFS = {{"{name}": ...}}

like the files beside it; its folder's __init__.py says what goes in. Add a plain form to perf/peers, where its slot is
measured. Then `python docs/make_methods.py`.
"""


def arguments(test: Callable[..., None]) -> set[str]:
    """The names that a test is run with."""
    values = [value for mark in test.pytestmark if mark.name == "parametrize" and "name" in mark.args[0] for value in mark.args[1]]
    return {value if isinstance(value, str) else value[0] for value in values}


def test_only_these_are_planned():
    assert {m.id for m in load_catalog().methods.values() if m.state == "planned"} <= MAY_BE_PLANNED


OF_THE_HOST = ("dino-ssl", "ibot")
"""Random masking of no image, and block-wise masking by another name: what is theirs is their host, which is compared where it is."""


@pytest.mark.parametrize("name", [name for name in CASES if name not in OF_THE_HOST])
def test_every_method_has_its_proof_where_its_plugin_is(name):
    plugin = owners(FILES)[CASES[name][1].plugin]
    assert plugin.origin == "shipped", f"method '{name}' of the shipped registry is made by {plugin.path}, which does not ship"
    file = plugin.path.relative_to(paths.plugins()).as_posix()
    assert name in PROOFS, LACKS.format(name=name, file=file)
    assert proofs.FILES[name] == file


@pytest.mark.parametrize("name", PROVEN)
def test_every_method_is_proven(name):
    """By tests that run over it, not by a table, which would stay when the test is gone."""
    proof, slot = PROOFS[name], CASES[name][0]
    assert name in arguments(EQUATIONS.get(slot, test_equations.test_equals_its_equation)), "compared with no equation"
    assert name in arguments(test_operations.test_operations_are_counted_to_the_last_one)
    assert name in NAMED or any(name in arguments(test) for test in INVARIANTS), "has no invariant"
    assert (name in arguments(test_gradients.test_gradients_are_finite_differences)) != bool(proof.no_gradients)
    assert (name in arguments(test_maps.test_map_has_the_documented_shape_and_changes_nothing)) == proof.has_map
    assert proof.offers, "has neither a map nor a reason"
    shown = name in arguments(test_maps_make_outputs.test_output_follows_from_the_map)
    assert shown or proof.rebuilt or not proof.has_map, "nothing shows that the map is the one it used"


def test_proofs_are_of_methods_that_exist():
    assert {*PROOFS, *NAMED} <= set(CASES)
