"""The code on the pages of the frameworks runs, and prints what the pages say."""

import contextlib
import importlib.util
import io
import re
import textwrap

import pytest
from source import ROOT


BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(ROOT.glob("docs/integrations/*.md"))
BLOCKS = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(BLOCK.findall(page.read_text()))
]


def skip_without_framework(code):
    """Skip the test if the code needs a framework, or a version of it, that is not here."""
    for name in ("verifiers", "lighteval"):
        if re.search(rf"^(?:import|from) {name}\b", code, re.MULTILINE) and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    if "import verifiers" in code:
        from importlib.metadata import version

        is_old = tuple(map(int, version("verifiers").split(".")[:2])) < (0, 3)
        if is_old == ("verifiers.v1" in code):
            pytest.skip("another version of verifiers is installed")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", BLOCKS)
def test_the_code_on_a_page_prints_what_the_page_says(code):
    skip_without_framework(code)
    expected = re.findall(r"^ *print\(.*\)  # (.+)$", code, re.MULTILINE)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(textwrap.dedent(code), "<page>", "exec"), {"__name__": "page"})
    assert printed.getvalue().splitlines() == expected


def test_each_page_has_code():
    assert len(PAGES) == 6
    assert len(BLOCKS) >= 9
