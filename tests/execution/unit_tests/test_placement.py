"""The text of tests alone decides whether they run apart from the program or in its process."""

import ast

import pytest

from trl_rltf.execution import Program, parse_tests
from trl_rltf.execution.unit_tests.placement import assumed_imports, built_in_functions, fits_a_referee
from trl_rltf.execution.unit_tests.script_names import names_of_program


APART = [
    "a = [1, 2]\nassert f(a, len(a)) == 3",
    "assert f([0] * 3, [-1] * 2) == 0 and f(1) + 1 == 2",
    "for i in range(3):\n    assert f(i) == i",
    "METADATA = {'a': 1}\ndef check(candidate):\n    assert candidate(1) == 2\n    assert abs(candidate(2) - 3) < 1e-6\ncheck(f)",
    "def check(candidate):\n    for n, value in enumerate(map(candidate, range(1, 4)), start=1):\n        assert value == 918 * n\n    assert value == 2\ncheck(f)",
    "assert f(2) % 3 == 1",
    "assert round(f(2) - 3.5, 3) == 0.5",
    "assert f(2)[0] == 2 and f(2)[-1] == 4",
    "try:\n    f(-1)\nexcept ValueError as error:\n    assert 'negative' in str(error)\nelse:\n    assert False",
    "try:\n    f(-1)\n    assert False\nexcept ValueError:\n    pass",
    "import numpy as np\nassert np.allclose(f(), [1.0, 2.0])",
    "import numpy as np\ndef is_floats(x) -> bool:\n    if isinstance(x, float):\n        return True\n    if isinstance(x, (list, tuple)):\n        return all(isinstance(i, float) for i in x)\n    if isinstance(x, np.ndarray):\n        return x.dtype == np.float64 or x.dtype == np.float32\n    return False\n\ndef assertion(out, exp, atol):\n    if atol == 0 and is_floats(exp):\n        atol = 1e-6\n    if out != exp and atol != 0:\n        assert type(out) == type(exp)\n        assert np.allclose(out, exp, rtol=1e-07, atol=atol)\n    else:\n        assert out == exp, f'out: {out}, exp: {exp}'\ninputs = [[1], [2]]\nresults = [1, 2]\nfor i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion(f(*inp), exp, 0)",
    "assert all(a == b for a, b in zip(f(1), [1, 2]))",
    "x = [1]\nassert f(x) == [1]\nassert x == [1]",
    "from collections import Counter\nassert Counter(f('a')) == Counter('aab')",
    "out = [f(x) for x in [1, 2]]\nassert out == [3, 4]",
    "assert sorted(f(3), key=lambda p: p[0]) == [1]",
    "import random\nfor _ in range(9):\n    x = random.randint(0, 9)\n    assert f(x) == x + 1",
    "assert isinstance(f(3), list) and len(f(3)) == 3",
    "assert f(1) == 1",
    "result = f(3)\nassert type(result) is int",
    "assert f(1)\nassert not f(2)",
    "assert ' '.join(f(3)) == 'a b'",
]

INSIDE = [
    "x = []\nassert f(x, x) == 1",
    "m = [[0]] * 2\nassert f(m) == [[1], [1]]",
    "assert close(f(1), 7.5)",
    "assert decode(encode('abc')) == 'abc'",
    "s = Stack()\ns.push(1)\nassert s.top() == 1",
    "assert f(1) == g(1)",
    "x = [1]\nassert f(x) is x",
    "import random\nrandom.seed(0)\nassert f([1]) == [3]",
    "import sys\nsys.setrecursionlimit(10)\nassert f(1) == 1",
    "def g():\n    return 9\nassert f() == 9",
    "MODE = 'x'\nassert f() == 'x'",
    "with A() as x:\n    assert x == 5",
    "assert next(f(3)) == 1",
    "assert callable(f(3))",
    "g = f(3)\nassert hasattr(g, '__len__')",
    "from collections.abc import Iterator\nassert isinstance(f(3), Iterator)",
    "try:\n    draw(5)\n    assert False\nexcept NoFunds:\n    pass",
    "add(2)\nassert count == 2",
    "assert f(1).x == 3",
    "r = f(1)\nr.append(2)\nassert f(1) == [2]",
    "data = [3, 1]\nf(data)\nassert data == [1, 3]",
    "assert close((f(1), 7.5))",
    "assert f(lambda x: x) == 1",
    "assert f(max, 3) == 1",
    "check(pow)",
    "def check(c):\n    assert c(2, 3) == 8\ncheck(pow)",
    "import math\npi, math.pi = math.pi, 3\nassert f() == 3",
    "class E:\n    pass\nassert f(E()) == 1",
    "assert f'{A():x}' == 'xx'",
    "assert [1, 2, 3][A()] == 4",
    "res = []\nres.append(f(1))\nassert g(res) == 1",
    "x = 1\nx = f(x)\nx = f(x)\nassert x == 2",
    "is_prime = is_prime(3)\nassert is_prime == 1",
    "import os\nos.environ['A'] = '1'\nassert f() == '1'",
    "assert isinstance(f(1), V)",
    "from math import *\nassert f(1) == gcd(2, 4)",
    "assert max([1, 3]) == 3",
    "assert f(1).sort() is None",
    "global count\nassert f(1) == 1",
    "assert f(iter([1])) == 1",
    "assert f(map(int, '12')) == 1",
    "assert f(x for x in [1]) == 1",
    "for s in ['ab']:\n    e = encode(s)\n    assert decode(e) == s",
    "import contextlib\nwith contextlib.suppress(ValueError):\n    f(1)",
    "assert check(f)",
]


@pytest.mark.parametrize("text", APART)
def test_tests_of_functions_with_plain_data_run_apart_from_the_program(text):
    assert fits_a_referee(ast.parse(text).body)


@pytest.mark.parametrize("text", INSIDE)
def test_all_other_tests_run_in_the_process_of_the_program(text):
    assert not fits_a_referee(ast.parse(text).body)


def test_all_asserts_run_in_the_process_of_the_program_if_one_of_them_must():
    asserts = ["x = f(1)\nassert x == 2", "assert f(1) is x"]
    assert parse_tests({"asserts": asserts}).mode == "inside"
    assert parse_tests({"asserts": asserts[:1]}).mode == "referee"
    assert parse_tests({"asserts": ["assert f(1) == 2"]}).mode == "expression"


@pytest.mark.parametrize(
    "program",
    [
        "def f(x):\n    return x",
        "class f:\n    pass",
        "",
        "def f(x:",
        "import sys\nsys.modules.clear()\ndef f(x):\n    return object()",
    ],
)
def test_no_program_changes_where_its_tests_run(runner, program):
    apart, inside = {"asserts": ["assert f(2) + 0 == 2"]}, {"asserts": ["assert f(2) + g(1) == f(3)"]}
    reports = runner.run([Program(program, apart), Program(program + "\ndef g(x):\n    return x", inside)])
    assert [report.self_graded_tests for report in reports] in ([(), (0,)], [(), ()])
    if program.startswith("def f(x):\n"):
        assert reports[1].self_graded_tests == (0,)


def test_names_that_tests_use_and_do_not_bind_belong_to_the_program():
    script = ast.parse(
        "import math\ndef check(c):\n    y = [k for k in c(g)]\n    assert max(y) == LIMIT\ncheck(f)"
    ).body
    assert set(names_of_program(script)) == {"f", "LIMIT", "g"}
    assert built_in_functions(script) == ["max"]


def test_a_referee_imports_the_modules_that_the_tests_expect_from_the_program():
    script = ast.parse("assert np.allclose(f(1), 2.0) and math.isnan(f(2)) and root.left == 3").body
    assert [ast.unparse(node) for node in assumed_imports(script)] == ["import numpy as np", "import math"]
    assert assumed_imports(ast.parse("math = f(1)\nassert math.x == 1").body) == []
