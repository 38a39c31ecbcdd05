"""Image retrieval: scores against a slow loop and mmpretrain, pickles that run nothing, layouts, what is drawn, and a trial."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from lookalikes import revisited as lookalike

from harness import benchmarks
from harness.benchmarks.image_retrieval import synthetic
from harness.benchmarks.image_retrieval.readers import pickled
from harness.benchmarks.image_retrieval.readers.image_folder import ImageFolderData
from harness.benchmarks.image_retrieval.readers.image_folder import read as read_folder
from harness.benchmarks.image_retrieval.readers.revisited import RevisitedData, read
from harness.benchmarks.image_retrieval.readers.searched import alike, boxed
from harness.benchmarks.image_retrieval.scores import CUTOFFS, Relevance, Whitening, groups, judged, metrics, precisions, summarise, unit
from harness.catalog import Benchmark, load_catalog
from harness.catalog.plugins import discover, load_plugins


def slow_average(ranking: list[int], right: set[int], junk: set[int]) -> float:
    """The area below the line through the points of precision over recall, one point behind the other."""
    results = [place for place in ranking if place not in junk]
    area, recall, precision, found = 0.0, 0.0, 1.0, 0
    for rank, place in enumerate(results, 1):
        found += place in right
        now = found / len(right)
        area += (now - recall) * (precision + found / rank) / 2
        recall, precision = now, found / rank
    return area


def slow_precision(ranking: list[int], right: set[int], junk: set[int], cutoff: int) -> float:
    results = [place in right for place in ranking if place not in junk]
    while not results[-1]:
        results.pop()
    return sum(results[:cutoff]) / len(results[:cutoff])


def draw(rng: np.random.Generator, size: int) -> Relevance:
    """Each image of a database is easy, hard, junk or wrong."""
    kinds = rng.choice(4, size, p=[0.1, 0.15, 0.15, 0.6])
    return Relevance(*(tuple(np.flatnonzero(kinds == kind).tolist()) for kind in range(3)))


def test_precisions_are_those_of_a_walk_down_the_list():
    rng = np.random.default_rng(0)
    for _ in range(200):
        size = int(rng.integers(1, 40))
        some, ranking = draw(rng, size), rng.permutation(size)
        for right, junk in (((*some.easy, *some.hard), some.junk), (some.hard, (*some.junk, *some.easy))):
            average, at_cutoffs = precisions(ranking, right, junk)
            if not right:
                assert math.isnan(average) and all(map(math.isnan, at_cutoffs))
                continue
            assert average == pytest.approx(slow_average(ranking.tolist(), {*right}, {*junk}), abs=1e-12)
            expected = [slow_precision(ranking.tolist(), {*right}, {*junk}, cutoff) for cutoff in CUTOFFS]
            assert at_cutoffs == pytest.approx(expected, abs=1e-12)


def test_without_junk_it_is_the_average_precision_of_mmpretrain(openmmlab, monkeypatch):
    import torch
    from mmpretrain.evaluation import RetrievalAveragePrecision

    monkeypatch.setattr(np, "in1d", np.isin, raising=False)  # which NumPy has no more
    rng = np.random.default_rng(1)
    for _ in range(20):
        ranking, right = rng.permutation(50), rng.choice(50, 9, replace=False)
        scores = torch.empty(1, 50)
        scores[0, torch.tensor(ranking)] = torch.arange(50.0).flip(0)
        target = torch.zeros(1, 50)
        target[0, torch.tensor(right)] = 1
        (theirs,) = RetrievalAveragePrecision.calculate(scores, target, topk=50, mode="integrate").flatten().tolist()
        assert precisions(ranking, right, [])[0] == pytest.approx(theirs / 100, abs=1e-6)


def test_difficulties_are_those_of_the_protocol_and_queries_without_answers_do_not_count():
    rng = np.random.default_rng(2)
    queries, database = rng.normal(size=(12, 5)), rng.normal(size=(60, 5))
    relevant = [*(draw(rng, 60) for _ in range(11)), Relevance(easy=(3, 4))]
    found = judged(7 * queries, 0.1 * database, relevant, graded=True)
    cosine = queries @ database.T / np.linalg.norm(queries, axis=1)[:, None] / np.linalg.norm(database, axis=1)
    rights = {
        "easy": lambda some: ({*some.easy}, {*some.junk, *some.hard}),
        "medium": lambda some: ({*some.easy, *some.hard}, {*some.junk}),
        "hard": lambda some: ({*some.hard}, {*some.junk, *some.easy}),
    }
    for name, sets in rights.items():
        slow = []
        for place, some in enumerate(relevant):
            right, junk = sets(some)
            ranking = sorted(range(60), key=lambda at: -cosine[place, at])
            slow.append(slow_average(ranking, right, junk) if right else math.nan)
        assert found[f"mAP_{name}"] == pytest.approx(slow, abs=1e-12, nan_ok=True)
    assert math.isnan(found["mAP_hard"][-1])
    means = summarise(found)
    assert means["mAP_hard"] == pytest.approx(100 * np.mean(found["mAP_hard"][:-1]))
    assert {*means} == {metric.name for metric in metrics(synthetic.SyntheticData(format="synthetic"))}
    assert math.isnan(summarise({"mAP": np.full(3, np.nan)})["mAP"])


def test_equally_similar_images_come_in_the_databases_order_and_a_vector_of_zeros_is_like_none():
    relevant = [Relevance(easy=(2,))]
    same = judged(np.ones((1, 3)), np.ones((4, 3)), relevant, graded=False)
    assert same["mAP"][0] == pytest.approx((0 + 1 / 3) / 2)
    assert np.isfinite(judged(np.zeros((1, 3)), np.ones((4, 3)), relevant, graded=False)["mAP"]).all()


def test_queries_that_share_a_right_image_hang_together():
    relevant = [Relevance(easy=(0, 1)), Relevance(hard=(5,)), Relevance(easy=(2,), hard=(1,)), Relevance(easy=(7,), junk=(5,)), Relevance()]
    found = groups(relevant).tolist()
    assert found[0] == found[2] and len({*found}) == 4


def test_whitening_makes_the_spread_the_same_in_all_directions():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(400, 6)) * [3, 1, 1, 0.5, 0.1, 0] + [1, 0, 2, 0, 0, 0]
    whitened = Whitening.learned(vectors, 4)(vectors)
    assert whitened.shape == (400, 4)
    assert np.cov(whitened, rowvar=False, bias=True) == pytest.approx(np.eye(4), abs=1e-9) and whitened.mean(axis=0) == pytest.approx(
        np.zeros(4), abs=1e-9
    )
    assert Whitening.learned(vectors, 99)(vectors).shape == (400, 5), "where there is no spread there is nothing to even out"
    assert Whitening.learned(7 * vectors, 4)(vectors) == pytest.approx(whitened), "lengths do not matter"
    assert np.linalg.norm(unit(vectors), axis=1) == pytest.approx(np.ones(400))


# ---------------------------------------------------------------- pickles

PLAIN = {"imlist": ["a", "b"], "qimlist": ["c"], "gnd": [{"bbx": [1.5, 2.0, 30.0, 4.0], "easy": [0], "hard": [], "junk": [1]}]}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [list, lambda values: np.array(values, np.int64), lambda values: np.array(values, ">i4"), tuple])
def test_a_pickle_of_plain_data_is_read_whoever_wrote_it(tmp_path, protocol, kind):
    gnd = {**PLAIN["gnd"][0], "easy": kind([0, 1, 300]), "hard": kind([])}
    content = {**PLAIN, "gnd": [gnd], "count": np.int32(7), "share": np.float64(0.25)}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
    found = pickled.read(tmp_path / "a.pkl")
    assert [*found["gnd"][0]["easy"]] == [0, 1, 300] and [*found["gnd"][0]["hard"]] == [] and found["count"] == 7 and found["share"] == 0.25
    assert all(type(number) is int for number in found["gnd"][0]["easy"])
    assert found["imlist"] == PLAIN["imlist"] and found["gnd"][0]["bbx"] == PLAIN["gnd"][0]["bbx"]


def test_a_pickle_of_python_2_is_read(tmp_path):
    """Text is bytes there, and so is the content of an array."""
    written = (
        b"\x80\x02}q\x00(U\x06imlistq\x01]q\x02(U\x01aU\x01be"
        b"U\x04easycnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02i2K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x04\x05\x00\xff\x00tbu."
    )
    (tmp_path / "a.pkl").write_bytes(written)
    assert pickled.read(tmp_path / "a.pkl") == {"imlist": ["a", "b"], "easy": [5, 255]}


class Gadget:
    def __reduce__(self):
        return pytest.fail, ("the pickle ran",)


REFUSED = {
    "a call": lambda: pickle.dumps(Gadget()),
    "a call in a list": lambda: pickle.dumps({**PLAIN, "gnd": [Gadget()]}),
    "os.system": lambda: b"cos\nsystem\n(S'true'\ntR.",
    "room for bytes": lambda: b"c__builtin__\nbytes\n(I99\ntR.",
    "a builtin": lambda: b"cbuiltins\neval\n(S'1'\ntR.",
    "numpy's loader": lambda: b"cnumpy\nload\n(S'x'\ntR.",
    "numpy's exec": lambda: b"cnumpy.testing._private.utils\nruncode\n(S'x'\ntR.",
    "a way through numpy": lambda: b"\x80\x04\x8c\x05numpy\x8c\x0bdtype.a.b.c\x93.",
    "a scalar of another module": lambda: b"cposix\nscalar\n(S'x'\ntR.",
    "an array of objects as bytes": lambda: pickle.dumps(np.array([1, 2])).replace(b"i8", b"O8"),
    "another number of bytes": lambda: pickle.dumps(np.array([1, 2])).replace(b"i8", b"f2")[:-9] + b".",
    "cut off": lambda: pickle.dumps(PLAIN)[:-10],
    "empty": lambda: b"",
    "text": lambda: b"{}",
    "a persistent name": lambda: b"Pname\n.",
    "a far memory": lambda: b"\x80\x02}r\x00\x00\x00\x10.",
    "room for two gigabytes": lambda: b"\x80\x05\x96\x00\x00\x00\x80\x00\x00\x00\x00.",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_pickle_that_wants_more_is_refused(tmp_path, name):
    (tmp_path / "a.pkl").write_bytes(REFUSED[name]())
    with pytest.raises(ValueError, match="no pickle of plain data"):
        pickled.read(tmp_path / "a.pkl")


def test_a_damaged_pickle_is_data_or_refused(tmp_path):
    """Bytes changed, cut out and repeated; nothing but plain data comes out, and nothing else than a ValueError."""
    sound = pickle.dumps({**PLAIN, "more": np.arange(5), "share": np.float64(0.5)}, 2), pickle.dumps({**PLAIN, "more": np.arange(5)}, 5)
    rng, read_at_all = np.random.default_rng(0), 0
    for number in range(600):
        content = bytearray(sound[number % 2])
        for _ in range(int(rng.integers(1, 4))):
            at, some = int(rng.integers(len(content))), bytes(rng.integers(0, 256, int(rng.integers(0, 3))).astype(np.uint8))
            content[at : at + int(rng.integers(0, 3))] = some
        (tmp_path / "a.pkl").write_bytes(content)
        try:
            found = pickled.read(tmp_path / "a.pkl")
        except ValueError:
            continue
        read_at_all += 1
        assert isinstance(found, (dict, list, tuple, str, int, float, bytes, type(None)))
    assert 20 < read_at_all < 580


def test_what_a_pickle_does_to_its_stand_ins_ends_with_it(tmp_path):
    """BUILD sets attributes of whatever stands before it, so also of the functions that are handed out."""
    evil = tmp_path / "evil.pkl"
    evil.write_bytes(b"\x80\x02cnumpy\ndtype\nN}U\x0c__defaults__(K\x01ts\x86b.")
    assert callable(pickled.read(evil)) and pickled.read(evil).__defaults__ == (1,)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(np.array([1, 2])))
    assert pickled.read(tmp_path / "a.pkl") == [1, 2]


# ---------------------------------------------------------------- layouts


def entry_on_part() -> Benchmark:
    entry = load_catalog().benchmarks["roxford5k"]
    return entry.model_copy(update={"data": {**entry.data, "official": {}, "classes": 3, "per_class": 1}})


def test_the_distributed_layout_is_read_as_the_authors_read_it(tmp_path):
    entry = entry_on_part()
    lookalike(entry, tmp_path)
    data = RevisitedData.model_validate(entry.data)
    listing = read(tmp_path, data)
    with (tmp_path / "gnd_roxford5k.pkl").open("rb") as stream:
        cfg = pickle.load(stream)
    assert listing.problems == [] and len(listing.train) == 3
    assert [query.file.name for query in listing.queries] == [f"{name}.jpg" for name in cfg["qimlist"]]
    assert [image.file.name for image in listing.database] == [f"{name}.jpg" for name in cfg["imlist"]]
    assert listing.test == [*listing.queries, *listing.database]
    for query, gnd in zip(listing.queries, cfg["gnd"], strict=True):
        assert query.box == tuple(gnd["bbx"])
        assert [*map(list, (query.relevance.easy, query.relevance.hard, query.relevance.junk))] == [
            [*gnd["easy"]],
            [*gnd["hard"]],
            [*gnd["junk"]],
        ]
    assert all(query.box is None for query in read(tmp_path, data.model_copy(update={"crop": False})).queries)


def test_queries_are_cut_as_pillow_cuts_them(openmmlab, tmp_path):
    from mmengine.registry import TRANSFORMS
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    for box in ((3.4, 2.5, 30.5, 21.6), (0, 0, 50, 40), (10, 11, 12, 13)):
        theirs = np.asarray(Image.fromarray(pixels).crop(box))
        ours = TRANSFORMS.build({"type": "CutToBox"})({"img": pixels, "bbox": np.array(box)})
        np.testing.assert_array_equal(ours["img"], theirs)
        assert ours["img_shape"] == theirs.shape[:2]
    assert boxed((-5, -5, 80, 80), 50, 40) == (0, 0, 50, 40), "no further than the image"


def test_images_are_made_as_small_as_pillows_thumbnail_makes_them(openmmlab):
    from mmengine.registry import TRANSFORMS
    from PIL import Image

    step = TRANSFORMS.build({"type": "Shrink", "scale": 24, "edge": "long", "backend": "pillow"})
    for shape in ((96, 64), (31, 100), (24, 24), (20, 11)):
        pixels = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
        theirs = Image.fromarray(pixels)
        theirs.thumbnail((24, 24), Image.Resampling.BILINEAR, reducing_gap=None)
        ours = step({"img": pixels, "img_shape": shape})
        np.testing.assert_array_equal(ours["img"], np.asarray(theirs))


def wrong(root, change) -> list[str]:
    """What is told of an annotation after ``change``, in the layout as JSON."""
    entry = entry_on_part()
    content = json.loads((root / "gnd.json").read_text())
    change(content)
    (root / "gnd.json").write_text(json.dumps(content))
    task = benchmarks.task(entry.model_copy(update={"data": {**entry.data, "annotation": "gnd.json"}}))
    return [problem.sentences for problem in task.check(root)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda gnd: gnd["gnd"].pop(), "2 queries, but 1 items of gnd"),
        (lambda gnd: gnd["gnd"][0]["easy"].append(99), "names the image 99, but imlist has"),
        (lambda gnd: gnd["gnd"][0].update(easy=[-1]), "gnd.0.easy.0: input should be greater than or equal to 0"),
        (lambda gnd: gnd.pop("imlist"), "imlist: field required"),
        (lambda gnd: gnd["imlist"].__setitem__(0, "nobody"), "1 images of gnd.json are missing, e.g. nobody"),
        (lambda gnd: gnd["imlist"].__setitem__(0, gnd["qimlist"][0]), "1 queries are in the database, too"),
        (lambda gnd: gnd["gnd"][0].update(bbx=[0, 0, math.inf, 1]), "gnd.0.bbx.2: input should be less than"),
        (lambda gnd: gnd["gnd"][0].update(bbx=[500, 1, 600, 30]), "has no pixel of the image's 96 x 64"),
        (lambda gnd: gnd["gnd"][0].update(junk=gnd["gnd"][0]["easy"]), "1 queries have an image that is of two kinds"),
        (lambda gnd: gnd["imlist"].__setitem__(2, gnd["imlist"][0] + ".jpg"), "stands in imlist twice, at 0 and 2"),
        (
            lambda gnd: [some.update(ok=[*some.pop("easy"), *some.pop("hard")]) for some in gnd["gnd"]],
            "items of gnd say 'ok', which is not read, and nothing that is right",
        ),
        (lambda gnd: gnd["gnd"][0].update(name="x"), "items of gnd say 'name', which is not read. Name"),
        (lambda gnd: [some.update(easy=[], hard=[]) for some in gnd["gnd"]], "nothing is right for any query"),
    ],
)
def test_what_is_wrong_with_an_annotation_is_told(tmp_path, change, said):
    lookalike(entry_on_part(), tmp_path)
    assert wrong(tmp_path, lambda gnd: None) == []
    told = wrong(tmp_path, change)
    assert len(told) == 1 and said in told[0], told


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_boxes_are_in_pixels_of_the_image_as_it_is_read(tmp_path, exif):
    from PIL import Image

    entry = entry_on_part()
    lookalike(entry, tmp_path)
    content = json.loads((tmp_path / "gnd.json").read_text())
    for file in (tmp_path / "jpg").iterdir():
        with Image.open(file) as image:
            (turned := Image.Exif())[0x0112] = 6
            image.save(file, exif=turned)
    for box, fits in (([5, 70, 60, 90], exif == "apply"), ([70, 5, 90, 60], exif == "ignore")):
        content["gnd"][0]["bbx"] = box
        (tmp_path / "gnd.json").write_text(json.dumps(content))
        data = {**entry.data, "annotation": "gnd.json", "exif": exif}
        told = [problem.what for problem in benchmarks.task(entry.model_copy(update={"data": data})).check(tmp_path) if problem.fatal]
        assert [what for what in told if "has no pixel" not in what] == [] and (told == []) == fits, told


@pytest.mark.parametrize(
    ("last", "told"),
    [([30, 20, 66, 44], True), ([30, 20, 67, 44], False), ([30, 20, 66, 45], False), ([0, 20, 96, 44], False), (None, False)],
)
def test_boxes_that_may_be_widths_and_heights_are_told(tmp_path, last, told):
    lookalike(entry_on_part(), tmp_path)

    def change(gnd) -> None:
        boxes = [[10, 8, 40 + n, 30] for n in range(5)] + [last]
        gnd["qimlist"], gnd["gnd"] = [gnd["qimlist"][0]] * 6, [{**gnd["gnd"][0], "bbx": box} for box in boxes]

    said = wrong(tmp_path, change)
    assert any("all 6 boxes of queries lie in their images as x, y, width and height, too" in one for one in said) == told, said


def test_the_official_number_of_queries_is_checked(tmp_path):
    entry = load_catalog().benchmarks["rparis6k"]
    entry = entry.model_copy(update={"data": {**entry.data, "classes": 3, "per_class": 1}})
    lookalike(entry, tmp_path)
    told = [problem.what for problem in benchmarks.task(entry).check(tmp_path) if problem.fatal]
    assert any("2 queries and 4 images to search, where the official annotation has 70 and 6,322" in what for what in told), told


def test_in_folders_each_image_looks_for_the_others_of_its_own(tmp_path):
    entry = {"format": "image-folder", "root": "x", "classes": 2, "size": 16}
    for number, (split, thing) in enumerate(
        [("train", "p"), ("train", "q"), *[("test", "a")] * 3, *[("test", "b")] * 2, ("ask", "a"), ("ask", "c")]
    ):
        file = tmp_path / split / thing / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.random.default_rng(number).integers(0, 255, 9).astype(np.uint8)
        from PIL import Image

        Image.fromarray(np.random.default_rng(number).integers(0, 255, (16, 16, 3)).astype(np.uint8)).save(file)
    listing = read_folder(tmp_path, ImageFolderData(**entry))
    assert listing.problems == [] and [image.label for image in listing.database] == [0, 0, 0, 1, 1]
    assert [query.relevance for query in listing.queries] == alike([0, 0, 0, 1, 1])
    assert listing.queries[3].relevance == Relevance(easy=(4,), junk=(3,))
    assert listing.test == listing.queries and listing.first == 0, "each image passes once"
    asked = read_folder(tmp_path, ImageFolderData(**entry, queries="ask"))
    assert [query.relevance for query in asked.queries] == [Relevance(easy=(0, 1, 2)), Relevance()]
    assert asked.test == [*asked.queries, *asked.database] and asked.first == 2
    (told,) = asked.problems
    assert not told.fatal and "e.g. c" in told.what
    (alone,) = read_folder(tmp_path, ImageFolderData(**entry, test="ask")).problems
    assert not alone.fatal and "2 of 2 images are the only one of their folder" in alone.what
    for number, place in enumerate(("test/1.png", "test/2.jpg", "test/._2.jpg", "ask/1.png", "test/a.txt")):
        (tmp_path / place).write_bytes(bytes([number]))
    loose, *_ = read_folder(tmp_path, ImageFolderData(**entry)).problems
    assert (loose.where, loose.fatal) == ("test", False) and "2 images lie in no folder of a thing, e.g. 1.png" in loose.what
    loose, questions, *_ = read_folder(tmp_path, ImageFolderData(**entry, queries="ask")).problems
    assert "distract" in loose.mend and questions.where == "ask" and "distract" not in questions.mend
    task = benchmarks.task(Benchmark(id="b", family="image-retrieval", data=entry, model={"frozen": False}))
    assert task.primary == "mAP" and {metric.name for metric in task.metrics} == {"mAP", "mP@1", "mP@5", "mP@10"} == {*task.floor(tmp_path)}


# ---------------------------------------------------------------- boards


def test_boards_are_seen_as_their_difficulty_says(tmp_path):
    data = synthetic.SyntheticData(format="synthetic", train=12, classes=3, test=2, val=6, others=4, size=48)
    synthetic.generate(data, tmp_path)
    listing = synthetic.read(tmp_path, data)
    assert listing.problems == [] and (len(listing.train), len(listing.val)) == (12, 6)
    assert len(listing.database) == 2 * (4 + 6 + 2) + 4 and len(listing.queries) == 4
    for query in listing.queries:
        assert [len(places) for places in (query.relevance.easy, query.relevance.hard, query.relevance.junk)] == [4, 6, 2]
        x0, y0, x1, y1 = query.box
        assert 0 <= x0 < x1 <= 48 and 0 <= y0 < y1 <= 48 and 0.45 * 48 < x1 - x0 < 0.85 * 48
    assert listing.queries[0].relevance == listing.queries[1].relevance != listing.queries[2].relevance
    again = tmp_path / "again"
    synthetic.generate(data, again)
    for file in sorted(tmp_path.glob("jpg/*")):
        assert (again / "jpg" / file.name).read_bytes() == file.read_bytes()


def test_a_board_covers_as_much_of_an_image_as_its_view_says(monkeypatch):
    monkeypatch.setattr(synthetic.scenes, "background", lambda rng, size: np.full((size, size, 3), 255.0))
    data = synthetic.SyntheticData(format="synthetic", size=96, clutter=(0, 0))
    shares = {}
    for name, view in synthetic.VIEWS.items():
        shares[name] = []
        for seed in range(20):
            image, (x0, y0, x1, y1) = synthetic.seen(np.random.default_rng(seed), ((0, 0),) * 4, view, data)
            board = np.abs(image.astype(int) - 255).max(axis=2) > 60
            rows, columns = np.flatnonzero(board.any(axis=1)), np.flatnonzero(board.any(axis=0))
            assert [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] == pytest.approx([x0, y0, x1, y1], abs=2.5)
            shares[name].append(board.mean())
    assert min(shares["easy"]) > max(shares["hard"]) and min(shares["hard"]) > max(shares["junk"])


def test_no_two_boards_are_alike():
    found = synthetic._boards(np.random.default_rng(0), 500)
    assert len({*found}) == 500 and all(len(board) == 4 for board in found)


# ---------------------------------------------------------------- trials


@pytest.mark.slow
def test_a_trial_from_boards_to_leaderboard(tmp_path, monkeypatch):
    from click.testing import CliRunner
    from PIL import Image

    from harness.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    def harness(*args: str) -> str:
        done = CliRunner().invoke(main, [*args], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    small = ("data.train=48", "data.classes=6", "data.test=3", "data.others=12", "data.val=12", "schedule.epochs=2", "data.size=32")
    settings = [word for value in (*small, "model.whiten=8", "model.scales=[1.0,0.5]") for word in ("--set", value)]
    harness("run", "-m", "simpool", "-b", "boards-retrieval", *settings, "--workers", "1", "--device", "cpu", "--db", "sqlite:///a.db")
    rows = {row["metric"]: row for row in json.loads(harness("leaderboard", "--format", "json", "--db", "sqlite:///a.db"))["rows"]}
    assert {*rows} == {metric.name for metric in metrics(synthetic.SyntheticData(format="synthetic"))}
    assert all(0 <= row["mean"] <= 100 and 0 < row["floor"] < 100 for row in rows.values())
    (picture,) = tmp_path.rglob("results.jpg")
    assert Image.open(picture).size == (9 * 192, 6 * (192 + 20))


def test_vectors_over_scales_are_those_of_dinos_script(openmmlab):
    """The mean over sizes, as ``multi_scale`` computes it; with one, images pass once."""
    import torch
    from mmengine.registry import MODELS
    from torch.nn import functional as F

    load_plugins({"gap"}, discover())
    entry = load_catalog().benchmarks["boards-retrieval"]
    image = torch.rand(1, 3, 64, 48)
    for scales in ([1.0], [1.0, 0.5**0.5, 0.5]):
        task = benchmarks.task(entry.model_copy(update={"model": {**entry.model, "scales": scales}}))
        model = MODELS.build(task.config({})["model"]).eval()
        (sample,) = model.predict(image, [_sample()])
        sizes = [
            image if scale == 1 else F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False) for scale in scales
        ]
        expected = sum(model.neck(model.backbone(size))[0] for size in sizes) / len(sizes)
        torch.testing.assert_close(sample.pooled, expected[0].detach())
        assert model.takes_numbers == (scales == [1.0])


def _sample():
    from mmpretrain.structures import DataSample

    return DataSample()
