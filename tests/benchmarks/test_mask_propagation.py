"""Mask propagation: scores and propagation against slow loops, layouts, what the synthetic videos hold, and a trial."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from lookalikes import davis
from PIL import Image, ImageDraw
from tiffs import WHITE_IS_ZERO
from tiffs import save as save_tiff

from harness import benchmarks
from harness.benchmarks.mask_propagation import synthetic
from harness.benchmarks.mask_propagation.edges import VOID, shades
from harness.benchmarks.mask_propagation.options import PropagationData, PropagationModel
from harness.benchmarks.mask_propagation.readers.davis import DavisData
from harness.benchmarks.mask_propagation.readers.davis import read as read_davis
from harness.benchmarks.mask_propagation.readers.video_folders import FoldersData
from harness.benchmarks.mask_propagation.readers.video_folders import read as read_folders
from harness.benchmarks.mask_propagation.scores import boundary, contour, metrics, of_object, region, statistics, summarise
from harness.benchmarks.mask_propagation.synthetic import SyntheticData
from harness.catalog import Benchmark, load_catalog
from harness.compose import Trial
from harness.errors import HarnessError, UsageError
from harness.images import Decoding, read_rgb, voc_colour, write_indexed

OWN = {"format": "video-folders", "root": "x"}
ENTRY = load_catalog().benchmarks["scenes-propagation"]

# ---------------------------------------------------------------- scores


def blob(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A few boxes and specks, at the border and beyond it, too; sometimes nothing."""
    mask = np.zeros(shape, bool)
    for _ in range(rng.integers(0, 4)):
        y, x = (int(rng.integers(-5, length)) for length in shape)
        mask[max(y, 0) : y + int(rng.integers(1, 20)), max(x, 0) : x + int(rng.integers(1, 20))] = True
    return mask ^ (rng.random(shape) < 0.01) if rng.random() < 0.3 else mask


def slow_contour(mask: np.ndarray) -> set[tuple[int, int]]:
    """A pixel counts where one to its right, below it or both, as far as they are in the frame, is not as it is; the corner never."""
    height, width = mask.shape
    found = set()
    for y in range(height):
        for x in range(width):
            others = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            if (y, x) != (height - 1, width - 1) and any(mask[y, x] != mask[p] for p in others if p[0] < height and p[1] < width):
                found.add((y, x))
    return found


def slow_boundary(truth: np.ndarray, guess: np.ndarray) -> float:
    reach = math.ceil(0.008 * math.hypot(*truth.shape))
    true, guessed = slow_contour(truth), slow_contour(guess)
    if not true or not guessed:
        return float(not true and not guessed)

    def near(some, others) -> float:
        return sum(any((y - v) ** 2 + (x - u) ** 2 <= reach**2 for v, u in others) for y, x in some) / len(some)

    precision, recall = near(guessed, true), near(true, guessed)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("shape", [(40, 56), (150, 260)])
def test_regions_and_contours_are_those_of_a_loop_over_pixels(shape):
    rng = np.random.default_rng(shape[0])
    scores = []
    for _ in range(60 if shape[0] < 100 else 8):
        truth, guess = blob(rng, shape), blob(rng, shape)
        if rng.random() < 0.5:
            guess = np.roll(truth, (int(rng.integers(-3, 4)), int(rng.integers(-3, 4))), (0, 1))
        assert {*zip(*map(np.ndarray.tolist, np.nonzero(contour(truth))), strict=True)} == slow_contour(truth)
        union = (truth | guess).sum()
        assert region(truth, guess) == ((truth & guess).sum() / union if union else 1)
        scores.append(boundary(truth, guess))
        assert scores[-1] == pytest.approx(slow_boundary(truth, guess), abs=1e-12)
    assert len({*scores}) > 3 and (shape[0] > 100 or {0.0, 1.0} <= {*scores})


def test_statistics_are_those_of_davis():
    """Mean, share of frames beyond a half, and the first quarter less the last; parts share the frame where they meet."""
    values = np.array([1.0, 0.9, 0.8, 0.5, 0.6, 0.4, 0.3, 0.2, 0.1])
    assert statistics(values) == pytest.approx((values.mean(), 4 / 9, 0.9 - 0.2))
    for length in range(1, 120):
        rng = np.random.default_rng(length)
        series = rng.random(length)
        ends = [round(1 + part * (length - 1) / 4 + 1e-10) - 1 for part in range(5)]
        decay = np.mean(series[ends[0] : ends[1] + 1]) - np.mean(series[ends[3] : ends[4] + 1])
        assert statistics(series) == pytest.approx((np.mean(series), np.mean(series > 0.5), decay), abs=1e-12)


def test_objects_count_alike_however_long_their_videos():
    rng = np.random.default_rng(0)
    objects = []
    for length in (3, 30):
        pairs = [(blob(rng, (30, 40)), blob(rng, (30, 40))) for _ in range(length)]
        objects.append(of_object(*zip(*pairs, strict=True)))
    found = summarise(np.array(objects))
    assert found["j_mean"] == pytest.approx(100 * np.mean([one[0, 0] for one in objects]))
    assert found["f_decay"] == pytest.approx(100 * np.mean([one[1, 2] for one in objects]))
    assert found["jf_mean"] == pytest.approx((found["j_mean"] + found["f_mean"]) / 2)
    assert {*found, "pixels"} == {metric.name for metric in metrics(PropagationData(format="davis"))}


# ---------------------------------------------------------------- propagation


def slow_carried(query, keys, masks, radius, neighbours, temperature):
    """Position by position."""
    _, height, width = query.shape
    found = np.zeros(masks.shape[1:])
    for y in range(height):
        for x in range(width):
            seen = []
            for t, (key, mask) in enumerate(zip(keys, masks, strict=True)):
                for v in range(height):
                    for u in range(width):
                        if not radius or (abs(v - y) <= radius and abs(u - x) <= radius):
                            a, b = query[:, y, x], key[:, v, u]
                            cosine = (a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum())
                            seen.append((cosine, t, mask[:, v, u]))
            seen.sort(key=lambda one: -one[0])
            weights = [math.exp(cosine / temperature) for cosine, *_ in seen[:neighbours]]
            found[:, y, x] = sum(weight * mask for weight, (*_, mask) in zip(weights, seen, strict=False)) / sum(weights)
    return found


@pytest.mark.parametrize(("radius", "neighbours"), [(0, 5), (1, 5), (2, 3), (12, 5), (1, 100)])
def test_masks_are_carried_as_a_loop_over_positions_carries_them(radius, neighbours):
    import torch

    from harness.benchmarks.mask_propagation.mm.propagation import Follower, winner

    rng = np.random.default_rng(radius)
    frames = rng.normal(size=(6, 8, 5, 7))
    first = np.eye(3)[rng.integers(0, 3, (5, 7))].transpose(2, 0, 1)
    known, fast = [(frames[0], first)], []
    follower = Follower(torch.tensor(frames[0]), torch.tensor(first), context=2, radius=radius, neighbours=neighbours, temperature=0.1)
    for frame in frames[1:]:
        context = [known[0], *known[1:][-2:]]
        keys, masks = ([one[part] for one in context] for part in (0, 1))
        known.append((frame, slow_carried(frame, keys, np.array(masks), radius, neighbours, 0.1)))
        fast.append(follower.masks(torch.tensor(frame)).numpy())
    np.testing.assert_allclose(fast, [mask for _, mask in known[1:]], atol=1e-12)
    # and the largest of what is left when each has been stretched
    large = torch.nn.functional.interpolate(torch.tensor(fast[-1])[None], size=(20, 28), mode="bilinear")[0].numpy()
    stretched = np.stack([(one - one.min()) / (one.max() - one.min()) for one in large])
    np.testing.assert_array_equal(winner(torch.tensor(fast[-1]), (20, 28)).numpy(), stretched.argmax(0))
    np.testing.assert_array_equal(winner(torch.tensor(fast[-1]), (20, 28), stretched=False).numpy(), large.argmax(0))
    near = winner(torch.tensor(fast[-1]), (20, 28), upsampling="nearest").numpy()
    np.testing.assert_array_equal(near, near[::4, ::4].repeat(4, 0).repeat(4, 1))


def test_what_cannot_be_told_apart_counts_whole():
    """Ties with the last neighbour are kept, so that a blank frame leaves masks as shares, and what is lost everywhere stays lost."""
    import torch

    from harness.benchmarks.mask_propagation.mm.propagation import carried, winner

    blank = torch.ones(1, 4, 3, 3) / 2
    masks = torch.zeros(1, 2, 3, 3)
    masks[0, 1, 0, 0], masks[0, 0] = 1, 1 - masks[0, 1]
    found = carried(blank[0], blank, masks, radius=0, neighbours=2)
    torch.testing.assert_close(found[1], torch.full((3, 3), 1 / 9))
    gone = torch.stack([torch.ones(3, 3), torch.zeros(3, 3)])
    assert not winner(gone, (6, 6)).any()


@pytest.mark.parametrize(
    ("height", "width", "seen"), [(480, 854, (480, 832)), (480, 910, (480, 896)), (854, 480, (832, 480)), (240, 427, (480, 832))]
)
def test_frames_are_resized_as_by_dinos_script(height, width, seen):
    assert PropagationData(format="davis").seen(height, width) == seen


# ---------------------------------------------------------------- layouts


def test_davis_2017_is_read_object_by_object(tmp_path):
    davis(load_catalog().benchmarks["davis2017"], tmp_path)
    data = DavisData(format="davis", root="")
    listing = read_davis(tmp_path, data)
    assert listing.problems == [] and listing.counted == "2 videos of 10 frames, 3 objects"
    assert [(one.video.name, one.number) for one in listing.tracked] == [("bear", 1), ("bear", 2), ("dogs-jump", 1)]
    video = listing.clips[0]
    stored = np.asarray(Image.open(video.masks[0]))
    assert video.objects == (1, 2) and video.scored == (1, 2, 3)
    np.testing.assert_array_equal(video.labels(0), np.where(stored == 255, 0, stored))
    np.testing.assert_array_equal(video.stored(video.labels(0)), video.labels(0))


def test_davis_2016_has_lists_of_frames_and_one_object(tmp_path):
    """Some of its masks are in colours."""
    davis(load_catalog().benchmarks["davis2017"], tmp_path)
    lines = [f"/JPEGImages/480p/bear/{n:05d}.jpg /Annotations/480p/bear/{n:05d}.png" for n in range(5)]
    (tmp_path / "ImageSets/480p").mkdir()
    (tmp_path / "ImageSets/480p/val.txt").write_text("\n".join(lines))
    mask = tmp_path / "Annotations/480p/bear/00002.png"
    whole = np.asarray(Image.open(mask)) != 0
    Image.fromarray(np.repeat(255 * whole[..., None].astype(np.uint8), 3, axis=2)).save(mask)
    listing = read_davis(tmp_path, DavisData(format="davis", root="", list="ImageSets/480p/val.txt", one_object=True))
    (video,) = listing.clips
    assert listing.problems == [] and len(listing.test) == 1
    np.testing.assert_array_equal(video.labels(2), whole)
    assert {*np.unique(video.stored(video.labels(2))).tolist()} == {0, 255}


def folders(root: Path, masks: dict[int, np.ndarray], frames: int = 12, name: str = "a/cat") -> None:
    for number in range(1, frames + 1):
        for kind in ("frames", "masks"):
            (root / kind / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (24, 32, 3)).astype(np.uint8)).save(
            root / f"frames/{name}/{number}.jpg"
        )
        if number in masks:
            Image.fromarray(masks[number].astype(np.uint8)).save(root / f"masks/{name}/{number}.png")


def test_own_videos_may_have_few_masks_and_any_numbers(tmp_path):
    mask = np.zeros((24, 32), int)
    mask[3:9, 4:12], mask[12:20, 15:30] = 7, 200
    folders(tmp_path, {1: mask, 4: mask, 10: mask, 12: mask})
    task = benchmarks.task(Benchmark(id="own", family="mask-propagation", data=OWN, model={"frozen": False}))
    listing = task.listing(tmp_path)
    (video,) = listing.clips
    assert [int(frame.stem) for frame in video.frames] == [*range(1, 13)], "by number, not by letter"
    assert video.objects == (7, 200) and video.scored == (3, 9) and video.name == "a/cat"
    np.testing.assert_array_equal(video.labels(0), np.where(mask == 7, 1, np.where(mask == 200, 2, 0)))
    np.testing.assert_array_equal(video.stored(video.labels(0)), mask)
    assert task.check(tmp_path) == []
    later = mask.copy()
    later[0, 0] = 9
    folders(tmp_path, {4: later})
    (told,) = task.check(tmp_path)
    assert not told.fatal and "number 9" in told.what


def test_what_is_wrong_with_a_video_is_told(tmp_path):
    mask = np.zeros((24, 32), int)
    mask[3:9, 4:12] = 1
    data = FoldersData(format="video-folders", root="")
    task = benchmarks.task(Benchmark(id="own", family="mask-propagation", data=OWN, model={"frozen": False}))

    def told(masks: dict[int, np.ndarray], name: str) -> str:
        root = tmp_path / name
        folders(root, masks, 5)
        (problem,) = [problem for problem in task.check(root) if problem.fatal and "has no sample" not in problem.what]
        return problem.sentences

    every = dict.fromkeys(range(1, 6), mask)
    folders(tmp_path / "old", every, 5)
    for suffix in ("tif", "jpg"):
        Image.fromarray(np.uint8(255 * mask)).save(tmp_path / f"old/masks/a/cat/2.{suffix}")
    assert "masks/a/cat: a frame has several masks: 2.png and 2.tif. Delete" in told(every, "old")
    (tmp_path / "old/masks/a/cat/2.tif").unlink()  # a preview is no mask
    assert [video.masks[1] for video in task.listing(tmp_path / "old").clips] == [tmp_path / "old/masks/a/cat/2.png"]
    for number in (1, 2):
        folders(tmp_path / "each", {}, 5)
        (tmp_path / f"each/masks/a/cat/{number}").mkdir(parents=True)
        Image.fromarray(np.uint8(mask)).save(tmp_path / f"each/masks/a/cat/{number}/1.png")
    assert "masks/a/cat: masks lie in folders below (1, 2), one for each object, it seems" in told({}, "each")
    assert "the first frame has no mask" in told({2: mask, 3: mask, 4: mask}, "first")
    assert "fewer than 3 frames have a mask" in told({1: mask, 5: mask}, "few")
    assert "no object. Mark what is to be followed" in told(every | {1: 0 * mask}, "empty")
    assert "write data.one_object: true" in told({n: 255 * m for n, m in every.items()}, "void")
    assert "32 x 23 pixels, its frame 32 x 24" in told(every | {3: mask[1:]}, "size")
    folders(tmp_path / "gone", every, 5)
    (tmp_path / "gone/list.txt").write_text("a/cat\nb/dog\n")
    (problem,) = read_folders(tmp_path / "gone", data.model_copy(update={"list": "list.txt"})).problems
    assert problem.where == "frames/b/dog" and problem.fatal
    (tmp_path / "gone/masks/a/cat/9.png").write_bytes((tmp_path / "gone/masks/a/cat/1.png").read_bytes())
    (problem,) = read_folders(tmp_path / "gone", data).problems
    assert "have no frame" in problem.what and not problem.fatal


def masks_as(root: Path, write) -> benchmarks.Task:
    """A video whose masks ``write(mask, number, file without suffix)`` wrote, each with two objects."""
    mask = np.zeros((24, 32), np.uint8)
    mask[3:9, 4:12], mask[12:20, 15:30] = 1, 2
    folders(root, {}, 5)
    for number in range(1, 6):
        write(mask, number, root / f"masks/a/cat/{number}")
    return benchmarks.task(Benchmark(id="own", family="mask-propagation", data=OWN, model={"frozen": False}))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["1700.1", "1700.25", "1700.3", "1700.5"], "which of 1700.5 and 1700.25 comes first?"),
        (["1700.9", "1700.10", "1700.11", "1701.0"], "which of 1700.9 and 1700.10 comes first?"),
        (["1700.10", "1700.25", "1700.30", "1701.05"], ""),
        (["1700.5", "1701.25", "1702.0", "1703.125"], ""),  # in either reading of the same order
        (["1.1", "1.2", "1.9", "1.10"], ""),  # a shot and its frames
        (["9", "10", "10.5", "10.25"], ""),
    ],
)
def test_times_of_which_nobody_knows_the_order_are_refused(tmp_path, names, told):
    task = masks_as(tmp_path, lambda mask, _, file: Image.fromarray(mask).save(f"{file}.png"))
    (tmp_path / "frames/a/cat/5.jpg").unlink(), (tmp_path / "masks/a/cat/5.png").unlink()
    for number, name in enumerate(names, 1):
        for kind, suffix in (("frames", ".jpg"), ("masks", ".png")):
            (tmp_path / f"{kind}/a/cat/{number}{suffix}").rename(tmp_path / f"{kind}/a/cat/{name}{suffix}")
    said = [problem.what for problem in task.check(tmp_path) if problem.fatal and "times" in problem.what]
    assert [what.partition(": ")[2] for what in said] == [told] * bool(told)


def test_numbers_are_those_that_are_stored_whichever_is_shown_white(tmp_path):
    task = masks_as(tmp_path, lambda mask, _, file: save_tiff(Path(f"{file}.tif"), mask[..., None], photometric=WHITE_IS_ZERO))
    assert [problem for problem in task.check(tmp_path) if problem.fatal] == []
    (video,) = task.listing(tmp_path).clips
    assert video.objects == (1, 2) and np.bincount(video.labels(0).ravel()).tolist() == [600, 48, 120]


def ellipse(largest: int, how: str) -> np.ndarray:
    """The mask of an object as an editor or a script may write it."""
    picture = Image.new("L", (1280, 960))
    ImageDraw.Draw(picture).ellipse((300, 200, 800, 700), fill=largest)
    if how == "jpeg":
        picture.resize((128, 96), Image.Resampling.NEAREST).save(content := io.BytesIO(), "JPEG", quality=75)
        return np.asarray(Image.open(content))
    return np.asarray(picture.resize((128, 96), Image.Resampling[how.upper()]))


def apart() -> np.ndarray:
    """Many small objects, as cells and particles are."""
    values = np.zeros((96, 128), np.uint8)
    values[2:92:6, 2:122:10] = values[2:92:6, 3:123:10] = np.arange(1, 181).reshape(15, 12)
    return values


def touching() -> np.ndarray:
    """An object with ropes around it, and pixels beside it that do not count, as in PASCAL VOC."""
    values = np.zeros((96, 128), np.uint8)
    values[20:60, 30:80] = VOID
    values[21:59, 31:79] = 1
    values[10:40, 50], values[40, 20:60], values[12, 20:60] = 2, 3, 4
    return values


@pytest.mark.parametrize("largest", [200, 255])
@pytest.mark.parametrize("how", ["nearest", "bilinear", "bicubic", "box", "jpeg"])
def test_soft_edges_are_no_objects(tmp_path, largest, how):
    values = ellipse(largest, how)
    assert bool(shades(values)) == (how != "nearest")
    for one_object, colours in ((False, False), (True, False), (True, True)):
        root = tmp_path / f"{one_object}{colours}"
        folders(root, {number: np.stack([values] * 3, 2) if colours else values for number in (1, 3, 5)}, 5)
        for file in (root / "frames").rglob("*.jpg"):
            Image.open(file).resize((128, 96)).save(file)
        data = {**OWN, "one_object": one_object}
        found = benchmarks.task(Benchmark(id="own", family="mask-propagation", data=data, model={"frozen": False})).check(root)
        fatal = [problem.sentences for problem in found if problem.fatal and "has no sample" not in problem.what]
        told = [problem.sentences for problem in found if not problem.fatal]
        if one_object:
            assert fatal == [] and ["write masks of 0 and 255 only" in what.lower() for what in told] == [True] * (how != "nearest")
        elif how == "nearest":
            assert len(fatal) == (largest == VOID)
        else:
            assert "its edges are soft" in fatal[0] and "data.one_object: true" in fatal[0]


@pytest.mark.parametrize("mask", [apart(), touching(), np.ones((3, 1), np.uint8)], ids=["apart", "touching", "thin"])
def test_small_and_thin_objects_are_no_edges(mask):
    assert shades(mask) == []


def test_later_masks_with_soft_edges_are_refused_and_an_object_of_255_is_told(tmp_path):
    mask = np.zeros((24, 32), np.uint8)
    mask[3:9, 4:12] = 1
    soft = np.asarray(Image.fromarray(mask * 200).resize((9, 7)).resize((32, 24), Image.Resampling.BILINEAR))
    folders(tmp_path, {1: mask, 3: soft, 5: mask}, 5)
    task = benchmarks.task(Benchmark(id="own", family="mask-propagation", data=OWN, model={"frozen": False}))
    (told,) = task.check(tmp_path)
    assert told.fatal and "1 of its masks have soft edges" in told.what
    mask[12:20, 15:30] = VOID
    folders(tmp_path, {1: mask, 3: mask, 5: mask}, 5)
    (told,) = task.check(tmp_path)
    assert not told.fatal and "255, which is no object and not scored" in told.what


def test_transparency_is_no_object(tmp_path):
    task = masks_as(tmp_path, lambda mask, _, file: Image.fromarray(mask).convert("LA").save(f"{file}.png"))
    assert task.check(tmp_path) == []
    (video,) = task.listing(tmp_path).clips
    assert video.objects == (1, 2) and {*np.unique(video.labels(3)).tolist()} == {0, 1, 2}


@pytest.mark.parametrize("lossless", [False, True])
def test_masks_that_were_compressed_with_losses_are_refused(tmp_path, lossless):
    task = masks_as(tmp_path, lambda mask, _, file: Image.fromarray(mask * 100).save(f"{file}.webp", lossless=lossless))
    data = {**OWN, "one_object": True}
    task = benchmarks.task(Benchmark(id="own", family="mask-propagation", data=data, model={"frozen": False}))
    told = [problem.sentences for problem in task.check(tmp_path) if problem.fatal]
    assert told == [] if lossless else "changes numbers when it compresses" in told[0]


@pytest.mark.parametrize("one_object", [False, True])
@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1], [1, 0, 2]], ids=str)
def test_palettes_that_contradict_one_another_are_refused(tmp_path, order, one_object):
    def write(mask: np.ndarray, number: int, file: Path) -> None:
        mine = [0, 1, 2] if number < 4 else order
        picture = Image.fromarray(np.argsort(mine).astype(np.uint8)[mask])
        picture.putpalette([part for place in mine for part in voc_colour(place)])
        picture.save(f"{file}.png")

    masks_as(tmp_path, write)
    data = {**OWN, "one_object": one_object}
    task = benchmarks.task(Benchmark(id="own", family="mask-propagation", data=data, model={"frozen": False}))
    told = [problem.sentences for problem in task.check(tmp_path) if problem.fatal]
    same = order == [0, 1, 2] or (one_object and order[0] == 0)
    assert told == [] if same else ("masks/a/cat/4.png" in told[0] and "same palette" in told[0])


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_masks_are_turned_as_frames_are(tmp_path, exif):
    tag = {"tiffinfo": {0x0112: 6}}
    masks_as(tmp_path, lambda mask, _, file: Image.fromarray(mask).save(f"{file}.tif", **tag))
    for file in (tmp_path / "frames").rglob("*.jpg"):
        Image.open(file).save(file.with_suffix(".tif"), **tag)
        file.unlink()
    data = {**OWN, "exif": exif}
    task = benchmarks.task(Benchmark(id="own", family="mask-propagation", data=data, model={"frozen": False}))
    assert not any(problem.fatal for problem in task.check(tmp_path))
    (video,) = task.listing(tmp_path).clips
    assert video.labels(0).shape == ((32, 24) if exif == "apply" else (24, 32))
    assert video.labels(0)[(4, -5) if exif == "apply" else (4, 4)] == 1


def test_the_palette_is_pascals(tmp_path):
    assert [voc_colour(number) for number in (0, 1, 2, 3, 21, 255)] == [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (128, 64, 128), (224, 224, 192),
    ]  # fmt: skip
    labels = np.arange(256).reshape(16, 16).astype(np.uint8)
    write_indexed(tmp_path / "a.png", labels)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), labels)
        assert tuple(image.getpalette()[3:6]) == (128, 0, 0)


# ---------------------------------------------------------------- synthetic videos


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> tuple[Path, SyntheticData]:
    root = tmp_path_factory.mktemp("clips")
    data = SyntheticData(format="synthetic", sequences=12, frames=16)
    synthetic.generate(data, root)
    return root, data


def test_synthetic_videos_are_davis(clips):
    """The reader of the real dataset finds the same, nothing is wrong, and each object is whole in the first frame."""
    root, data = clips
    listing = synthetic.FORMAT.listing(root, data)
    assert read_davis(root, DavisData(format="davis", root="", size=64, multiple=8)).test == listing.test
    task = benchmarks.task(ENTRY.model_copy(update={"data": {"format": "synthetic", "sequences": 12}}))
    assert task.check(root) == [] and len(listing.train) == 12 and 12 <= len(listing.test) <= 36
    sizes = {one.video.labels(0).shape for one in listing.tracked}
    assert sizes == {(64, 96)}
    for one in listing.tracked:
        first = one.video.labels(0) == one.number
        assert first.sum() > 30


def test_things_move_cover_one_another_and_come_back(clips):
    root, _ = clips
    covered = came_back = 0
    for video in read_davis(root, DavisData(format="davis", root="")).clips:
        areas = np.array([[(video.labels(t) == n).sum() for n in range(1, len(video.objects) + 1)] for t in range(16)])
        lost = (areas < areas[0] / 2).any(axis=0)
        covered += lost.sum()
        came_back += (areas.argmin(axis=0)[lost] < areas[:, lost].shape[0] - 1).sum()
        for number in range(1, len(video.objects) + 1):
            first, last = (np.argwhere(video.labels(t) == number) for t in (0, 15))
            if len(last):
                assert np.hypot(*(first.mean(0) - last.mean(0))) > 1, "it moves"
    assert covered >= 3 and came_back >= 1
    floor = benchmarks.task(ENTRY.model_copy(update={"data": {"format": "synthetic", "sequences": 12}})).floor(root)
    assert 5 < floor["jf_mean"] < 50 and floor["j_decay"] > 5, "what is copied is soon beside the thing"


def test_the_light_is_an_option_and_the_same_options_draw_the_same(clips):
    _, data = clips
    steady = data.model_copy(update={"light": 0.0})
    one, other, again = (synthetic.video(np.random.default_rng(5), some) for some in (data, steady, data))
    assert all((a == b).all() for pair in zip(one, again, strict=True) for a, b in zip(*pair, strict=True))
    assert all((a[1] == b[1]).all() for a, b in zip(one, other, strict=True)), "the same things at the same places"
    shift = [np.abs(a[0].astype(float).mean((0, 1)) - b[0].astype(float).mean((0, 1))).max() for a, b in zip(one, other, strict=True)]
    assert shift[0] == 0 and shift[-1] > 5


# ---------------------------------------------------------------- what a trial is


def test_nothing_is_trained_and_no_block_fits():
    catalog = load_catalog()
    task = benchmarks.task(ENTRY)
    assert task.slots == () and "train_dataloader" not in task.config({}) and "optim_wrapper" not in task.config({})
    fits = [method.id for method in catalog.methods.values() if method.fill(task.slots) is not None]
    assert fits == ["identity"]
    with pytest.raises(UsageError, match="lr"):
        benchmarks.task(ENTRY.model_copy(update={"schedule": {"lr": 0.1}}))
    with pytest.raises(ValueError, match="leave block_at out"):
        PropagationModel(frozen=False, block_at=[{"path": "backbone"}])


def refused(*args: str) -> str:
    from click.testing import CliRunner

    from harness.cli import main

    done = CliRunner().invoke(main, [*args])
    assert isinstance(done.exception, (SystemExit, HarnessError)) and done.exit_code
    return " ".join(f"{done.output} {done.exception}".split())


def test_what_needs_training_is_refused_in_words(openmmlab, tmp_path, monkeypatch):
    from harness.engine.features import build
    from harness.engine.look import look

    monkeypatch.chdir(tmp_path)
    assert "fits no slot of 'scenes-propagation', which offers none" in refused("run", "-m", "gc-block", "-b", "scenes-propagation")
    assert "nothing is trained there" in refused("run", "-m", "identity", "-b", "scenes-propagation", "--tune", "4")
    config = {"model": {"frozen": True}}
    trial = Trial("d", "b", 1, "mask-propagation", "small", "identity", "block", 0, config, "", "", {}, 1)
    with pytest.raises(UsageError, match="keeps its features when it is run"):
        build(trial, data=tmp_path, device="cpu", told=lambda *_: None)
    with pytest.raises(UsageError, match="predict nothing of an image alone"):
        look(trial, tmp_path, [], tmp_path, data=tmp_path, device="cpu")


@pytest.mark.slow
def test_a_trial_from_videos_to_masks_on_disk(tmp_path, monkeypatch):
    """Its numbers are those of the masks that it leaves, by the loops above; the strips are there, and kept weights test alike."""
    from click.testing import CliRunner

    from harness.cli import main
    from harness.store import open_store

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    def harness(*args: str) -> str:
        done = CliRunner().invoke(main, [*args], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    small = ("--set", "data.sequences=4", "--set", "data.frames=7", "--set", "data.size=48")
    harness("run", "-m", "identity", "-b", "scenes-propagation", *small, "--keep-weights", "--workers", "1", "--device", "cpu")
    board = json.loads(harness("leaderboard", "--format", "json"))["rows"]
    found = {row["metric"]: row["mean"] for row in board}
    assert {*found} == {metric.name for metric in metrics(PropagationData(format="davis"))}
    store = open_store(f"sqlite:///{tmp_path}/results/harness.db")
    (row,) = store.trials()
    artifacts = tmp_path / "results/trials" / row.digest / "artifacts"
    assert len([*artifacts.glob("propagated-*.jpg")]) == 4
    (folder,) = (tmp_path / "cache/datasets").glob("mask-propagation-*")
    listing = read_davis(folder, DavisData(format="davis", root=""))
    slow = []
    for tracked in listing.tracked:
        video = tracked.video
        masks = [np.asarray(Image.open(artifacts / f"predictions/masks/{video.name}/{frame.stem}.png")) for frame in video.frames]
        pairs = [(video.labels(t) == tracked.number, masks[t] == tracked.number) for t in range(1, 6)]
        j = [(a & b).sum() / (a | b).sum() if (a | b).any() else 1 for a, b in pairs]
        slow.append((np.mean(j), np.mean([slow_boundary(*pair) for pair in pairs])))
    assert found["j_mean"] == pytest.approx(100 * np.mean(slow, axis=0)[0])
    assert found["f_mean"] == pytest.approx(100 * np.mean(slow, axis=0)[1])
    per_sample = store.per_sample(digests=[row.digest])[row.digest]
    assert per_sample["jf_mean"] == pytest.approx(100 * np.mean(slow, axis=1), rel=1e-5)
    assert per_sample["group"].tolist() == [[video.name for video in listing.clips].index(one.video.name) for one in listing.tracked]
    again = json.loads(harness("evaluate", row.digest, "--json"))["metrics"]
    assert again == pytest.approx(found, abs=1e-4)


@pytest.mark.slow
def test_frozen_features_are_kept_and_give_the_same_numbers(openmmlab, tmp_path, monkeypatch):
    import torch
    from mmengine.registry import MODELS

    from harness.catalog.plugins import discover
    from harness.compose import compose
    from harness.engine.trial import run_trial
    from harness.features import room

    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    data = {"format": "synthetic", "sequences": 3, "frames": 6, "size": 48}
    bare = ENTRY.model_copy(update={"data": data})
    backbone = benchmarks.task(bare).config({})["model"]["model"]["backbone"]
    torch.save(MODELS.build(backbone).state_dict(), tmp_path / "weights.pth")
    benchmarks.task(bare).generate(tmp_path / "data")
    found = []
    for number, frozen in enumerate((True, True, False)):
        model = {**bare.model, "weights": {"file": str(tmp_path / "weights.pth")}, "frozen": frozen}
        task = benchmarks.task(bare.model_copy(update={"model": model}))
        trial = compose(load_catalog().methods["identity"], task, 0, "fingerprint", discover())
        (tmp_path / f"work{number}").mkdir()
        found.append(run_trial(trial, data=tmp_path / "data", work_dir=tmp_path / f"work{number}"))
        if frozen:
            assert len([*room.root().glob("*")]) > 0
    assert found[0].metrics == found[1].metrics == pytest.approx(found[2].metrics, abs=1e-3)
    assert found[0].cost.train_memory_mb is None and found[0].cost.latency_ms > 0 and found[0].curves == {}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_masks_follow_what_a_method_has_learned(tmp_path, monkeypatch):
    """As a stage: each masking strategy pre-trains, and its teacher is what is judged."""
    from click.testing import CliRunner

    from harness.cli import main
    from harness.store import open_store

    monkeypatch.chdir(tmp_path)
    entries = load_catalog().benchmarks
    first, then = (entries[name].model_dump(exclude={"id", "tune"}) for name in ("scenes-pretraining", "scenes-propagation-pretrained"))
    first["data"] |= {"train": 40, "test": 20}
    first["schedule"] |= {"epochs": 1}
    then["data"] |= {"sequences": 3, "frames": 6}
    then["model"]["weights"]["after"] = "tiny-pretraining"
    (tmp_path / "registry.yaml").write_text(json.dumps({"benchmarks": {"tiny-pretraining": first, "tiny-propagation": then}}))
    arguments = ["run", "-b", "tiny-propagation", "-m", "attmask-high", "--seeds", "2", "--workers", "1", "--device", "cpu"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows = open_store(f"sqlite:///{tmp_path}/results/harness.db").trials()
    stages = [row for row in rows if row.benchmark == "tiny-propagation"]
    assert len(rows) == 4 and [row.seed for row in stages] == [0, 1]
    board = json.loads(CliRunner().invoke(main, ["leaderboard", "-b", "tiny-propagation", "--format", "json"]).stdout)["rows"]
    assert {row["n"] for row in board} == {2}, "seeds of a stage are averaged"
    assert all(row.state == "done" and any("teacher" in note for note in row.notes) for row in stages)
    assert read_rgb(next(tmp_path.rglob("propagated-*.jpg")), Decoding()).shape[0] > 100
