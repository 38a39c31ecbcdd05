"""What anyone's evaluators say of single classes, joints and samples, held against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.outcome import GUESS, LABEL

RNG = np.random.default_rng(0)


def evaluated(scope, metric, samples, names, **about):
    from mmengine.registry import EVALUATOR, DefaultScope

    with DefaultScope.overwrite_default_scope(scope):
        found = EVALUATOR.build({"type": "OwnScores", "metrics": [metric], "names": names})
    found.dataset_meta = about
    for sample in samples:
        found.process(data_samples=[sample])
    return found.evaluate(len(samples)), found.metrics[0]


def test_classes_of_images(openmmlab):
    labels, scores = RNG.integers(0, 4, 40), torch.tensor(RNG.random((40, 4)), dtype=torch.float32)
    samples = [{"gt_label": torch.tensor([label]), "pred_score": score} for label, score in zip(labels, scores, strict=True)]
    values, metric = evaluated("mmpretrain", {"type": "Accuracy", "topk": (1, 2)}, samples, ["top1", "top2"], classes=["a", "b", "c", "d"])
    for index, name in enumerate("abcd"):
        hits = [score.argmax() == index for label, score in zip(labels, scores, strict=True) if label == index]
        assert values[f"top1/{name}"] == pytest.approx(100 * np.mean(hits))
    assert values["top1"] == pytest.approx(metric.per_sample["top1"].mean()) and values.keys() >= {"top1", "top2"}
    assert metric.per_sample[LABEL].tolist() == labels.tolist()
    assert metric.per_sample[GUESS].tolist() == scores.argmax(1).tolist()


def test_several_labels_of_an_image_are_left_alone(openmmlab):
    samples = [{"gt_label": torch.tensor([0]), "pred_score": torch.tensor([0.2, 0.8])}]
    values, metric = evaluated("mmpretrain", {"type": "Accuracy", "topk": (1,), "thrs": (0.5, 0.9)}, samples, [], classes=["a", "b"])
    assert values == {} and metric.per_sample == {}


def test_classes_of_pixels(openmmlab):
    true, predicted = RNG.integers(0, 3, (5, 6, 7)), RNG.integers(0, 3, (5, 6, 7))
    true[0, 0] = 255
    samples = [
        {"gt_sem_seg": {"data": torch.tensor(a)[None]}, "pred_sem_seg": {"data": torch.tensor(b)[None]}}
        for a, b in zip(true, predicted, strict=True)
    ]
    classes = ["a", "b", "c", "never"]
    values, metric = evaluated("mmseg", {"type": "IoUMetric", "iou_metrics": ["mIoU"]}, samples, ["mIoU"], classes=classes)
    for index, name in enumerate("abc"):
        a, b = true == index, (predicted == index) & (true != 255)
        assert values[f"IoU/{name}"] == pytest.approx(100 * (a & b).sum() / (a | b).sum())
    taken = [[((true == a) & (predicted == b)).sum() for b in range(4)] for a in range(4)]
    assert metric.confusion.counts.tolist() == taken and metric.confusion.classes == (*classes,) and metric.confusion.unit == "pixels"
    assert metric.per_sample["aAcc"] == pytest.approx([100 * (a == b)[a != 255].mean() for a, b in zip(true, predicted, strict=True)])
    assert "IoU/never" not in values and values["mIoU"] == pytest.approx(np.mean([values[f"IoU/{name}"] for name in "abc"]), abs=0.006)


def test_joints(openmmlab):
    true, errors, seen = RNG.random((20, 1, 3, 2)) * 50, RNG.normal(0, 6, (20, 1, 3, 2)), RNG.random((20, 1, 3)) < 0.7
    seen[:, :, 2] = False
    samples = [
        {
            "pred_instances": {"keypoints": a + error},
            "gt_instances": {"keypoints": a, "keypoints_visible": mask, "bboxes": np.array([[0.0, 0.0, 40.0, 60.0]])},
        }
        for a, error, mask in zip(true, errors, seen, strict=True)
    ]
    names = {0: "head", 1: "hand", 2: "tail"}
    values, _ = evaluated("mmpose", {"type": "PCKAccuracy", "thr": 0.1}, samples, ["PCK"], keypoint_id2name=names)
    for joint in (0, 1):
        far = np.linalg.norm(errors[:, 0, joint], axis=-1)[seen[:, 0, joint]]
        assert values[f"PCK/{names[joint]}"] == pytest.approx(np.mean(far < 6))
    assert "PCK/tail" not in values and values["PCK"] == pytest.approx(np.mean([values["PCK/head"], values["PCK/hand"]]))


def detected():
    """Five images with boxes of two of three classes, and what was found there, some of it nowhere near."""
    samples = []
    for image in range(5):
        corner = RNG.random((6, 2)) * 60
        boxes, labels = np.hstack([corner, corner + 10 + RNG.random((6, 2)) * 20]).astype(np.float32), RNG.integers(0, 2, 6)
        near = (boxes + RNG.normal(0, 1.5, boxes.shape)).astype(np.float32)
        none = {"bboxes": torch.zeros((0, 4)), "labels": torch.zeros(0, dtype=torch.long)}
        samples.append(
            {
                "img_id": image,
                "ori_shape": (100, 100),
                "instances": [{"bbox": box, "bbox_label": int(label)} for box, label in zip(boxes.tolist(), labels, strict=True)],
                "gt_instances": {"bboxes": torch.tensor(boxes), "labels": torch.tensor(labels)},
                "ignored_instances": none,
                "pred_instances": {
                    "bboxes": torch.tensor(near),
                    "labels": torch.tensor(RNG.permutation(labels)),
                    "scores": torch.tensor(RNG.random(6), dtype=torch.float32),
                },
            }
        )
    return samples


@pytest.mark.parametrize(("kind", "mean"), [("CocoMetric", "bbox_mAP"), ("VOCMetric", "mAP")])
def test_classes_of_boxes(openmmlab, kind, mean):
    classes = ["a", "b", "never"]
    values, _ = evaluated("mmdet", {"type": kind, "metric": mean.removesuffix("_mAP")}, detected(), [mean], classes=classes)
    assert values.keys() == {mean, f"{mean}/a", f"{mean}/b"}, "a class that is not there has no precision"
    assert values[f"{mean}/a"] != values[f"{mean}/b"] and values[mean] > 0
    assert values[mean] == pytest.approx(np.mean([values[f"{mean}/a"], values[f"{mean}/b"]]), abs=0.0006)


def test_a_precision_of_nothing_is_no_number(openmmlab):
    values, _ = evaluated("mmdet", {"type": "CocoMetric", "metric": "bbox"}, detected(), ["bbox_mAP_m", "bbox_mAP_l"], classes=["a", "b"])
    assert np.isnan(values["bbox_mAP_m"]) or values["bbox_mAP_m"] >= 0
    assert np.isnan(values["bbox_mAP_l"]), "all boxes are smaller than 96 pixels"


def test_boxes_of_a_class_alone_score_as_among_others(openmmlab):
    samples, classes = detected(), ["a", "b", "never"]
    together, _ = evaluated("mmdet", {"type": "CocoMetric", "metric": "bbox"}, samples, ["bbox_mAP"], classes=classes)
    for label, name in enumerate("ab"):
        alone = []
        for sample in samples:
            found = sample["pred_instances"]
            mine = found["labels"] == label
            kept = [one for one in sample["instances"] if one["bbox_label"] == label]
            alone.append(sample | {"instances": kept, "pred_instances": {key: value[mine] for key, value in found.items()}})
        values, _ = evaluated("mmdet", {"type": "CocoMetric", "metric": "bbox"}, alone, ["bbox_mAP"], classes=classes)
        assert values["bbox_mAP"] == pytest.approx(together[f"bbox_mAP/{name}"], abs=0.0006)


def test_what_a_detector_found_is_drawn(openmmlab):
    """From the image's pixels, 200 x 100, to shares of the padded input, 128 x 64, of which 100 x 50 are the image."""
    from types import SimpleNamespace

    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    from harness.benchmarks.openmmlab.pictures import marks

    sample = DetDataSample(metainfo={"ori_shape": (100, 200), "img_shape": (50, 100), "batch_input_shape": (64, 128)})
    boxes = torch.tensor([[0.0, 0, 200, 100], [20, 10, 100, 50], [0, 0, 4, 4]])
    sample.pred_instances = InstanceData(bboxes=boxes, scores=torch.tensor([0.4, 0.9, 0.1]), labels=torch.tensor([0, 1, 0]))
    true, predicted = marks(sample, SimpleNamespace(dataset_meta={"classes": ("a", "b")}))
    assert not true.drawn and predicted.text == "1 a, 1 b"
    assert predicted.kinds.tolist() == [1, 0] and predicted.scores == pytest.approx([0.9, 0.4])
    assert predicted.boxes == pytest.approx(np.array([[10 / 128, 5 / 64, 50 / 128, 25 / 64], [0, 0, 100 / 128, 50 / 64]]))
