"""Parsing of hostile text in the caller: no exception, no crash, and linear time."""

import gc
import time
import warnings

import pytest

from trl_rltf.completions import extract_program
from trl_rltf.completions.python_text import Parser, read_names


FENCE = "```"
DEEP = [
    "(",
    "-",
    "not ",
    "a.",
    "f(1,2)-",
    "lambda a,b:",
    "1 if 1 else ",
    "1**",
    "f'{",
    "[0]",
    "{1:",
    "~",
    "elif 1: pass\n",
]


@pytest.mark.parametrize("piece", DEEP)
def test_deep_text_is_not_parsed(piece):
    text = "if 1: pass\n" + piece * 2000 + "1"
    assert Parser(text).parse(0, len(text)) is None


def test_deep_text_does_not_crash_a_thread_with_a_small_stack(run_script):
    script = f"""
import threading
from trl_rltf.completions import extract_program
def extract():
    for piece in {DEEP}:
        for size in (99, 390, 1000, 100_000):
            extract_program("if 1: pass\\n" + piece * size + "1")
            extract_program("```python\\n" + piece * size + "1\\n```")
threading.stack_size(256 * 1024)
thread = threading.Thread(target=extract)
thread.start()
thread.join()
print("survived")
"""
    assert run_script(script).stdout == "survived\n"


@pytest.mark.parametrize(
    "text", ["\0", "x = '\ud800'", "x = '\\d'", "1if x else 2", "x = " + "9" * 5000, "\ufeffx", "a\r"]
)
def test_no_text_raises_or_warns(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert extract_program(text).source == text
        read_names(text)


def test_names_that_a_program_defines_and_needs():
    source = """
from math import *
import os

def f(x, y=default):
    global total
    total = gcd(x, later)
    inner = x + os.sep + missing
    return [i for i in inner]

class A(Base):
    name = 1

later = len(A.name)
"""
    names = read_names(source)
    assert names.defined == {"f", "total", "A", "later"}
    assert names.needed == {"default", "missing", "Base"}


def test_names_of_a_truncated_program_are_those_of_its_complete_lines_and_of_later_calls():
    assert read_names("def f():\n    return g()\n\nassert h(i").needed == {"g", "h"}
    assert read_names("def f():\n    return g()\n\ndef h(").needed == {"g"}
    assert read_names("  x = f()\n  y = [").needed == {"f"}


SHAPES = {
    "tildes": lambda n: "~" * n + "`",
    "letters": lambda n: FENCE + "a" * n + "`",
    "blanks": lambda n: FENCE + " " * n + "`",
    "fences": lambda n: f"{FENCE}\n" * (n // 4),
    "indented fences": lambda n: f"    {FENCE}\n" * (n // 8),
    "kinds of fences": lambda n: f"{FENCE}\n~~~\n" * (n // 8),
    "fences in one line": lambda n: f"{FENCE} " * (n // 4),
    "opened blocks": lambda n: f"{FENCE}python\nx=1\n" * (n // 14),
    "list items": lambda n: f"- {FENCE}\n</think>\n" * (n // 15),
    "glued fences": lambda n: f"{FENCE}python\n" + f"x {FENCE}\n" * (n // 6),
    "open strings": lambda n: f'"""\n{FENCE}\n' * (n // 8),
    "open tags": lambda n: "<think>" * (n // 7),
    "closing tags": lambda n: "</think>" * (n // 8),
    "lines of tags": lambda n: "x\n</think>\n" * (n // 11),
    "quoted tags": lambda n: "x='</think>'\n+" * (n // 14),
    "drafts": lambda n: f"<think>\n{FENCE}python\nx=(\n</think>\n" * (n // 31),
    "short lines": lambda n: "x\n" * (n // 2),
    "prose": lambda n: "some text\n" * (n // 10),
    "brackets": lambda n: "(" * n,
    "end markers": lambda n: "'<|im_end|>\n" * (n // 12),
    "blank lines": lambda n: " \n" * (n // 2) + "x",
    "definitions": lambda n: "".join(f"{FENCE}python\ndef f{i}(): f{i - 1}()\n{FENCE}\n" for i in range(n // 40)),
}


def seconds(text):
    times = []
    gc.disable()  # a collection takes the longer, the more objects the other tests have left
    try:
        for _ in range(4):
            began = time.process_time()
            extract_program(text)
            times.append(time.process_time() - began)
    finally:
        gc.enable()
    return min(times)


@pytest.mark.parametrize("shape", SHAPES)
def test_extraction_takes_time_that_is_linear_in_the_length(shape):
    small, large = SHAPES[shape](10_000), SHAPES[shape](80_000)
    # 8 times the text; quadratic would be 64 times the time.
    assert seconds(large) < 25 * max(seconds(small), 0.01)


def test_finding_programs_needs_no_torch(run_script):
    script = "import sys, trl_rltf.rewards as r; r.UnitTestRewardFunction; print('torch' in sys.modules)"
    assert run_script(script).stdout == "False\n"
