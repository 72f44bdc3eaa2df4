"""The part of a completion that is the program."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import COMPLETION_PIECES

from trl_rltf.completions import extract_program
from trl_rltf.data import load_apps, load_mbpp


FENCE = "```"
PROGRAM = "n = int(input())\nprint(n * 2)\n"
BLOCK = f"{FENCE}python\n{PROGRAM}{FENCE}\n"
FUNCTION = "def f(n):\n    return n\n"
DOCUMENTED = f'def f(x):\n    """Add one.\n\n    {FENCE}\n    f(1)\n    {FENCE}\n    """\n    return x + 1\n'
MODULE_DOC = f'"""Add one.\n\n{FENCE}python\nf(1)\n{FENCE}\n"""\ndef f(x):\n    return x + 1\n'


def source_of(completion):
    program = extract_program(completion)
    assert completion[program.start : program.start + len(program.source)] == program.source
    return program.source


@pytest.mark.parametrize(
    ("completion", "source"),
    [
        ("x = 1\n", "x = 1\n"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("Here it is:\n```py\nx = 1\n```\nDone.", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("~~~python\nx = 1\n~~~", "x = 1\n"),
        ("~~~python\nx = 1\n", "x = 1\n"),
        ("```python\nold\n```\nBetter:\n```python\nnew\n```", "new\n"),
        ("```python\nx = 1\n```\nOutput:\n```text\n1\n```", "x = 1\n"),
        ("```bash\npip install x\n```\nx = 1", "```bash\npip install x\n```\nx = 1"),
        ("```python\nx = 1\ny = ", "x = 1\ny = "),
        ("```python", ""),
        ("```python\r\nx = 1\r\n```", "x = 1\r\n"),
        ("", ""),
        ("s = '```'\n", "s = '```'\n"),
        ("```py3\nx = 1\n```", "x = 1\n"),
        ("```python\ndef f(x):\n    return x + 1\n```\nOutput:\n```\n2\n```", "def f(x):\n    return x + 1\n"),
        ("def f(x):\n    return x + 1\n```\n", "def f(x):\n    return x + 1\n"),
        ("x = 1\nprint(x)\n```\nThis prints 1.", "x = 1\nprint(x)\n"),
        ("Here is the code:\n```\nx = 1\n", "x = 1\n"),
    ],
)
def test_the_program_of_a_completion(completion, source):
    assert source_of(completion) == source


@pytest.mark.parametrize(
    "completion",
    [
        f"python\n{PROGRAM}{FENCE}\nIt doubles.",
        f"\nPython3\n{PROGRAM}",
        f"python\nI would write:\n{BLOCK}",
        f"[PYTHON]\n{PROGRAM}[/PYTHON]\n[TESTS]\nassert True\n[/TESTS]",
        f"{PROGRAM}[/PYTHON]",
    ],
)
def test_a_first_line_that_is_only_a_language_is_not_part_of_the_program(completion):
    assert source_of(completion) == PROGRAM


@pytest.mark.parametrize(
    "reasoning",
    [
        f"<think>\nPerhaps:\n{FENCE}python\nprint(1)\n{FENCE}\nNo.\n</think>\n\n",
        f"<think>\nTry\n{FENCE}python\nn = int(input(\n</think>\n\nHere:\n",
        f"<think>\nTry\n{FENCE}\nx = 1\n</think>\n",
        f"<think>\nTry\n{FENCE}python\nn = int(\n</think>",
        f"Perhaps:\n{FENCE}python\nprint(1)\n{FENCE}\nNo.\n</think>\n\n",
        f"<thinking>\n{FENCE}python\nprint(1)\n{FENCE}\n</thinking>\n",
        f"<Reasoning>{FENCE}python\nprint(1)\n{FENCE}</Reasoning>\n",
        f"[THINK]\n{FENCE}python\nprint(1)\n{FENCE}\n[/THINK]",
        f"<|begin_of_thought|>\n{FENCE}python\nprint(1)\n{FENCE}\n<|end_of_thought|>\n",
        f"<think>I write `</think>` at the end.\n{FENCE}python\nprint(1)\n{FENCE}\n</think>\n",
        f"<think>a</think>\n{FENCE}\nold = 1\n{FENCE}\n<think>\n{FENCE}python\nprint(1)\n{FENCE}\n</think>\n",
    ],
)
@pytest.mark.parametrize(
    "answer", [f"{FENCE}\n{PROGRAM}{FENCE}\n", BLOCK, f"It is:\n{BLOCK}", f"<answer>\n{BLOCK}</answer>"]
)
def test_reasoning_is_not_the_answer(reasoning, answer):
    assert source_of(reasoning + answer) == PROGRAM


@pytest.mark.parametrize(
    "reasoning", ["<think>\nDouble it.\n</think>\n", "Double it.\n</think>\n\n", "<think></think>"]
)
@pytest.mark.parametrize("end", ["", "<|im_end|>"])
def test_an_answer_without_a_fence_starts_after_the_reasoning(reasoning, end):
    assert source_of(reasoning + PROGRAM + end) == PROGRAM
    assert source_of(f"{reasoning}<answer>\n{PROGRAM}</answer>{end}") == PROGRAM


@pytest.mark.parametrize("text", [f"<think>\n{BLOCK}", f"<think>\n{BLOCK}</think>\n", f"Hm.\n{BLOCK}</think>"])
def test_reasoning_without_an_answer_has_no_program(text):
    assert source_of(text) == ""


def test_an_answer_before_reasoning_stays_the_answer():
    assert source_of(f"{BLOCK}<think>\nOr:\n{FENCE}python\nprint(1)\n") == PROGRAM


@pytest.mark.parametrize(
    "program",
    [
        "print('</think>')\nprint('<think>')\n",
        'def f(s):\n    """Cut.\n\n    </think>\n    """\n    return s\n',
        "print('</think>')\nx = [1,\n",
    ],
)
def test_a_program_may_contain_the_tags(program):
    assert source_of(f"{FENCE}python\n{program}{FENCE}") == program
    assert source_of(program) == program
    assert source_of(f"<think>\nHm.\n</think>\n{FENCE}python\n{program}{FENCE}") == program


@pytest.mark.parametrize(
    "document", [DOCUMENTED, DOCUMENTED.replace(f"{FENCE}\n    f(1)", f"{FENCE}python\n    f(1)"), MODULE_DOC]
)
@pytest.mark.parametrize(
    "around", ["{}", "```python\n{}```\n", "```python\n{}```\nBye.", "{}```\n", "~~~\n{}~~~", "{}<|im_end|>"]
)
def test_a_fence_in_a_docstring_closes_nothing(document, around):
    assert source_of(around.replace("{}", document)) == document


def test_a_truncated_program_keeps_the_fences_of_its_docstrings():
    assert source_of(DOCUMENTED + "x = [") == DOCUMENTED + "x = ["
    assert source_of(f"{FENCE}python\n{DOCUMENTED}x = [") == DOCUMENTED + "x = ["


@pytest.mark.parametrize(
    "behind",
    ["", " That is it.", "<|im_end|>", "<|endoftext|>", "</s>", "<|im_end|>\n<|im_start|>user", "</answer>", "\u200b"],
)
def test_text_after_the_closing_fence_is_not_in_the_block(behind):
    assert source_of(f"{FENCE}python\n{PROGRAM}{FENCE}{behind}") == PROGRAM
    assert source_of(f"{FENCE}python\n{PROGRAM.rstrip()}{FENCE}{behind}\nIt doubles.") == PROGRAM.rstrip()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (f"{FENCE}`python\n{PROGRAM}{FENCE}`\n", PROGRAM),
        (f"{FENCE}python\n{PROGRAM}   {FENCE}``\n", PROGRAM),
        (f"{FENCE}python\nprint(n *){FENCE}\nIt doubles.", "print(n *)"),
        (f"{FENCE}python\nprint(n *)\n{FENCE} and `n` too", "print(n *)\n"),
        (f"print(1)\n# {FENCE}python\n# 1\n# {FENCE}\nx = [", f"print(1)\n# {FENCE}python\n# 1\n# {FENCE}\nx = ["),
        (f"{FENCE}python\nprint(1){FENCE}\nOutput:\n{FENCE}\n1\n{FENCE}\n", "print(1)"),
        (f"{FENCE}python\nx = 1  # in {FENCE} here\nprint(x)\n{FENCE}\n", f"x = 1  # in {FENCE} here\nprint(x)\n"),
        (f"{FENCE}python\nx = '{FENCE}'\nprint(x)\n{FENCE}\n", f"x = '{FENCE}'\nprint(x)\n"),
        (f"{FENCE}python\n{PROGRAM}<|im_end|>", PROGRAM),
        (f"{FENCE}python\n{FENCE}python\n{PROGRAM}{FENCE}", PROGRAM),
        (f"{FENCE}python\ndef f(x):\n    return\n\nAgain:\n\n{BLOCK}", PROGRAM),
        (f"{FENCE}markdown\n# Solution\n\n{BLOCK}\nIt is fine.\n{FENCE}\n", PROGRAM),
        (f"{FENCE}`md\nText\n{BLOCK}{FENCE}`\nThat is all: x = 1\n", PROGRAM),
        (f"Here: {BLOCK}", PROGRAM),
        (f"Here it is: {FENCE}python\n{DOCUMENTED}{FENCE}", DOCUMENTED),
        (f"{FENCE}python\nprint(1)\n# Done.{FENCE}\nIt prints.", "print(1)\n# Done."),
        (f"{FENCE}python\nx = 1  # {FENCE} here\nprint(x\n{FENCE}\n", f"x = 1  # {FENCE} here\nprint(x\n"),
        (f"{FENCE}\n{PROGRAM}{FENCE}\nOutput:\n{FENCE}\n6\n{FENCE}", PROGRAM),
        (f"{BLOCK}Output:\n{FENCE}python\n[1, 2]\n{FENCE}", PROGRAM),
        (f"{BLOCK}Then:\n{FENCE}python\n>>> f(1)\n2\n{FENCE}", PROGRAM),
    ],
)
def test_where_a_block_starts_and_ends(text, source):
    assert source_of(text) == source


@pytest.mark.parametrize("item", ["1. So:\n{}", "10. So:\n\n{}", "- So:\n{}"])
@pytest.mark.parametrize("program", [FUNCTION, DOCUMENTED])
def test_a_block_in_a_list_item_can_be_run(item, program):
    indent = " " * item.index("S")
    lines = [indent + line for line in f"{FENCE}python\n{program}{FENCE}\n".splitlines(keepends=True)]
    found = extract_program(item.format("".join(lines)) + "\nEnd.")
    assert found.source == "".join(lines[1:-1])
    assert found.code == program
    assert found.indent == len(indent)


@pytest.mark.parametrize(
    "info",
    [
        *("python3.11", "python:main.py", "{.python}", "ipython", "ipython3", "python2", "Python3.10", "code", "py3"),
        *(
            "pypy3",
            "python_code",
            "{code-cell} ipython3",
            'python title="x"',
            "\u200bpython",
            "python\u200b",
            "python,linenos",
            "{python}",
            "Python 3",
            "main.py",
        ),
    ],
)
def test_info_strings_that_mean_python(info):
    other = f"{FENCE}\nx = 1\n{FENCE}\n"
    assert source_of(f"{FENCE}{info}\n{PROGRAM}{FENCE}\n{other}") == PROGRAM


@pytest.mark.parametrize("info", ["text", "output", "bash", "json", "cpp", "c++", "cython", "pycon"])
def test_info_strings_that_do_not_mean_python(info):
    other = f"{FENCE}{info}\nx = 1\nprint(x)\n{FENCE}\n"
    assert source_of(f"{FENCE}\n{PROGRAM}{FENCE}\n{other}") == PROGRAM
    assert source_of(f"{other}{FENCE}\n{PROGRAM}{FENCE}\n") == PROGRAM


@pytest.mark.parametrize(
    "example",
    [
        "assert f(1) == 1\n",
        "assert f(1) == 1\nassert f(",
        "print(f(",
        "r = [\n    f(1),\n    f(",
        "n = int(input('n: '))\nprint(f(n))\n",
        "def test_f():\n    assert f(1) == 1\n",
        "import unittest\n\nclass Test(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 1)\n",
        "import math\n",
    ],
)
@pytest.mark.parametrize(
    "function", [FUNCTION, "f = lambda n: n\n", "class f:\n    def __init__(self, n):\n        pass\n"]
)
@pytest.mark.parametrize("mark", ["python", ""])
def test_a_block_that_cannot_run_without_an_earlier_one_is_not_the_program(example, function, mark):
    assert source_of(f"{FENCE}{mark}\n{function}{FENCE}\nFor example:\n{FENCE}python\n{example}{FENCE}") == function


@pytest.mark.parametrize(
    "later",
    [
        "class A:\n    pass\n",
        "n = 10\nprint(n * (n - 1) // 2)\n",
        "r = input\nn = int(r())\nprint(n)  # not f(n)\n",
        "solve = lambda n: n\n",
        "def f(n):\n    return n + 1\n\nprint(f(1))\n",
        "class Solution:\n    def f(self, n):\n        return n\n",
        "f = [0]\nprint(f[0])\n",
        "print('x'.f())\n",
        "from m import f\nprint(f(4))\n",
        "'''No f.'''\nprint(int(input()))\n",
        "def g(f):\n    return f(1)\n",
        "print([f for f in range(3)])\n",
        "with open('x') as f:\n    print(f)\n",
        "def f(n)\n    return n\n",
        "def g(f)\n    return f(1)\n",
        "from m import = 1\nfrom m import f\nprint(f(4))\n",
        "f = print\nf(",
        "print(x.f(",
        "def g():\n    global f\n    f = 1\ng()\nprint(f)\n",
        "print(sorted([1], f=1))\n",
    ],
)
def test_a_later_block_that_stands_alone_is_the_program(later):
    assert source_of(f"{FENCE}python\n{FUNCTION}{FENCE}\nBetter:\n{FENCE}python\n{later}{FENCE}") == later


def test_names_of_a_star_import_are_bound():
    gcd = "def gcd(a, b):\n    return 0\n"
    later = "from math import *\nprint(gcd(4, 6))\n"
    assert source_of(f"{FENCE}python\n{gcd}{FENCE}\nBetter:\n{FENCE}python\n{later}{FENCE}") == later


@pytest.mark.parametrize(
    "code",
    [
        "from math import *\nprint(int(input()) * 2)\n",
        '"""Double."""\nprint(1)\n',
        "def f(a,\n      b):\n    return a * b\nprint(f(1, 2))\n",
        "n = 1\nif n < 0: print(0)\nelse: print(n * 2)\n",
        "[print(x) for x in [2]]\n",
        "n: int = 1\nprint(n * 2)\n",
        "@cache\ndef f(n):\n    return n\n",
        "def f(n)\n    return n\nprint(f(2))\n",
        "x = raw_input()\nprint x\n",
    ],
)
@pytest.mark.parametrize(
    "after",
    ["", "\nThis works.", f"\nOutput:\n{FENCE}\n6\n{FENCE}\n", "<|im_end|>", "\n\n## Notes\n\n1. a = 1\n2. b\n"],
)
def test_a_block_opened_in_the_prompt_ends_at_the_fence(code, after):
    assert source_of(f"{code}{FENCE}{after}") == code


@pytest.mark.parametrize(
    "intro",
    [
        *("# Solution", "## Code\n", "### Approach\n\nDouble it.\n\n### Code", "O(1) time and space.", "f(n) = 2 * n"),
        *("return the double:", "y = 2 * n", "dp[i] = dp[i-1] + dp[i-2]", "O(n)", "Time: O(n)", "Answer", "print(n)"),
    ],
)
@pytest.mark.parametrize("after", ["", "\nIt doubles the number.\n", f"\nOutput:\n{FENCE}\n6\n{FENCE}\n"])
def test_text_before_a_block_is_not_code(intro, after):
    assert source_of(f"{intro}\n{FENCE}\n{PROGRAM}{FENCE}{after}") == PROGRAM
    assert source_of(f"{intro}\n{BLOCK}{after}") == PROGRAM


def test_an_example_under_a_heading_is_not_the_program():
    assert source_of(f"# Example\n{FENCE}\n3\n6\n{FENCE}\n# Code\n{BLOCK}") == PROGRAM


def real_solutions(folder):
    solutions = [text for row in load_mbpp(folder / "mbpp" / "mbpp.jsonl", split="train") for text in row["solutions"]]
    return solutions + [text for row in load_apps(folder / "apps") for text in row["solutions"]]


def test_real_solutions_are_found_in_every_layout(shared_data):
    solutions = random.Random(0).sample(real_solutions(shared_data), 150)
    for solution in solutions:
        fenced = f"{FENCE}python\n{solution}\n{FENCE}"
        continued = f"{solution}\n{FENCE}"
        for text in (
            solution,
            fenced,
            f"It is O(n):\n\n{fenced}\n\nNote `x`.",
            continued,
            f"{continued}\nThis works.",
        ):
            assert source_of(text).rstrip("\n") == solution.rstrip("\n"), json.dumps(text)
        assert source_of(f"<think>\n{FENCE}python\nx = (\n</think>\n{solution}").strip() == solution.strip()


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(COMPLETION_PIECES), st.text(max_size=5)), max_size=40).map("".join))
def test_the_program_is_always_a_slice_of_the_completion(completion):
    assert source_of(completion) == source_of(completion)


DOUBLE = "n = int(input())\nprint(n * 2)\n"
TOTAL = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n    return result\n"


@pytest.mark.parametrize(
    ("program", "later"),
    [
        (TOTAL, "The signature is:\n```python\ndef total(values): ...\n```\n"),
        (TOTAL, 'The signature is:\n```python\ndef total(values):\n    """Add them up."""\n```\n'),
        (TOTAL, "The loop adds each value:\n```python\nfor value in values:\n    result += value\n```\nand returns."),
        (DOUBLE, "First we read:\n```python\nn = int(input())\n```\nthen print:\n```python\nprint(n*2)\n```\n"),
        (DOUBLE, "Shorter:\n```python\nn = int(inp"),
    ],
)
def test_a_block_that_explains_the_program_is_not_the_program(program, later):
    assert extract_program(f"Here it is:\n```python\n{program}```\n{later}").code == program


def test_a_later_version_that_only_shares_lines_is_the_program():
    better = TOTAL.replace("result = 0", "result = sum(values[:0])")
    text = f"```python\n{TOTAL}```\nBetter:\n```python\n{better}```\n"
    assert extract_program(text).code == better
    assert extract_program(f"```python\n{TOTAL}```\nAgain:\n```python\n{TOTAL}```\n").start > len(TOTAL)
