"""The page in a real browser, with the adapter that comes with the package."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import MARKS, chromium
from serving import served

from fewshot.classify.learned import learned
from fewshot.serve.app import create_app
from fewshot.serve.guard import Limits

pytestmark = MARKS
FOCUSED = "return document.activeElement.getAttribute('aria-label') || ''"
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium that has opened the page."""
    with served(create_app(learned(), limits=Limits(burst=500))) as address, chromium() as driver:
        driver.get(address)
        yield driver


def text_of(browser: Any, id_: str) -> str:
    found: str = browser.find_element("id", id_).text
    return found


def waits(browser: Any, done: Callable[[], bool]) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda _: done())


def enter(browser: Any, id_: str, text: str) -> None:
    field = browser.find_element("id", id_)
    field.clear()
    field.send_keys(text)


def test_examples_are_learned_and_a_correction_changes_the_answer(browser: Any, tmp_path: Path) -> None:
    browser.find_element("id", "learn").click()
    waits(browser, lambda: "10 examples of 5 classes, learned in" in text_of(browser, "learned"))
    browser.find_element("css selector", "#ask button").click()
    waits(browser, lambda: text_of(browser, "label") == "fees")
    rows = browser.find_elements("css selector", "#scores tr")
    assert len(rows) == 5
    assert rows[0].text.startswith("fees")
    assert len(browser.find_elements("css selector", "#nearest tr")) == 3
    enter(browser, "right", "abroad")
    browser.find_element("css selector", "#correct button").click()
    waits(browser, lambda: text_of(browser, "label") == "abroad")
    assert "11 examples of 6 classes" in text_of(browser, "learned")
    assert "fewer examples than of others: abroad" in text_of(browser, "learned")
    assert len(browser.find_elements("css selector", "#known tr")) == 11
    browser.find_elements("css selector", "#known button")[-1].click()
    waits(browser, lambda: text_of(browser, "label") == "fees")


def test_quick_clicks_take_turns_and_the_focus_stays_in_the_list(browser: Any) -> None:
    kept = browser.find_element("id", "examples").get_property("value")
    first, second = browser.find_elements("css selector", "#known button")[:2]
    browser.execute_script("arguments[0].click(); arguments[0].click(); arguments[1].click()", first, second)
    waits(browser, lambda: "8 examples of 4 classes" in text_of(browser, "learned"))
    waits(browser, lambda: browser.execute_script(FOCUSED).startswith("remove: "))
    enter(browser, "examples", kept.replace(" | ", ", "))  # a comma does too
    browser.find_element("id", "learn").click()
    waits(browser, lambda: "10 examples of 5 classes" in text_of(browser, "learned"))
    assert browser.find_element("id", "examples").get_property("value") == kept


def test_what_is_wrong_is_said_and_nothing_is_lost(browser: Any) -> None:
    kept = browser.find_element("id", "examples").get_property("value")
    enter(browser, "examples", "no class here")
    browser.find_element("id", "learn").click()
    waits(browser, lambda: "has no class and text" in text_of(browser, "error"))
    enter(browser, "examples", "one | only")
    browser.find_element("id", "learn").click()
    waits(browser, lambda: "there is one class alone" in text_of(browser, "error"))
    assert len(browser.find_elements("css selector", "#known tr")) == 10
    assert "10 examples of 5 classes" in text_of(browser, "learned")
    enter(browser, "right", "a|b")
    browser.find_element("css selector", "#correct button").click()
    waits(browser, lambda: "has no | and no tab" in text_of(browser, "error"))
    enter(browser, "examples", kept)
    browser.find_element("id", "learn").click()
    waits(browser, lambda: not browser.find_element("id", "error").is_displayed())


def test_markup_stays_text(browser: Any) -> None:
    enter(browser, "text", MARKUP)
    browser.find_element("css selector", "#ask button").click()
    waits(browser, lambda: text_of(browser, "label") != "")
    enter(browser, "right", MARKUP)
    browser.find_element("css selector", "#correct button").click()
    waits(browser, lambda: text_of(browser, "label") == MARKUP)
    assert browser.find_elements("css selector", "main img") == []
    browser.find_elements("css selector", "#known button")[-1].click()
    waits(browser, lambda: len(browser.find_elements("css selector", "#known tr")) == 10)


def test_a_phone_shows_all_of_it(browser: Any) -> None:
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_description_lists_every_operation(browser: Any) -> None:
    page = browser.current_url
    browser.get(page + "docs")
    waits(browser, lambda: len(browser.find_elements("css selector", "main h2")) == 5)
    assert "POST /api/correct" in text_of(browser, "operations")
    browser.get(page)


def test_no_error_in_the_log(browser: Any) -> None:
    """But for the answers that were refused above."""
    log = [entry["message"] for entry in browser.get_log("browser") if "422" not in entry["message"]]
    assert log == []
