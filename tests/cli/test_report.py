"""``harness report``: one page that runs nothing and fetches nothing, whatever a store says, and tables that hold."""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from harness.report import boards
from harness.report import files as report

COMMITTED = sorted((Path(__file__).parents[2] / "results" / "leaderboards").glob("*.jsonl"))

HOSTILE = {
    "gap": "<script>alert(1)</script>",
    "gem": "![x](http://evil.example/x.png)",
    "simpool": "\\input{/etc/passwd} & 100% $x$ #1 a_b^c ~ {",
    "max-pool": '"><img src=http://evil.example/y onerror=alert(2)>',
    "lse": "\u202egnp.evil",
    "otk": "m" * 120,
    "how": "{{ 7 * 7 }} {% raw %} [0.5ex] * \\\\[9cm]",
    "k-means": "中文 ñ Ø γ -- … 🙂",
    "se": "</style><base href=http://evil.example/>",
}
"""A method of the registry -> what the store calls it."""

NAMES = {
    "benchmark": "<b>bench</b> | ![y](http://evil.example/b)",
    "family": "</title><script>alert(3)</script>",
    "tier": '" onload="alert(4)',
    "slot": "</table><iframe src=http://evil.example/>",
    "dataset": "<svg/onload=alert(5)>",
}


@pytest.fixture
def hostile(measured, tmp_path):
    """A store in which every name is somebody's attack; the path of its file."""
    for place, method in enumerate(HOSTILE):
        measured(method, 60.0 + place, 61.5 + place, 60.5 + place)
    measured("cbam", 50.0, None)
    path = tmp_path / "results" / "harness.db"
    with sqlite3.connect(path) as store:
        for method, name in HOSTILE.items():
            store.execute("UPDATE trials SET method = ? WHERE method = ?", (name, method))
        for column, name in NAMES.items():
            store.execute(f"UPDATE trials SET {column} = ?", (name,))
        store.execute("UPDATE trials SET reason = '<script>alert(6)</script>', kind = '<i>kind</i>' WHERE state = 'failed'")
        for table in ("specs", "floors"):
            store.execute(f"UPDATE {table} SET benchmark = ?", (NAMES["benchmark"],))
        store.execute("UPDATE floors SET dataset = ?", (NAMES["dataset"],))
        store.execute("UPDATE specs SET unit = '<u>unit</u>' WHERE metric = 'top5'")
        about = {"device": "<em>gpu</em>", "git_sha": "<script>alert(7)</script>", "packages": {"<script>": "alert(8)"}}
        store.execute("INSERT INTO environments VALUES ('evil', ?)", (json.dumps(about),))
        store.execute("UPDATE trials SET environment_digest = 'evil', overrides = ?", (json.dumps(["method.x=<script>alert(9)</script>"]),))
    return path


class Page(HTMLParser):
    """A page's elements and its text; an element that is not closed where it should be is an error."""

    VOID = {"meta", "img", "br", "wbr", "line", "circle", "path", "input", "hr", "link"}

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def told(name: str) -> str:
    """How the page writes a name."""
    return " ".join(name.split()).replace("\u202e", "[U+202E]")


def read(folder: str = "out") -> Page:
    return Page((Path(folder) / "index.html").read_text(encoding="utf-8"))


def test_the_page_and_its_tables(cli, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 83.0, None)
    measured("max-pool", 12.0, 13.0)
    measured("se", None, None)
    said = cli("report", "--out", "out")
    assert said.exit_code == 0 and said.stdout.count("kB") == 5
    assert {file.name for file in Path("out").iterdir()} == {"index.html", *report.TABLES}
    page = read()
    for text in ("81.5", "2/3", "1 failed", "below the floor", "0/2", "16.7", "entropy", "harness run -b scenes-classification"):
        assert text in page.text, text
    rows = re.findall(r'<tr class="(method|floor|missing)[^"]*">.*?<bdi>(.*?)</bdi>', Path("out/index.html").read_text(), re.DOTALL)
    assert rows == [("method", "gem"), ("method", "gap"), ("floor", "floor"), ("method", "max-pool"), ("missing", "se")]
    for name, form in (("leaderboard.md", "md"), ("leaderboard.csv", "csv"), ("leaderboard.json", "json")):
        assert (Path("out") / name).read_text() == cli("leaderboard", "--format", form).stdout
    first = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    cli("report", "--out", "out")
    assert first == {file.name: file.read_bytes() for file in Path("out").iterdir()}, "the same results give the same files"


def test_trials_on_a_config_file_are_run_again_by_that_file(cli, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0)
    with contextlib.closing(sqlite3.connect("results/harness.db")) as store, store:
        store.execute("UPDATE trials SET config_file = 'mine.py' WHERE method = 'gem'")
    assert cli("report", "--out", "out").exit_code == 0
    for command in ("harness run --config mine.py -m gem --seeds 1", "harness run -b scenes-classification -m gap --seeds 2"):
        assert command in read().text


def test_filters_are_those_of_the_leaderboard(cli, measured):
    measured("gap", 70.0, 72.0)
    measured("gap", 90.0, 91.0, on="digits")
    cli("report", "--out", "out", "-b", "digits")
    rows = [*csv.DictReader(io.StringIO(Path("out/leaderboard.csv").read_text()))]
    assert {row["benchmark"] for row in rows} == {"digits"} and "scenes-classification" not in read().text
    assert cli("report", "--out", "out", "-b", "digit").exit_code == 2
    nothing = cli("report", "--out", "none", "--family", "keypoint")
    assert nothing.exit_code == 0 and "nothing to report yet" in nothing.stderr and not Path("none").exists()


def test_stores_that_are_half_filled(cli, measured):
    measured("gap", None)
    assert cli("report", "--out", "out").exit_code == 0
    assert "0/1" in read().text and "1 failed" in read().text, "nothing has a result yet"
    measured("gem", float("nan"))
    measured("max-pool", 70.0)
    measured("se", float("nan"), 71.0)
    assert cli("report", "--out", "out").exit_code == 0
    page = read()
    assert page.text.split().count("nan") == 1 and "70.0" in page.text, "what is no number is none, but for the kind of a failure"
    compiled(Path("out/leaderboard.tex"))


def test_of_files_or_of_a_database(cli, measured, tmp_path):
    measured("gap", 70.0, 72.0)
    cli("publish", "--out", "boards")
    (file,) = Path("boards").glob("*.jsonl")
    assert cli("report", "--out", "of-files", file).exit_code == 0
    assert cli("report", "--out", "of-store").exit_code == 0
    assert Path("of-files/leaderboard.csv").read_text() == Path("of-store/leaderboard.csv").read_text()
    both = cli("report", "--out", "out", "--db", f"sqlite:///{tmp_path}/results/harness.db", file)
    assert both.exit_code == 2 and "leave out --db, or the files" in both.stderr
    file.write_text("{}\n")
    assert cli("report", "--out", "out", file).exit_code == 2 and not Path("out").exists()
    assert cli("report", "--out", f"{file}/x", "--db", f"sqlite:///{tmp_path}/results/harness.db").exit_code == 2


def test_of_what_is_committed(cli):
    assert cli("report", "--out", "out", *COMMITTED).exit_code == 0
    page = read()
    for file in COMMITTED:
        assert file.stem in page.text
    assert "critical difference" in page.text and "agrees" in page.text and "Worth its cost" in page.text
    assert len([tag for tag, about in page.tags if about.get("class") == "diagram"]) >= 1
    compiled(Path("out/leaderboard.tex"))
    html = Path("out/index.html").read_text()
    body = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in re.findall(r'<tr class="method.*?</tr>', html, re.DOTALL)]
    assert (Path("out") / "index.html").stat().st_size < 4_900 * len(body), "2 MB for the boards when this was written"
    shown = [[re.search(r"<bdi>(.*?)</bdi>|^(.*)$", cell, re.DOTALL) for cell in (*cells[:4], cells[5])] for cells in body]
    drawn = [[(found[1] or found[2] or "").strip() for found in cells] for cells in shown]
    written, judged, certain = [], True, True
    for line in Path("out/leaderboard.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")][:5]
        if cells[1:2] == ["method"]:
            # of a single method there is no rank, and of a single seed no interval: there stand a place and another metric
            judged, certain = cells[0] == "rank", cells[3] == "95 %"
        # a method of one seed has no rank among those of more
        elif line.startswith("| ") and re.match(r"\d|-$", cells[0]) and cells[1] != "floor":
            cells = cells if judged else ["", *cells[1:3], cells[3] if certain else "", ""]
            written.append(["" if cell == "-" else cell.removesuffix(" !").removesuffix(" †") for cell in cells])
    assert len(drawn) > 100 and drawn == written, "the page says what the table says"


def test_a_chart_numbers_the_methods_that_no_other_beats():
    from harness.analysis import source
    from harness.outcome import COSTS

    with report.imported(COMMITTED[:2]) as url:
        board = source.board(url, metrics="primary")
    for section in boards.sections(board, ()):
        assert len(section.costs) == len(COSTS)
        for name, chart in zip(COSTS, section.costs, strict=True):
            points = {row.method: (getattr(row.cost, name), -row.mean if row.higher_is_better else row.mean) for row in section.table.rows}
            beaten = {
                one
                for one, mine in points.items()
                if any(all(a <= b for a, b in zip(its, mine, strict=True)) and its != mine for its in points.values())
            }
            assert set(chart.front) == points.keys() - beaten and [points[one][0] for one in chart.front] == sorted(
                points[one][0] for one in chart.front
            )
            assert sorted(point.number for point in chart.points if point.number) == [*range(1, 1 + len(chart.front))]
            assert len(chart.points) == len(points) and len(chart.steps) == 2 * len(chart.front) - 2


def test_what_a_store_says_is_text(cli, hostile):
    assert cli("report", "--out", "out").exit_code == 0
    page = read()
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "iframe", "base", "object", "embed", "link", "form", "b", "i", "u", "em", "img"} - {"b"}
    addresses = [value for _, about in page.tags for name, value in about.items() if name in ("src", "href", "xlink:href", "action")]
    assert all(re.fullmatch(r"#[a-z0-9-]+|leaderboard\.\w+", value or "") for value in addresses), addresses
    assert not [name for _, about in page.tags for name in about if name.startswith("on") or name == "style"]
    for name in [*HOSTILE.values(), *NAMES.values()]:
        assert told(name) in page.text, name
    assert "\u202e" not in page.text
    markdown = Path("out/leaderboard.md").read_text()
    assert "](" not in markdown.replace("]\\(", "") and not re.search(r"<(?!/?em\b)[a-z/]", markdown)
    compiled(Path("out/leaderboard.tex"))


def test_a_picture_is_opened_before_it_is_shown(cli, measured, tmp_path):
    digests = [measured(name, 70.0 + place, 72.0 + place)[0] for place, name in enumerate(("gap", "gem", "se"))]
    for place, digest in enumerate(digests):
        folder = tmp_path / "results" / "trials" / digest / "artifacts"
        folder.mkdir(parents=True)
        if place < 2:
            Image.new("RGB", (64, 32), (200, place, 0)).save(folder / "attention-0.jpg", comment=b"<script>hidden</script>")
        else:
            (folder / "attention-0.jpg").write_bytes(b"<svg onload=alert(1)>")
    cli("report", "--out", "out")
    page = read()
    pictures = [about for tag, about in page.tags if tag == "img"]
    assert [about["alt"] for about in pictures] == ["gem, seed 0", "gap, seed 0"]
    assert all(about["src"].startswith("data:image/webp;base64,") and about["width"] == "64" for about in pictures)
    assert "se, seed 0: attention-0.jpg is damaged or no picture" in page.text
    assert all(b"hidden" not in base64.b64decode(about["src"].partition(",")[2]) for about in pictures)


def test_predictions_are_shown_whether_there_are_maps_or_not(cli, measured, tmp_path):
    files = {"gap": ("attention-0.jpg", "prediction-0.jpg"), "gem": ("prediction-0.jpg", "prediction-1.jpg")}
    for better, (name, kept) in enumerate(files.items()):
        digest, _ = measured(name, 70.0 + better, 72.0 + better)
        folder = tmp_path / "results" / "trials" / digest / "artifacts"
        folder.mkdir(parents=True)
        for place, file in enumerate(kept):
            Image.new("RGB", (64, 32), (200, place, 0)).save(folder / file)
    cli("report", "--out", "out")
    page = read()
    assert [about["alt"] for tag, about in page.tags if tag == "img"] == ["gap, seed 0", "gem, seed 0", "gap, seed 0"]
    assert "attention over test image 0" in page.text and "predictions on test image 0" in page.text


def test_pictures_have_a_limit(cli, measured, tmp_path, monkeypatch):
    from harness.report import gallery

    digests = [measured(name, 70.0, 72.0)[0] for name in ("gap", "gem", "se")]
    for digest in digests:
        folder = tmp_path / "results" / "trials" / digest / "artifacts"
        folder.mkdir(parents=True)
        Image.effect_noise((256, 128), 80).convert("RGB").save(folder / "attention-0.jpg")
    monkeypatch.setattr(gallery, "MOST", 60_000)
    cli("report", "--out", "out")
    page = read()
    shown = [about for tag, about in page.tags if tag == "img"]
    assert 0 < len(shown) < 3 and f"{3 - len(shown)} further" in page.text
    assert sum(len(about["src"]) for about in shown) <= 60_000


# LaTeX -----------------------------------------------------------------------------------------------------------------------------

KNOWN = {
    *("documentclass", "usepackage", "setlength", "newsavebox", "newenvironment", "begin", "end", "section", "toprule", "midrule"),
    *("bottomrule", "par", "medskip", "clearpage", "shortstack", "texttt", "textbackslash", "textasciitilde", "textasciicircum"),
    *(
        "textbar",
        "pm",
        "circ",
        "cdot",
        "times",
        "leq",
        "geq",
        "to",
        "ldots",
        "dagger",
        "ddagger",
        "mu",
        "surd",
        "mathdollar",
        "tau",
        "gamma",
        "ss",
        "o",
        "O",
    ),
    *("l", "L", "ae", "AE", "i", "r", "H", "v", "c", "k", "u", "board", "parindent"),
}
"""Commands that the document may use; what it defines is between ``\\newenvironment`` and ``\\begin{document}``."""


def compiled(file: Path) -> None:
    """Hold a document against the rules of LaTeX, strictly, and compile it where there is a compiler.

    ASCII only; braces and environments in pairs; every command known; every row of a table with as many cells as columns; special
    letters escaped; no row that begins with what its line break would take for an option.
    """
    text = file.read_text(encoding="utf-8")
    assert text.isascii()
    preamble, _, rest = text.partition("\\begin{document}")
    body, _, after = rest.partition("\\end{document}")
    assert after.strip() == "" and "\\usepackage{booktabs}" in preamble and preamble.count("{") == preamble.count("}")
    lines = [line for line in body.splitlines() if not line.startswith("%")]
    depth, environments, math = 0, [], False
    source = "\n".join(re.sub(r"(?<!\\)%$", "", line) for line in lines)
    at = 0
    while at < len(source):
        letter = source[at]
        if letter == "\\":
            command = re.match(r"\\([a-zA-Z]+)\*?|\\(.)", source[at:], re.DOTALL)
            assert command, source[at : at + 20]
            name, symbol = command.groups()
            assert (name in KNOWN) if name else symbol in "&%#_{}\\`'^~=u.\"|", command[0]
            if name in ("begin", "end"):
                environment = re.match(r"\{(\w+)\}", source[at + len(command[0]) :])
                assert environment, source[at : at + 20]
                if name == "begin":
                    environments.append(environment[1])
                else:
                    assert environments.pop() == environment[1]
            at += len(command[0])
            continue
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
        math ^= letter == "$"
        assert letter not in '%#~^_<>"|' or (math and letter in "^<>"), source[max(at - 20, 0) : at + 20]
        assert letter != "\n" or not math
        at += 1
    assert depth == 0 and environments == [] and not math
    tables = re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", source, re.DOTALL)
    assert tables and source.count("\\begin{tabular}") == len(tables)
    for columns, inner in tables:
        rows = [row for row in inner.splitlines() if row not in ("\\toprule", "\\midrule", "\\bottomrule")]
        assert len(rows) > 1
        for row in rows:
            assert row.endswith(" \\\\") and not row.lstrip().startswith(("[", "*"))
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1, row
    if compiler := next(filter(None, map(shutil.which, ("tectonic", "pdflatex", "xelatex"))), None):
        options = [] if compiler.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
        done = subprocess.run([compiler, *options, file.name], cwd=file.parent, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]
        assert file.with_suffix(".pdf").stat().st_size > 1000


@pytest.mark.parametrize("broken", ["a_b", "50% of", "{", "}", "\\input{x}", "é", "a & b & c \\\\", "$x", "\\begin{tabular}{l}"])
def test_the_rules_of_latex_find_what_breaks_them(cli, measured, broken):
    measured("gap", 70.0, 72.0)
    cli("report", "--out", "out")
    file = Path("out/leaderboard.tex")
    text = file.read_text()
    file.write_text(text.replace("gap &", f"{broken} &"))
    with pytest.raises(AssertionError):
        compiled(file)


# In a browser ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tab():
    """``tab(file, width, scheme)``: that file in Chromium, which may fetch nothing; what it tried and said is in ``.tried``."""
    playwright = pytest.importorskip("playwright.sync_api")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])

        def opened(file: Path, width: int, scheme: str):
            page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
            page.tried = []
            page.on("console", lambda message: page.tried.append(message.text))
            page.on("dialog", lambda dialog: (page.tried.append(dialog.message), dialog.dismiss()))
            page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else page.tried.append(asked.url))
            page.goto(file.resolve().as_uri())
            page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
            return page

        yield opened
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(cli, hostile, tab, scheme):
    cli("report", "--out", "out")
    page = tab(Path("out/index.html"), 1280, scheme)
    shown = " ".join(page.inner_text("body").split())
    for name in HOSTILE.values():
        assert told(name) in shown, name
    assert page.tried == []
    colours = page.evaluate(
        """() => Object.fromEntries(['--ink', '--dim', '--mark', '--other', '--floor', '--link', '--back'].map(
            name => [name, getComputedStyle(document.documentElement).getPropertyValue(name).trim()]))"""
    )
    back = colours.pop("--back")
    assert (luminance(back) < 0.1) == (scheme == "dark")
    for name, colour in colours.items():
        assert contrast(colour, back) >= (4.5 if name in ("--ink", "--dim", "--link", "--floor") else 3), name
    assert page.evaluate("getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color")


def test_on_a_phone(cli, hostile, tab):
    """Nothing but tables is wider than the screen, and of these method and score are in view."""
    cli("report", "--out", "out")
    page = tab(Path("out/index.html"), 400, "light")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    cells = page.query_selector_all("section[id^=board] tbody tr.method")
    assert len(cells) == len(HOSTILE) + 1
    for row in cells:
        for selector in ("th[scope=row] bdi", "td.strong"):
            box = row.query_selector(selector).bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 400 and box["width"] > 0


def luminance(colour: str) -> float:
    """Of ``#rgb`` or ``#rrggbb`` (WCAG 2)."""
    digits = colour.lstrip("#")
    parts = [int(two, 16) / 255 for two in (re.findall("..", digits) if len(digits) == 6 else [one * 2 for one in digits])]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """(WCAG 2)"""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
