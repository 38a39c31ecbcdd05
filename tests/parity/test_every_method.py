"""No method of the registry without its proofs: equations, parameters, operations, invariants, maps, gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import test_blocks
import test_context
import test_encoder
import test_gradients
import test_losses
import test_maps
import test_masking
import test_models
import test_operations
import test_pooling
import test_position
from cases import CASES

from harness.catalog import load_catalog

MAY_BE_PLANNED = {
    "space-time-region-graph",
    "strn",
    "rdn-video-det",
    "mega-video-det",
    "learnable-region-features",
    "object-relation-module",
    "orm-duplicate-removal",
    "detr",
    "ibot",
    "dino-ssl",
    "mst-masked-ssl",
}
"""Video systems, detectors and self-supervised hosts."""

CONTEXT = {
    "ann": test_context.test_asymmetric_blocks_are_those_of_mmseg,
    "aspp-deeplabv3": test_context.test_aspp_is_the_feature_of_mmsegs_head,
    "ccnet": test_context.test_criss_cross_in_our_head_is_mmsegs_cc_head,
    "danet": test_context.test_dual_attention_modules_are_those_of_mmseg,
    "emanet": test_context.test_ema_in_our_head_is_mmsegs_ema_head_bases_included,
    "isanet": test_context.test_interlaced_attention_in_our_head_is_mmsegs_isa_head,
    "ocnet": test_context.test_object_context_equation,
    "ocrnet": test_context.test_object_context_in_our_head_is_mmsegs_ocr_head_given_the_same_coarse_logits,
    "psanet": test_context.test_pointwise_spatial_attention_equation,
}


def arguments(test: Callable[..., None]) -> set[str]:
    """The names that a test is run with."""
    values = [value for mark in test.pytestmark if mark.name == "parametrize" and "name" in mark.args[0] for value in mark.args[1]]
    return {value if isinstance(value, str) else value[0] for value in values}


EQUATIONS: dict[str, dict[str, Callable[..., None]]] = {
    "block": dict.fromkeys(arguments(test_blocks.test_equals_the_formula), test_blocks.test_equals_the_formula),
    "pooling": dict.fromkeys(arguments(test_pooling.test_equals_the_formula), test_pooling.test_equals_the_formula),
    "context": CONTEXT,
    "encoder_attention": dict.fromkeys(arguments(test_encoder.test_equals_the_formula), test_encoder.test_equals_the_formula),
    "position_encoding": {
        "learnable-pe": test_position.test_learnable_equals_the_formula,
        "fixed-sine-2d-pe": test_position.test_sine_equals_the_formula,
        "t5-relative-pe": test_position.test_t5_equals_the_formula,
        "rotary-pe": test_position.test_rotary_equals_the_formula,
    },
    "attention_loss": {"qk-alignment-loss": test_losses.test_equals_the_closed_form},
    "masking": dict.fromkeys(arguments(test_masking.test_hides_what_the_paper_says), test_masking.test_hides_what_the_paper_says),
    "model": {"mspn-multi-scene-posenet": test_models.test_posenet_equals_its_description},
}
"""Per slot the test that compares a method with its equations or with OpenMMLab: one that is gone cannot be named here."""

PARAMETRIZED = [
    test_blocks.test_start,
    test_blocks.test_permuting_the_positions_permutes_the_output,
    test_blocks.test_pairwise_attention,
    test_blocks.test_unary_map_sums_to_one,
    test_blocks.test_query_independent_blocks_add_the_same_to_every_position,
    test_pooling.test_order_of_the_positions_does_not_matter,
    test_context.test_maps_are_rows_that_sum_to_one,
    test_context.test_permutation_equivariance,
    test_encoder.test_attention_is_offered_and_its_rows_sum_to_one,
    test_encoder.test_spectral_norm,
    test_position.test_encoder_layer_takes_it,
    test_masking.test_hides_what_the_paper_says,
]
NAMED: dict[str, list[Callable[..., None]]] = {
    "how": [test_pooling.test_attention_map],
    "aspp-deeplabv3": [test_context.test_aspp_is_the_feature_of_mmsegs_head],
    "mst-no-encoder-sa": [test_encoder.test_no_token_sees_another_without_self_attention],
    "qk-alignment-loss": [test_losses.test_only_the_means_count],
    "mspn-multi-scene-posenet": [test_models.test_posenet_pools_its_coarse_map],
}
"""Invariants: tests that take the method's name, or are about this one."""


def known_as(name: str) -> set[str]:
    """A case's own name, and that of its plugin where it is the plugin as it is or as another case has it."""
    filling = CASES[name][1]
    named = CASES[filling.plugin][1].params if filling.plugin in CASES else {}
    return {name, filling.plugin} if filling.params == named else {name}


def test_parameters_of_every_context_method_are_counted():
    assert set(CONTEXT) == set(test_context.FORMULAS) == set(test_context.NAMES)


def test_only_these_are_planned():
    assert {m.id for m in load_catalog().methods.values() if m.state == "planned"} <= MAY_BE_PLANNED


def test_equations_are_compared_by_tests():
    """Not by a table or a helper, which stays when the test is gone."""
    for proofs in EQUATIONS.values():
        assert all(proof.__name__.startswith("test_") for proof in proofs.values())


@pytest.mark.parametrize("name", CASES)
def test_every_method_is_proven(name):
    slot, _ = CASES[name]
    assert known_as(name) & set(EQUATIONS[slot]), "compared with no equation"
    assert name in test_operations.FLOPS, "states no operations"
    assert name in NAMED or any(known_as(name) & arguments(test) for test in PARAMETRIZED), "has no invariant"
    assert (name in test_maps.OFFERS) != (name in test_maps.NO_MAP), "has neither a map nor a reason"


def test_exceptions_are_of_methods_that_exist():
    for names in (test_gradients.EXEMPT, test_maps.NOT_ONE, test_operations.MATRIX, NAMED):
        assert set(names) <= set(CASES)
