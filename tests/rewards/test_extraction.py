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
        ("```python\ndef f():\n    pass\n```\nUse it:\n```python\nassert f() is None\n```", "def f():\n    pass\n"),
        ("```python\ndef f():\n    pass\n```\nOr:\n```python\nprint(input())\n```", "print(input())\n"),
        ("```python\ndef f():\n    pass\n```\nBetter:\n```python\nclass A:\n    pass\n```", "class A:\n    pass\n"),
    ],
)
def test_the_program_of_a_completion(completion, source):
    program = extract_program(completion)
    assert program.source == source
    assert completion[program.start : program.start + len(source)] == source


@given(st.text(alphabet="`~pyx =1\n\r", max_size=60))
def test_the_program_is_always_a_slice_of_the_completion(completion):
    program = extract_program(completion)
    assert completion[program.start : program.start + len(program.source)] == program.source
