"""Who reads the dashboard: in both themes by contrast, without a mouse, and on a phone."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
import pytest
from PIL import Image

from dashboard.pages import PAGES
from harness import paths

spec = importlib.util.spec_from_file_location("screenshot", paths.home() / "docs" / "screenshot.py")
screenshot = importlib.util.module_from_spec(spec)
spec.loader.exec_module(screenshot)
pytestmark = pytest.mark.skipif(screenshot.chromium() is None, reason="no Chromium on this machine")

LEAST = 3.0
"""Of WCAG's contrast: what 1.4.11 asks of parts, and 1.4.3 of large text."""

TEXTS = """
() => {
  const parts = (colour) => {
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    const alpha = (colour.match(/rgba\\(.*, *([\\d.]+)\\)/) || [0, 1])[1];
    return [...colour.matchAll(/[\\d.]+/g)].slice(0, 3).map(Number).concat(Number(alpha));
  };
  const over = (top, below) => top.slice(0, 3).map((value, i) => value * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const colour = parts(getComputedStyle(each).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement, style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    if (!text || box.width < 2 || box.height < 2 || style.visibility !== 'visible' || style.display === 'none') continue;
    if (element.closest('script, style, noscript, canvas, [aria-disabled=true], :disabled')) continue;  // a canvas shows its own
    let opacity = 1;
    for (let each = element; each; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
    if (opacity < 0.05) continue;  // shown when the mouse is there
    const below = behind(element), colour = parts(element instanceof SVGElement ? style.fill : style.color);
    colour[3] *= opacity;
    const [a, b] = [light(over(colour, below)), light(below)].sort((x, y) => y - x);
    found.push([Math.round(100 * (a + 0.05) / (b + 0.05)) / 100, text.slice(0, 40), style.color]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}
"""

NAME = "[each.tagName, each.id, each.innerText || each.ariaLabel || each.type || ''].join(' ')"

REACHABLE = """
() => [...document.querySelectorAll('a[href], button, input, textarea, select, summary, canvas[data-testid=data-grid-canvas], '
    + '[role=tab], [role=switch], [role=combobox], [role=slider], [role=button]')]
  .filter((each) => {
    const box = each.getBoundingClientRect(), style = getComputedStyle(each);
    if (box.width < 2 || box.height < 2 || style.visibility !== 'visible') return false;
    if (each.disabled || each.closest('[aria-hidden=true]')) return false;
    // of a group that has one stop the arrow keys go on from there; the button of a combobox is its text's Arrow Down
    if (each.role === 'radio' && each.previousElementSibling) return false;
    return !(each.closest('[role=tablist], .react-aria-ComboBox') && each.tabIndex < 0);
  })
  .map((each) => NAME)
""".replace("NAME", NAME)

FOCUSED = "() => { const each = document.activeElement; return NAME; }".replace("NAME", NAME)


def views(measured) -> list[str]:
    """Addresses of all pages with something on them."""
    trials = measured("gap", 70.0, 72.0, 71.0)
    measured("gem", 80.0, 82.0, None)
    for method, value in (("max-pool", 75.0), ("lse", 60.0)):
        measured(method, value, value + 1)
    further = [f"trial?trial={trials[0]}", "compare?method=gap&method=gem", "runs?state=failed", "claims?claim=simpool-over-gap"]
    further += [f"trial?trial={trials[0]}&tab=Config", "benchmark?tab=Cost", "method?method=gem&tab=Claims", "regressions?tab=History"]
    return [*PAGES, *further]


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_whatever_is_written_can_be_read(database, measured, theme):
    """Text by what the browser computes, tables and charts (canvases) by their pixels."""
    known = views(measured)
    with screenshot.served(database) as address, screenshot.browser_page(theme=theme) as tab:
        for view in known:
            tab.goto(f"{address}/{'' if view == 'overview' else view}")
            screenshot.at_rest(tab)
            texts = tab.evaluate(TEXTS)
            assert len(texts) > 10
            assert not [some for some in texts if some[0] < LEAST], view
            for canvas in tab.locator("canvas:visible").all():
                assert strongest(canvas.screenshot()) >= LEAST, view


def strongest(picture: bytes) -> float:
    """The contrast of what stands out most from a picture's ground."""
    colours, often = np.unique(np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3), axis=0, return_counts=True)
    lights = np.array([light(colour) for colour in colours])
    ground = lights[often.argmax()]
    return float(max((lights.max() + 0.05) / (ground + 0.05), (ground + 0.05) / (lights.min() + 0.05)))


def light(colour) -> float:
    """Relative luminance (WCAG 2)."""
    part = np.asarray(colour) / 255
    return float(np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.slow
def test_the_tabulator_reaches_everything(database, measured):
    known = views(measured)
    with screenshot.served(database) as address, screenshot.browser_page() as tab:
        for view in known:
            # with tables by keyboard: else a cell that the tabulator comes to leads on at once, as a click does
            page = "" if view == "overview" else view
            tab.goto(f"{address}/{page}{'&' if '?' in page else '?'}keys=1")
            screenshot.at_rest(tab)
            tab.wait_for_timeout(800)
            wanted = {*tab.evaluate(REACHABLE)}
            assert len(wanted) > 10
            for _ in range(6 * len(wanted) + 100):  # a table is a step per column
                tab.keyboard.press("Tab")
                tab.wait_for_timeout(20)
                wanted.discard(tab.evaluate(FOCUSED))
                if not wanted:
                    break
            assert not wanted, view
        tab.goto(f"{address}/benchmark")
        screenshot.at_rest(tab)
        for role, name, there in (("radio", "All", "near="), ("tab", "Parts", "tab=")):
            tab.get_by_role(role, name=name, exact=True).focus()
            for key in ("ArrowRight", "Space"):
                tab.keyboard.press(key)
            tab.wait_for_url(f"**{there}*")
            screenshot.at_rest(tab)


def test_arrow_keys_move_in_a_table_and_open_a_row_when_asked(database, measured):
    measured("gap", 70.0, 72.0)
    measured("gem", 80.0, 82.0)
    with screenshot.served(database) as address, screenshot.browser_page() as tab:
        tab.goto(f"{address}/runs")
        screenshot.at_rest(tab)
        tab.get_by_role("switch", name="Tables by keyboard").focus()
        tab.keyboard.press("Space")
        tab.wait_for_url("**keys=1*")
        screenshot.at_rest(tab)
        tab.wait_for_timeout(800)
        tab.get_by_test_id("data-grid-canvas").last.focus()
        for key in ("ArrowDown", "ArrowRight", "ArrowDown"):
            tab.keyboard.press(key)
            tab.wait_for_timeout(500)
        assert "/runs" in tab.url
        tab.keyboard.press("Shift+Space")
        tab.get_by_role("heading", name="Trial", level=1).wait_for()
        screenshot.at_rest(tab)
        assert "trial=" in tab.url and "keys=1" in tab.url
        assert all("keys=1" in link.get_attribute("href") for link in tab.get_by_test_id("stPageLink-NavLink").all())


@pytest.mark.slow
def test_a_phone_shows_method_and_score(database, measured):
    """Nothing is wider than the screen, and the first columns of a table fit on it."""
    known = views(measured)
    with screenshot.served(database) as address, screenshot.browser_page(400, 900) as tab:
        for view in known:
            tab.goto(f"{address}/{'' if view == 'overview' else view}")
            screenshot.at_rest(tab)
            both = "[document.documentElement, document.querySelector('[data-testid=stMain]')]"
            widest = tab.evaluate(f"Math.max(...{both}.map((each) => each.scrollWidth))")
            assert widest <= 401, view
            for chart in tab.locator("[data-testid=stVegaLiteChart]:visible").all():
                assert chart.bounding_box()["width"] > 200 and chart.bounding_box()["height"] > 60, view
