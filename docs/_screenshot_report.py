"""
Make the pictures of the report, with the Chromium of this machine.

    pip install selenium
    python docs/_screenshot_report.py outputs/mini-apps
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from trl_rltf.report import write_report


IMAGES = Path(__file__).parent / "images"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
).split()
# A completion with credits of both signs, if there is one.
CHOOSE = """
const field = document.getElementById("outcome");
if ([...field.options].some((option) => option.value === "RUNTIME_ERROR")) {
  field.value = "RUNTIME_ERROR";
  field.dispatchEvent(new Event("change"));
}
const next = document.getElementById("next");
const hasBoth = () => document.querySelector("#program .worse") && document.querySelector("#program .better");
while (!hasBoth() && !next.disabled) next.click();
if (!hasBoth()) field.dispatchEvent(new Event("change"));
"""
# Name of the picture, scheme, width, height, and where it begins.
PICTURES = [
    ("report.png", "light", 1280, 900, "body"),
    ("report-completion.png", "light", 1280, 860, "#completions"),
    ("report-completion-dark.png", "dark", 1280, 860, "#completions"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pictures of the report of a run.")
    parser.add_argument("folder", type=Path, help="folder of a training")
    parser.add_argument("--output", type=Path, default=IMAGES, help="folder of the pictures (default: docs/images)")
    args = parser.parse_args()
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        sys.exit("Chromium is not on this machine: apt-get install chromium chromium-driver")
    args.output.mkdir(parents=True, exist_ok=True)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service(driver))
        page = write_report(args.folder, Path(profile) / "report.html").as_uri()
        for name, scheme, width, height, start in PICTURES:
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            browser.get(page)
            browser.execute_script(f"{CHOOSE} document.querySelector(arguments[0]).scrollIntoView()", start)
            browser.save_screenshot(str(args.output / name))
        browser.quit()


if __name__ == "__main__":
    main()
