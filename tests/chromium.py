"""A headless Chromium for tests of pages, where one is on the path."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

DRIVER = shutil.which("chromedriver")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(DRIVER is None, reason="no Chromium with its chromedriver is on the path"),
]


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser that keeps its logs."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()
