"""The page in a real browser: pictures, figures, nothing fetched, no error, phone, dark, paper."""

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import MARKS, chromium
from report import made

from fewshot.cli import main
from fewshot.metrics.scores import SCORES

pytestmark = MARKS
PICTURES = """return [...document.querySelectorAll('figure svg')].map(svg => {
    const box = svg.getBoundingClientRect();
    const drawn = [...svg.querySelectorAll('path, use, text')].filter(e => {
        const own = e.getBoundingClientRect();
        return own.width + own.height > 0 && getComputedStyle(e).visibility == 'visible';
    });
    return [svg.getAttribute('aria-label'), box.width, box.height, drawn.length];
})"""
BOXES = """return [...document.querySelectorAll('figure svg')].map(svg => {
    const box = svg.getBoundingClientRect();
    return {x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height};
})"""
COLOURS = """const style = getComputedStyle(document.body);
const rgb = name => style[name].match(/[0-9.]+/g).slice(0, 3).map(Number);
return [rgb('color'), rgb('backgroundColor')]"""
STROKES = """return [...new Set([...document.querySelectorAll('figure svg text')]
    .map(e => getComputedStyle(e).fill))]"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two runs, one of a training that was cut off, and texts that look like markup."""
    folder = tmp_path_factory.mktemp("runs")
    runs = [made.write(folder / f"run{n}", made.results(30, 0.75 + 0.1 * n), steps=3 * n) for n in range(2)]
    cut = made.start(folder / "cut", 12)
    assert main(["report", *map(str, [*runs, cut]), "--out", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(page: Path) -> Iterator[Any]:
    """A Chromium that has opened the page from the disk and keeps its logs."""
    with chromium() as driver:
        driver.get(page.as_uri())
        yield driver


def seen(browser: Any, width: int = 1000, scheme: str = "light") -> None:
    """Shows the page at a width, in light or dark."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def test_nothing_is_fetched_and_nothing_fails(browser: Any, page: Path) -> None:
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {
        each["params"]["request"]["url"] for each in asked if each["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in urls if not url.startswith("data:")} == {page.as_uri()}
    assert browser.get_log("browser") == []


def test_every_picture_is_drawn(browser: Any) -> None:
    seen(browser)
    pictures = browser.execute_script(PICTURES)
    labels = [label for label, *_ in pictures]
    assert len(pictures) == 9
    assert {"accuracy against confidence", "loss and accuracy by outer step"} < set(labels)
    for label, width, height, drawn in pictures:
        assert width > 250, label
        assert height > 100, label
        assert drawn > 20, label


def test_a_picture_has_ink(browser: Any) -> None:
    """Its pixels are of many colours, where an empty one has a single one."""
    from PIL import Image

    seen(browser)
    for box in browser.execute_script(BOXES):
        clip = {"clip": box | {"scale": 1}, "captureBeyondViewport": True}
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", clip)["data"]
        with Image.open(io.BytesIO(base64.b64decode(shot))) as image:
            colours = image.convert("RGB").getcolors(1 << 24) or []
        most = max(int(count) for count, _ in colours)
        assert len(colours) > 30
        assert most < 0.995 * sum(int(count) for count, _ in colours)


def test_the_tables_are_those_of_the_summaries(browser: Any, page: Path) -> None:
    for run in ("run0", "run1"):
        summary = json.loads((page.parent / run / "summary.json").read_text())
        for name in SCORES:
            row = f'table.scores[data-run="{run}"] tr[data-score="{name}"] td'
            cells = [cell.text for cell in browser.find_elements("css selector", row)]
            found = summary[name]
            assert cells[0] == f"{100 * summary['before'][name]['mean']:.1f}"
            assert cells[1] == f"{100 * found['mean']:.1f}"
            assert cells[2] == " to ".join(f"{100 * each:.1f}" for each in found["ci95"])
            assert cells[4:] == [f"{100 * found[each]:.1f}" for each in ("std", "worst_decile")]
        (card,) = browser.find_elements("css selector", f'.figure[data-run="{run}"]')
        assert re.findall(r"[\d.]+", card.text)[0] == f"{100 * summary['accuracy']['mean']:.1f}"


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_it_is_read_without_scrolling_sideways(width: int, browser: Any) -> None:
    seen(browser, width)
    browser.refresh()  # a phone lays a page out as it loads
    browser.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.execute_script("return document.scrollingElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_its_ground(scheme: str, browser: Any) -> None:
    seen(browser, scheme=scheme)
    ink, paper = (_luminance(colour) for colour in browser.execute_script(COLOURS))
    assert (ink > paper) == (scheme == "dark")
    bright, dim = max(ink, paper), min(ink, paper)
    assert (bright + 0.05) / (dim + 0.05) > 7  # the contrast that WCAG 2 asks for at its strictest
    for fill in browser.execute_script(STROKES):  # the words of the pictures, which are smaller
        words = _luminance([float(each) for each in re.findall(r"[\d.]+", fill)[:3]])
        assert (max(words, paper) + 0.05) / (min(words, paper) + 0.05) > 4.5


def _luminance(colour: list[float]) -> float:
    parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_it_can_be_printed(browser: Any) -> None:
    seen(browser, scheme="dark")
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 2
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    ink, paper = (_luminance(colour) for colour in browser.execute_script(COLOURS))
    assert ink < paper
