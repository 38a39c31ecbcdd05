"""What relates, describes and removes the regions of a detector: parameters, invariants, limits, and what it learns."""

from __future__ import annotations

import pytest
import torch
from cases import METHODS, subject
from proofs import PROOFS
from proofs.relation import boxes, build, sample
from test_maps import Recorder
from torch.nn import functional as F

from harness import slots
from harness.errors import UsageError
from harness.marks import multipliers

RELATIONS = ["object-relation-module", "region-self-attention"]
FEATURES = ["learnable-region-features", "learnable-region-features-geometry", "learnable-region-features-appearance"]


@pytest.fixture(scope="module", autouse=True)
def _plugins(openmmlab):
    for name in (*RELATIONS, *FEATURES, "orm-duplicate-removal", "soft-nms"):
        subject(name)


def targets(*arguments):
    """The plugin's, which can be imported once it is loaded."""
    from harness_plugins.duplicate_removal import orm

    return orm.targets(*arguments)


def count(plugin, channels, **context):
    return sum(p.numel() for p in slots.build(plugin, {}, channels=channels, **context).parameters())


def test_parameter_counts():
    assert count("object-relation-module", 1024) == 3_149_840  # the paper's: 6.0 * 2^20 more for two
    for c in (32, 256):
        assert count("object-relation-module", c) == count("region-self-attention", c) + 65 * 16 == 3 * (c * c + c) + 65 * 16
        assert count("orm-duplicate-removal", c) == 128 * (c + 1) + 128 * 1025 + 2 * 1024 * 129 + 128 * 129 + 65 * 16 + 5 * 129
    assert count("orm-duplicate-removal", 1024) == 544_789
    assert count("soft-nms", 64) == 0
    for c in (32, 64):
        e, geometry = 2 * c, 49 * c * 2 * c + 2 * c * 2 * c
        for form, wanted in (("both", 4 * e * e + geometry + 49 * c), ("geometry", 4 * e * e + geometry), ("appearance", 49 * c)):
            assert count("learnable-region-features", c, size=7, stride=8, form=form) == wanted


@pytest.mark.parametrize("name", RELATIONS)
def test_order_and_place_of_the_regions_do_not_matter(name):
    module, features, places = build(name, channels=16, relations=4), sample(7, 16), boxes(7)
    expected, order = module(features, places), torch.randperm(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module(features[order], places[order]), expected[order])
    torch.testing.assert_close(module(features, places + 300), expected)


def test_geometry_tells_regions_apart_that_look_alike():
    """Where one of them moves, a relation changes; self-attention does not see it."""
    places, features = boxes(6), sample(1, 16).expand(6, -1)
    moved = places.clone()
    moved[2] += 30
    for name, sees in zip(RELATIONS, (True, False), strict=True):
        module = build(name, channels=16, relations=4)
        weights = []
        for where in (places, moved):
            recorder = Recorder()
            with slots.observing(recorder):
                module(features, where)
            weights.append(recorder.offers[0]["attention"])
        assert torch.equal(*weights) != sees


def test_relations_without_geometric_weights_are_self_attention():
    """Where W_G is zero, or every weight is below its floor, all pairs count alike."""
    relation, plain = (build(name, channels=16, relations=4) for name in RELATIONS)
    plain.load_state_dict({key: value for key, value in relation.state_dict().items() if not key.startswith("geometry")})
    features, places = sample(9, 16), boxes(9)
    relation.geometry.weight.weight.data.zero_()
    for bias in (-1.0, 0.0, 1e-7, 2.5):
        relation.geometry.weight.bias.data.fill_(bias)
        torch.testing.assert_close(relation(features, places), plain(features, places))


@pytest.mark.parametrize("name", RELATIONS)
def test_a_region_alone_and_none(name):
    module, one = build(name, channels=16, relations=4), sample(1, 16)
    torch.testing.assert_close(module(one, boxes(1)), one + module.value(one))
    assert module(one[:0], boxes(0)).shape == (0, 16)


def test_a_box_that_is_nothing_is_related_too():
    """Empty, turned inside out, and the same twice: finite values and gradients."""
    module, features = build("object-relation-module", channels=16, relations=4), sample(4, 16).requires_grad_()
    places = torch.tensor([[5.0, 5, 5, 5], [9, 9, 2, 2], [1, 2, 30, 40], [1, 2, 30, 40]], dtype=torch.double, requires_grad=True)
    output = module(features, places)
    output.square().sum().backward()
    assert output.isfinite().all() and features.grad.isfinite().all() and places.grad.isfinite().all()


def test_weights_of_the_released_code_fit():
    """Its W_V is a convolution in groups of whole weighted sums: the same matrix, row by row."""
    module, features, places = build("object-relation-module", channels=16, relations=4), sample(6, 16), boxes(6)
    recorder = Recorder()
    with slots.observing(recorder):
        output = module(features, places)
    sums = (recorder.offers[0]["attention"][0] @ features).transpose(0, 1).reshape(6, 4 * 16, 1, 1)
    theirs = F.conv2d(sums, module.value.weight[..., None, None], module.value.bias, groups=4).flatten(1)
    torch.testing.assert_close(features + theirs, output)


@pytest.mark.parametrize("name", RELATIONS)
def test_relations_that_do_not_divide_the_channels_are_refused(name):
    with pytest.raises(UsageError, match="must divide"):
        slots.build(name, {"relations": 5}, channels=16)


# --- features of regions


def described(form="both", **options):
    module = build("learnable-region-features", channels=6, size=3, stride=8, form=form, embedding=8, **options)
    rois = torch.cat([torch.tensor([[0.0], [1.0], [0.0], [1.0]], dtype=torch.double), boxes(4)], 1)
    return module, sample(2, 6, 8, 9), rois


@pytest.mark.parametrize("name", FEATURES)
def test_parts_are_sums_over_the_points_that_the_weights_are_of(name):
    """Weights of one image's points, times what the map is there, inner points first."""
    from harness_plugins.region_features.learnable import middles
    from harness_plugins.region_features.learnable import sample as points_of

    module, x, rois = described(METHODS[name].slots["region_features"].params.get("form", "both"))
    recorder = Recorder()
    with slots.observing(recorder):
        output = module(x, rois)
    whole = torch.tensor([[0.0, 0, 72, 64]], dtype=torch.double)
    for one, weights, roi in zip(output, recorder.offers[0]["attention"][:, 0], rois, strict=True):
        grids = (middles(roi[None, 1:], 14), middles(whole, 10))
        values = torch.cat([points_of(x[int(roi[0])], 2 * g / torch.tensor([[72.0], [64.0]]) - 1)[0] for g in grids])
        torch.testing.assert_close(one.flatten(1).T, weights @ values)


@pytest.mark.parametrize("name", FEATURES)
def test_regions_neither_see_each_other_nor_other_images(name):
    module, x, rois = described(METHODS[name].slots["region_features"].params.get("form", "both"))
    expected = module(x, rois)
    order = torch.tensor([2, 3, 0, 1])
    torch.testing.assert_close(module(x, rois[order]), expected[order])
    torch.testing.assert_close(module(x, rois[1:2]), expected[1:2])
    other = torch.cat([x[:1] + 1, x[1:]])
    torch.testing.assert_close(module(other, rois)[1::2], expected[1::2])
    assert module(x, rois[:0]).shape == (0, 6, 3, 3)
    # of a map that is the same everywhere every weighted mean is the same
    torch.testing.assert_close(module(torch.full_like(x, 2.5), rois), torch.full_like(expected, 2.5))


def weights_of(module, x, rois):
    recorder = Recorder()
    with slots.observing(recorder):
        module(x, rois)
    return recorder.offers[0]["attention"]


def test_what_each_term_sees():
    """Geometry weighs alike on every image; appearance weighs alike wherever the same pixels lie."""
    x = sample(1, 6, 12, 14)
    here = torch.tensor([[0, 20.0, 24, 52, 44]], dtype=torch.double)
    there, moved = here + torch.tensor([0, 24.0, 16, 24, 16]), x.roll((2, 3), (2, 3))
    geometry, appearance = (described(form, outside=0)[0] for form in ("geometry", "appearance"))
    torch.testing.assert_close(weights_of(geometry, x, here), weights_of(geometry, moved, here))
    assert not torch.allclose(weights_of(geometry, x, here), weights_of(geometry, x, there))
    torch.testing.assert_close(weights_of(appearance, x, here), weights_of(appearance, moved, there))
    assert not torch.allclose(weights_of(appearance, x, here), weights_of(appearance, moved, here))


def test_all_zero_it_is_the_mean_of_the_points():
    module, x, rois = described()
    for parameter in module.parameters():
        parameter.data.zero_()
    output = module(x, rois)
    torch.testing.assert_close(output, output[:, :, :1, :1].expand_as(output))


# --- removal of duplicates


def detections(seed=1, regions=12, classes=3):
    return sample(regions, 8, seed=seed), boxes(regions, classes, seed=seed), sample(regions, classes, seed=seed + 10).sigmoid()


@pytest.mark.parametrize("name", ["orm-duplicate-removal", "soft-nms"])
def test_order_of_the_regions_does_not_matter_and_classes_are_apart(name):
    module, (features, places, scores) = build(name, channels=8), detections()
    expected, order = module(features, places, scores), torch.randperm(12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(module(features[order], places[order], scores[order]), expected[order])
    other = places.clone()
    other[:, 1] += torch.rand(12, 4)
    changed = module(features, other, scores)
    torch.testing.assert_close(changed[:, [0, 2]], expected[:, [0, 2]])
    assert not torch.equal(changed[:, 1], expected[:, 1])
    assert ((expected >= 0) & (expected <= scores)).all()
    assert module(features[:0], places[:0], scores[:0]).shape == (0, 3)


def test_scores_follow_from_the_relations_of_each_class():
    module, (features, places, scores) = build("orm-duplicate-removal", channels=8), detections()
    recorder = Recorder()
    with slots.observing(recorder):
        output = module(features, places, scores)
    rank = torch.arange(12, dtype=torch.double)[:, None] / 1000 ** (torch.arange(512, dtype=torch.double) / 512)
    for k, weights in enumerate(recorder.offers[0]["attention"]):
        order = scores[:, k].argsort(descending=True)
        u = module.region(features)[order] + module.rank(torch.cat([rank.sin(), rank.cos()], 1))
        parts = [a @ v for a, v in zip(weights, module.relation.value(u).chunk(16, 1), strict=True)]
        probability = module.keep((u + torch.cat(parts, 1)).relu()).sigmoid().mean(1)
        torch.testing.assert_close(output[order, k], scores[order, k] * probability)


def test_only_the_best_are_kept_and_classes_that_nothing_finds_are_left_out():
    features, places, scores = detections(regions=120)
    module = build("orm-duplicate-removal", channels=8)
    kept = module(features, places, scores)
    assert ((kept > 0).sum(0) == 100).all()
    for k in range(3):
        assert scores[kept[:, k] > 0, k].min() > scores[kept[:, k] == 0, k].max()
    scores[:, 1] *= 0.009
    quiet = module(features, places, scores)
    assert not quiet[:, 1].any()
    torch.testing.assert_close(quiet[:, [0, 2]], kept[:, [0, 2]])
    # the class that is found best is looked at however low it is
    assert module(features, places, scores * 1e-3).any()


def test_limits_of_soft_suppression():
    features, places, scores = detections()
    torch.testing.assert_close(build("soft-nms", channels=8, sigma=1e9)(features, places, scores), scores)
    # without overlap nothing decays
    apart = places + 1000 * torch.arange(12, dtype=torch.double)[:, None, None]
    torch.testing.assert_close(build("soft-nms", channels=8)(features, apart, scores), scores)
    # equal boxes: σ small leaves the best alone, as non-maximum suppression does
    same = places[:1].expand_as(places)
    left = build("soft-nms", channels=8, sigma=1e-3)(features, same, scores)
    assert torch.equal((left > 1e-9).sum(0), torch.ones(3, dtype=torch.long))
    torch.testing.assert_close(left.amax(0), scores.amax(0))


def test_few_rounds_of_soft_suppression_report_the_same():
    """What is taken in the first rounds is final, and above all the rest."""
    features, places, scores = detections(regions=40)
    full, few = (build("soft-nms", channels=8, first=first)(features, places, scores) for first in (40, 10))
    for k in range(3):
        assert torch.equal(few[:, k].topk(10).indices, full[:, k].topk(10).indices)
        torch.testing.assert_close(few[:, k].topk(10).values, full[:, k].topk(10).values)


def test_the_rate_of_the_rank():
    rated, plain = (build("orm-duplicate-removal", channels=8, **options) for options in ({"rank_lr": 0.03}, {}))
    assert {name: multipliers(rated)[value] for name, value in rated.rank.named_parameters()} == {"weight": (0.03, 1), "bias": (0.03, 1)}
    assert len(multipliers(rated)) == 2 and not multipliers(plain)


def test_descending_the_loss_parts_what_is_kept_from_what_is_removed():
    """Plain gradient descent on one image: the loss falls, and the best detections of objects gain on their duplicates."""
    module, (features, places, scores) = build("orm-duplicate-removal", channels=8, width=16, keys=32, relations=4), detections(classes=1)
    objects, labels = places[[0, 5, 9], 0], torch.zeros(3, dtype=torch.long)
    order = scores[:, 0].argsort(descending=True)
    kept = targets(places[order], objects, labels, (0.5,))[:, 0, 0] == 1
    assert 1 <= kept.sum() <= 3
    losses, margins = [], []
    for _ in range(60):
        p = module.products(features, places, scores)[2][:, 0, 0] / scores[order, 0]
        margins.append((p[kept].mean() - p[~kept].mean()).item())
        loss = sum(module.loss(features, places, scores, objects, labels).values())
        losses.append(loss.item())
        for parameter, gradient in zip(module.parameters(), torch.autograd.grad(loss, [*module.parameters()]), strict=True):
            parameter.data -= 0.02 * gradient
    assert losses[-1] < 0.9 * losses[0] and margins[-1] > margins[0] + 0.02


def test_wrong_options_are_said():
    for plugin, options, said in (
        ("soft-nms", {"decay": "hard"}, "gaussian or linear"),
        ("soft-nms", {"sigma": 0}, "larger than 0"),
        ("orm-duplicate-removal", {"merge": "min"}, "mean or max"),
        ("orm-duplicate-removal", {"relations": 7}, "must divide"),
        ("orm-duplicate-removal", {"thresholds": ()}, "at least 1"),
        ("object-relation-module", {"geometry": 12}, "multiple of 8"),
        ("learnable-region-features", {"form": "none"}, "both, geometry or appearance"),
        ("learnable-region-features", {"inside": 0}, "at least 1"),
        ("learnable-region-features", {"embedding": 5}, "even"),
    ):
        with pytest.raises(UsageError, match=said):
            slots.build(plugin, options, channels=16, **({"size": 7, "stride": 8} if "features" in plugin else {}))


def test_every_proof_of_regions_is_run_here():
    assert {*RELATIONS, *FEATURES, "orm-duplicate-removal", "soft-nms"} <= set(PROOFS)
