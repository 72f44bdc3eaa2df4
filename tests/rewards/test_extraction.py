"""Which part of a completion is the program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.rewards import extract_program


@pytest.mark.parametrize(
    ("completion", "source"),
    [
        ("x = 1\n", "x = 1\n"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("Here it is:\n```py\nx = 1\n```\nDone.", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("~~~python\nx = 1\n~~~", "x = 1\n"),
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
    program = extract_program(completion)
    assert program.source == source
    assert completion[program.start : program.start + len(source)] == source


FUNCTION = "def f(n):\n    return n\n"


@pytest.mark.parametrize(
    "example",
    [
        "assert f(1) == 1\n",
        "n = int(input('n: '))\nprint(f(n))\n",
        "def test_f():\n    assert f(1) == 1\n",
        "import unittest\n\nclass Test(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 1)\n",
    ],
)
@pytest.mark.parametrize("mark", ["python", ""])
def test_a_block_that_cannot_run_without_an_earlier_one_is_no_program(example, mark):
    assert extract_program(f"```{mark}\n{FUNCTION}```\nFor example:\n```python\n{example}```").source == FUNCTION


@pytest.mark.parametrize(
    "later",
    [
        "class A:\n    pass\n",
        "n = 10\nprint(n * (n - 1) // 2)\n",
        "r = input\nn = int(r())\nprint(n)  # not f(n)\n",
        "solve = lambda n: n\n",
        "def f(n):\n    return n + 1\n\nprint(f(1))\n",
    ],
)
def test_a_later_block_that_stands_alone_is_the_program(later):
    assert extract_program(f"```python\n{FUNCTION}```\nBetter:\n```python\n{later}```").source == later


def test_an_example_in_a_list_is_no_program():
    text = (
        "1. So:\n   ```python\n   def f(n):\n       return n\n   ```\n2. Use:\n   ```python\n   print(f(3))\n   ```\n"
    )
    assert extract_program(text).source.lstrip().startswith("def f(n)")


@given(st.text(alphabet="`~pyx =1\n\r", max_size=60))
def test_the_program_is_always_a_slice_of_the_completion(completion):
    program = extract_program(completion)
    assert completion[program.start : program.start + len(program.source)] == program.source
