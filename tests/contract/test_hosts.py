"""What the benchmarks pass to a plugin's constructor is what its slot says, so that a plan knows it."""

from __future__ import annotations

import pytest

from harness import benchmarks, slots
from harness.catalog import load_catalog
from harness.catalog.plugins import discover, load_plugins
from harness.compose.trial import plugins_in
from harness.plugin_tools.probes import PROBES


@pytest.mark.parametrize(
    ("bench", "method"),
    [
        ("scenes-classification", "gem"),
        ("scenes-localization", "gem"),
        ("figures-keypoint", "se"),
        ("scenes-segmentation", "ocrnet"),
        ("scenes-segmentation", "ann"),
        ("scenes-segmentation", "gc-block"),
        ("rooms", "qk-alignment-plus-fixed-pe"),
        ("rooms", "mspn-multi-scene-posenet"),
        ("teams-detection", "gc-block"),
        ("coco-detr", "qk-alignment-plus-fixed-pe"),
    ],
)
def test_hosts_pass_what_the_slot_says(openmmlab, monkeypatch, bench, method):
    from mmengine.registry import MODELS, DefaultScope

    catalog, passed = load_catalog(), {}
    entry = catalog.benchmarks[bench]
    small = {"input": {"size": [64, 96]}} if "input" in entry.model else {}
    entry = entry.model_copy(update={"model": {**entry.model, **small, "weights": None, "frozen": False}})
    task = benchmarks.task(entry)
    config = task.config(catalog.methods[method].fill(task.slots))
    load_plugins(plugins_in(config), discover())
    build = slots.build

    def spy(plugin, params, **context):
        passed[plugin] = (slots.registry().get(plugin), set(context))
        return build(plugin, params, **context)

    monkeypatch.setattr(slots, "build", spy)
    DefaultScope.get_instance(f"hosts-{bench}-{method}", scope_name=config["default_scope"])
    MODELS.build(config["model"])
    assert {filling.plugin for filling in catalog.methods[method].slots.values()} <= set(passed)
    for cls, names in passed.values():
        slot = slots.SLOTS[cls.slot]
        assert set(slot.arguments) <= names <= set(slot.given)


def test_some_constructors_name_what_is_offered_and_get_it():
    """So that the test above meets every name that a slot lists."""
    files = {name: taken for file in discover() for name, taken in file.parameters.items()}
    assert "num_classes" in files["ocrnet"] and {"low_channels", "in_channels"} <= set(files["ann"])
    offered = {slot.name: slot.offered for slot in slots.SLOTS.values() if slot.offered}
    assert offered == {"context": ("num_classes", "low_channels", "in_channels")}


@pytest.mark.parametrize("slot", slots.SLOTS)
def test_the_contract_is_checked_with_what_the_harness_passes(slot):
    assert set(PROBES[slot].context(64)) == set(slots.SLOTS[slot].arguments)
