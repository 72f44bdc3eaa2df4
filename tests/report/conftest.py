"""Folders of runs, and the Chromium of this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest


pytest.importorskip("jinja2", reason="a report needs jinja2")
pytest.importorskip("matplotlib", reason="a report needs matplotlib")
pytest.importorskip("pygments", reason="a report needs pygments")

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage"
).split()


@pytest.fixture
def write_records(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes completions as a trainer does, one per dictionary of changes, and returns the folder."""

    def write(*changes: dict[str, Any], folder: Path = tmp_path / "run") -> Path:
        (folder / "_report_completions").mkdir(parents=True, exist_ok=True)
        with open(folder / "_report_completions" / "step-000000.jsonl", "w") as file:
            for number, change in enumerate(changes):
                row = {
                    "version": 1,
                    "step": 0,
                    "problem": f"problem/{number}",
                    "difficulty": "",
                    "prompt": "Add.",
                    "completion": "print(1)\n",
                    "reward": 0.0,
                    "advantage": 0.0,
                    "credits": [],
                    "outcome": "FAILURE",
                    "tests_passed": "0/1",
                    "error_type": "",
                    "error_line": None,
                    "first_failure": "",
                    "trailing_error": "",
                    **change,
                }
                lengths = {f"{name}_length": len(row[name]) for name in ("prompt", "completion")}
                file.write(json.dumps({**lengths, **row}) + "\n")
        return folder

    return write


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Chromium of this machine, driven by Selenium."""
    pytest.importorskip("selenium", reason="selenium, which drives a browser, is not installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("Chromium and its driver are not on this machine (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


class Page:
    """A report in a browser."""

    def __init__(self, browser: Any, path: Path):
        self.browser = browser
        browser.get_log("browser")  # of the pages before
        browser.get(path.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script, and return what it returns."""
        return self.browser.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """Text of an element."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def choose(self, name: str, value: str) -> None:
        """Choose a value of a filter, and wait until it is applied."""
        self.run(
            "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
            "field.dispatchEvent(new Event(field.type === 'search' ? 'input' : 'change'))",
            name,
            value,
        )
        if name == "text":
            self.browser.execute_async_script("setTimeout(arguments[0], 400)")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, where the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    @property
    def names(self) -> Sequence[str]:
        """Problems in the list."""
        return list(self.run("return [...document.querySelectorAll('#list .what')].map((item) => item.textContent)"))

    @property
    def errors(self) -> Sequence[str]:
        """What the browser has complained about."""
        return [entry["message"] for entry in self.browser.get_log("browser")]


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Callable[[Path], Page]]:
    """A function that opens a report. A test fails if the browser complains about it."""
    opened: list[Page] = []

    def open_one(path: Path) -> Page:
        opened.append(Page(chromium, path))
        return opened[-1]

    yield open_one
    assert not [error for page in opened for error in page.errors]
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
