"""Asserts that cannot be split: decided in a process that the program is not in, with Python's own meaning."""

import pytest

from trl_rltf.execution import LocalRunner, Outcome, Program, Verdict


CHECK = (
    "def check(candidate):\n    for n in range(3):\n        print(918 * n, flush=True)\n"
    "    for n, value in enumerate(map(candidate, range(1, 4)), start=1):\n        assert value == 918 * n\n    assert value == 2754\n"
)
TESTS = {"asserts": ["check(f)"], "setup": CHECK}

# What a HumanEval or MBPP problem may hold: tests, a right program, a wrong one.
FORMS = {
    "a body of several asserts": (
        {
            "asserts": [
                "METADATA = {}\ndef check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 3\ncheck(f)"
            ]
        },
        "def f(x):\n    return x + 1",
        "def f(x):\n    return 2",
    ),
    "a loop": (TESTS, "def f(n):\n    return 918 * n", "def f(n):\n    return 0"),
    "two calls of the program": (
        {"asserts": ["assert decode(encode('abc')) == 'abc'", "assert encode('abc') != decode('abc')"]},
        "def encode(s):\n    return s[::-1]\ndef decode(s):\n    return s[::-1] if s[0] == 'c' else '?'",
        "def encode(s):\n    return s\ndef decode(s):\n    return s",
    ),
    "a helper of the program": (
        {"asserts": ["assert math.fabs(poly(f(3), 3)) < 1e-4"]},
        "import math\ndef poly(c, x):\n    return c + x\ndef f(x):\n    return -x",
        "import math\ndef poly(c, x):\n    return c + x\ndef f(x):\n    return x",
    ),
    "arithmetic on the answer": (
        {"asserts": ["assert f(2) % 3 == 1", "assert round(f(2) - 3.5, 3) == 0.5"]},
        "def f(x):\n    return 4",
        "def f(x):\n    return 5.2",
    ),
    "an index of the answer": (
        {"asserts": ["assert f(2)[0] == 2 and f(2)[-1] == 4"]},
        "def f(x):\n    return [2, 3, 4]",
        "def f(x):\n    return [3, 2]",
    ),
    "an exception that is expected": (
        {
            "asserts": [
                "try:\n    f(-1)\nexcept ValueError as error:\n    assert 'negative' in str(error)\nelse:\n    assert False"
            ]
        },
        "def f(x):\n    raise ValueError('negative')",
        "def f(x):\n    raise KeyError('negative')",
    ),
    "an argument that is changed in place": (
        {"asserts": ["data = [3, 1, 2]\nf(data)\nassert data == [1, 2, 3]"]},
        "def f(data):\n    data.sort()",
        "def f(data):\n    return sorted(data)",
    ),
    "an object of a class of the program": (
        {"asserts": ["stack = Stack()\nstack.push(3)\nassert stack.pop() == 3\nassert len(stack) == 0"]},
        "class Stack(list):\n    push = list.append",
        "class Stack:\n    def push(self, x):\n        pass\n    def pop(self):\n        return 4\n    def __len__(self):\n        return 0",
    ),
    "a tree": (
        {"asserts": ["root = Node(1)\nroot.left = Node(2)\nassert depth(root) == 2\nassert root.left.value == 2"]},
        "class Node:\n    def __init__(self, value):\n        self.value, self.left = value, None\n"
        "def depth(n):\n    return 1 + depth(n.left) if n else 0",
        "class Node:\n    def __init__(self, value):\n        self.value, self.left = value, None\n"
        "def depth(n):\n    return 1",
    ),
    "a generator": (
        {"asserts": ["assert list(f(3)) == [0, 1, 2]", "assert [x + 1 for x in f(2)] == [1, 2]"]},
        "def f(n):\n    yield from range(n)",
        "def f(n):\n    yield 7",
    ),
    "dates": (
        {"asserts": ["assert f() == datetime.date(2020, 1, 2)"]},
        "import datetime\ndef f():\n    return datetime.date(2020, 1, 2)",
        "import datetime\ndef f():\n    return datetime.date(2020, 1, 3)",
    ),
    "a module of the program": (
        {"asserts": ["assert np.allclose(f(), [1.0, 2.0])"]},
        "import numpy as np\ndef f():\n    return np.array([1.0, 2.0])",
        "import numpy as np\ndef f():\n    return np.array([1.0, 2.5])",
    ),
}


IN_THE_PROCESS_OF_THE_PROGRAM = {
    "two calls of the program",
    "a helper of the program",
    "an argument that is changed in place",
    "an object of a class of the program",
    "a tree",
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_real_tests_tell_right_from_wrong_without_the_program(runner, name):
    tests, right, wrong = FORMS[name]
    good, bad = runner.run([Program(right, tests), Program(wrong, tests)])
    assert good.outcome is Outcome.PASS, good
    assert bad.num_passed < bad.num_tests, bad
    # Where the program has a say in the verdict, that is reported.
    guarded = tuple(range(good.num_tests)) if name in IN_THE_PROCESS_OF_THE_PROGRAM else ()
    assert good.self_graded_tests == bad.self_graded_tests == guarded


CHEATS = {
    "looks for the expected value in all of its memory": (
        "import gc, re\ndef f(n):\n    for item in gc.get_objects():\n        found = re.search(r'== ([0-9]{3}) ', str(item)[:5000])\n"
        "        if found:\n            return int(found[1]) * n\n    return 7"
    ),
    "reads the test from the frames above": (
        "import re, sys\ndef f(n):\n    frame = sys._getframe()\n    while frame:\n"
        "        found = re.search(r'== ([0-9]{3}) ', str(frame.f_locals) + str(frame.f_globals))\n"
        "        if found:\n            return int(found[1]) * n\n        frame = frame.f_back\n    return 7"
    ),
    "equal to everything": (
        "class Same:\n    def __eq__(self, other):\n        return True\n    __ne__ = __eq__\ndef f(n):\n    return Same()"
    ),
    "an integer equal to everything": (
        "class Same(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__\ndef f(n):\n    return Same(7)"
    ),
    "replaces the check": "def check(candidate):\n    pass\ndef f(n):\n    return 7",
    "replaces the built-ins": "import builtins\nbuiltins.range = lambda *a: []\ndef f(n):\n    return 7",
    "leaves": "import os\ndef f(n):\n    os._exit(0)",
    "leaves while loading": "import sys\nsys.exit(0)",
    "raises what the test would raise": "def f(n):\n    raise AssertionError",
    "swallows its own recursion": "def f(n):\n    try:\n        return f(n)\n    except RecursionError:\n        return 7",
    "claims to be a function of another module": "def f(n):\n    return 7\nf.__module__, f.__qualname__ = 'operator', 'truth'",
    "claims to be the way out": "def f(n):\n    return 7\nf.__module__, f.__qualname__ = 'os', '_exit'",
    "claims to be eval": "def f(n):\n    return 7\nf.__module__, f.__qualname__ = 'builtins', 'eval'",
    "writes a verdict to every descriptor": (
        "import os\nfor fd in range(3, 100):\n    try:\n        os.write(fd, b'[true, false]' * 20)\n    except OSError:\n        pass\n"
        "def f(n):\n    return 7"
    ),
    "answers for the program before it is asked": (
        "import json, os, struct\nfor message in ({'compiled': True, 'error': None, 'site': None}, {'names': {'f': {'value': 918}}},\n"
        "                {'value': 0}, {'value': 918}, {'value': 1836}):\n    data = json.dumps(message).encode()\n"
        "    os.write(5, struct.pack('!I', len(data)) + data)\ndef f(n):\n    return 7"
    ),
    "gives names that nobody asked for": (
        "import sys\nremote = sys.modules['trl_rltf.execution.worker.referee.server']\nanswer = remote._LoadedModule.answer\n"
        "def lie(self, request):\n    reply = answer(self, request)\n    if request['do'] == 'look up':\n"
        "        reply['names']['range'] = self._keep(lambda *a: [])\n    return reply\n"
        "remote._LoadedModule.answer = lie\ndef f(n):\n    return 7"
    ),
    "reads what the test prints": (
        "import os\ndef f(n):\n    seen = os.pread(1, 4000, 0).split()\n    return int(seen[-1]) if seen else 7"
    ),
    "raises StopIteration": "def f(n):\n    raise StopIteration",
    "sends nonsense": "import os\nos.write(5, b'\\0\\0\\0\\5[[[[[')\ndef f(n):\n    return 7",
    "sends lists without end": (
        "import os, struct\ndata = b'[' * 100000\nos.write(5, struct.pack('!I', len(data)) + data[:50000])\ndef f(n):\n    return 7"
    ),
    "kills the referee": "import os\nfor pid in range(2, 40):\n    if pid != os.getpid():\n        try:\n            os.kill(pid, 9)\n"
    "        except OSError:\n            pass\ndef f(n):\n    return 7",
    "reads the referee's memory": (
        "import os\nfound = 0\nfor pid in os.listdir('/proc'):\n    if pid.isdigit() and int(pid) != os.getpid():\n"
        "        found += b'918' in open(f'/proc/{pid}/mem', 'rb').read(1)\ndef f(n):\n    return 918 * n if found else 7"
    ),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_does_not_pass_a_referee(runner, name):
    if name.startswith("kills") and runner.sandbox.name == "process":
        pytest.skip("without isolation these could be processes of others")
    bad, good = runner.run([Program(CHEATS[name], TESTS), Program("def f(n):\n    return 918 * n", TESTS)])
    assert bad.num_passed == 0, bad
    assert bad.outcome in (Outcome.FAILURE, Outcome.RUNTIME_ERROR)
    assert good.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("test", "setup"),
    [
        ("for x, y in [(1, 7.5)]:\n    assert close(f(x), y)", ""),
        ("assert close(f(1), 7.5)", ""),
        ("assert close(r, 4.25)", "r = f(2)"),
        ("close(f(1), 7)", ""),
    ],
)
def test_a_helper_of_the_program_that_compares_is_reported(runner, test, setup):
    source = "def close(a, b):\n    return True\ndef f(x):\n    return -1"
    report = runner.run([Program(source, {"asserts": [test], "setup": setup})])[0]
    assert report.self_graded_tests == (0,)


def test_a_program_cannot_choose_to_be_its_own_judge(runner):
    source = (
        "import sys\nremote = sys.modules['trl_rltf.execution.worker.referee.server']\nremote.encode = lambda value: {'opaque': 'x'}\n"
        "remote.is_plain = lambda data: True\ndef enc(s):\n    return '?'"
    )
    test = "for s in ['ab', 'cd']:\n    assert enc(s) == s[::-1]"
    report = runner.run([Program(source, {"asserts": [test]})])[0]
    assert (report.num_passed, report.self_graded_tests) == (0, ())


@pytest.mark.parametrize(
    ("program", "test", "setup"),
    [
        (
            "class A(float):\n    def __sub__(s, o):\n        return 0.0\n",
            "assert fabs(f(2) - 4.25) < 1e-6",
            "from math import fabs",
        ),
        (
            "import numpy as np\nnp.allclose = lambda *a: True\n",
            "assert np.allclose(f(2), [1.0])",
            "import numpy as np",
        ),
        (
            "class math:\n    fabs = staticmethod(lambda *a: 0)\n",
            "for x in [7.5]:\n    assert math.fabs(f(1) - x) < 1e-6",
            "",
        ),
        ("", "assert close(f(2), 4.25)", "def close(a, b):\n    return abs(a - b) < 1e-6"),
        ("import sys\n", "assert f(3) == EXPECTED[3]", "EXPECTED = {3: 55}"),
        (
            "def zip(*a):\n    return []\ndef sum(a):\n    return -1\n",
            "for a, b in zip([[1, 2]], [3]):\n    assert f(a) + 0 == sum([b])",
            "",
        ),
        (
            "import math\nclass A:\n    def __init__(s, x):\n        s.__array_interface__ = {'data': (id(math.pi) + 16, False),\n"
            "            'shape': (1,), 'typestr': '<f8', 'version': 3}\n",
            "for x, y in [(1, 3.141592653589793)]:\n    assert np.allclose(f(x), y)",
            "import numpy as np",
        ),
    ],
)
def test_what_compares_is_never_the_program_s(runner, program, test, setup):
    cheat = program + "def f(x):\n    try:\n        return A(0)\n    except NameError:\n        return -1"
    report = runner.run([Program(cheat, {"asserts": [test], "setup": setup})])[0]
    assert report.num_passed == 0, report


CLASS = (
    "class V:\n    def __init__(s, x):\n        s.x = x\n    def __add__(s, o):\n        return V(s.x + o.x)\n"
    "    def __eq__(s, o):\n        return s.x == o.x\n    def __lt__(s, o):\n        return s.x < o.x\n"
    "    def __hash__(s):\n        return s.x\n    def __contains__(s, x):\n        return x == s.x\n"
    "class Own(Exception):\n    pass\ndef bad():\n    raise Own('no')\ndef count():\n    n = 0\n    while True:\n        yield n\n        n += 1\n"
    "def show():\n    print('hi')\n"
)


@pytest.mark.parametrize(
    "test",
    [
        "assert V(1) + V(2) == V(3)",
        "assert V(1) < V(2)",
        "assert 2 in V(2)",
        "assert isinstance(V(1), V)",
        "assert len({V(1), V(1)}) == 1",
        "try:\n    bad()\nexcept Own as error:\n    assert str(error) == 'no'\nelse:\n    assert False",
        "assert [n for n, _ in zip(count(), range(3))] == [0, 1, 2]",
        "import io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n    show()\nassert out.getvalue() == 'hi\\n'",
    ],
)
def test_classes_exceptions_and_streams_of_a_program_mean_what_python_says(runner, test):
    assert runner.run([Program(CLASS, {"asserts": [test]})])[0].outcome is Outcome.PASS


def test_an_error_of_the_program_keeps_its_place(runner):
    report = runner.run([Program("def f(n):\n    y = 1\n    return y / (n - 1)", TESTS)])[0]
    assert (report.error_type, report.span.line) == ("ZeroDivisionError", 3)


def test_a_syntax_error_and_a_missing_function_are_named(runner):
    broken, empty = runner.run([Program("def f(n:\n    pass", TESTS), Program("", TESTS)])
    assert (broken.outcome, broken.span.line) == (Outcome.SYNTAX_ERROR, 1)
    assert (empty.outcome, empty.error_type) == (Outcome.RUNTIME_ERROR, "NameError")


def test_a_program_that_loops_and_a_test_that_loops_run_out_of_time(runner):
    looping = runner.run([Program("def f(n):\n    while True:\n        pass", TESTS)])[0]
    assert looping.verdicts == (Verdict.TIMEOUT,)
    patient = {"asserts": ["while f(1):\n    pass\nassert f(0) == 0"]}
    assert runner.run([Program("def f(n):\n    return n", patient)])[0].verdicts == (Verdict.TIMEOUT,)


def test_an_equality_that_only_the_program_can_decide_is_reported(runner):
    source = "class P:\n    def __init__(self, x):\n        self.x = x\n    def __eq__(self, other):\n        return self.x == other.x\n"
    report = runner.run([Program(source + "def f(x):\n    return P(x)", {"asserts": ["assert f(1) == f(1)"]})])[0]
    assert report.outcome is Outcome.PASS
    assert report.self_graded_tests == (0,)


STACK = "class Stack:\n    def __init__(self):\n        self.items = []\n    def push(self, x):\n        self.items.append(x)\n"
STACK += "    def top(self):\n        return self.items[-1]\n    def __len__(self):\n        return len(self.items)"
COUNTER = "count, seen = 0, []\ndef add(n):\n    global count\n    count += n\n    seen.append(n)\n    return count"
# Tests that are right only if state goes on from one statement, or one assert, to the next; a right program, a wrong one.
STATEFUL = {
    "an object of the setup": (
        {
            "setup": "s = Stack()",
            "asserts": ["s.push(1)\nassert s.top() == 1", "s.push(2)\nassert s.top() == len(s) == 2"],
        },
        STACK,
        STACK.replace("self.items.append(x)", "self.items = [x]"),
    ),
    "a variable of an earlier assert": (
        {
            "asserts": [
                "data = [3, 1]\nf(data)\nassert data == [1, 3]",
                "assert f(data) is None",
                "assert data[0] == 1",
            ]
        },
        "def f(data):\n    data.sort()",
        "def f(data):\n    data.sort(reverse=True)",
    ),
    "state inside the program": (
        {"asserts": ["assert add(2) == 2", "assert add(3) == 5", "assert add(1) - 1 == 5"]},
        COUNTER,
        "def add(n):\n    return n",
    ),
    "variables of the program": (
        {"asserts": ["add(2)\nassert count == 2 and seen == [2]", "add(3)\nassert count == sum(seen) == 5"]},
        COUNTER,
        COUNTER.replace("global count", "count = 0"),
    ),
    "a change inside a nested argument": (
        {"asserts": ["row = [1]\ngrid = [row, [2]]\nf(grid)\nassert row == [1, 0] and grid == [[1, 0], [2, 0]]"]},
        "def f(grid):\n    for row in grid:\n        row.append(0)",
        "def f(grid):\n    grid[:] = [[0], [0]]",
    ),
    "the class that an object is derived from": (
        {"setup": "b = Bag([1])", "asserts": ["assert isinstance(b, list) and b.size() == 1"]},
        "class Bag(list):\n    def size(self):\n        return len(self)",
        "class Bag:\n    def __init__(self, x):\n        pass\n    def size(self):\n        return 1",
    ),
    "whether two objects are one": (
        {"setup": "x = [1]", "asserts": ["assert f(x) is x", "x.append(2)\nassert f(x) == [1, 2]"]},
        "def f(x):\n    return x",
        "def f(x):\n    return list(x)",
    ),
    "a test that is decided inside, after one that is not": (
        {"asserts": ["x = [1]\nassert f(x) == [1]", "assert f(x) is x"]},
        "def f(x):\n    return x",
        "def f(x):\n    return list(x)",
    ),
    "an end that comes early": (
        {"asserts": ["x = []\nassert f(x) == 0", "x.append(1)\nassert f(x) == 1"]},
        "def f(x):\n    return len(x)",
        "import os\ndef f(x):\n    return len(x) if x else os._exit(0)",
    ),
}


STATEFUL_APART = {"state inside the program", "an end that comes early"}


@pytest.mark.parametrize("name", STATEFUL)
def test_state_goes_on_from_one_assert_to_the_next(runner, name):
    tests, right, wrong = STATEFUL[name]
    reports = runner.run([Program(right, tests), Program(wrong, tests)])
    assert [report.outcome is Outcome.PASS for report in reports] == [True, False], reports
    assert bool(reports[0].self_graded_tests) == (name not in STATEFUL_APART)


def test_a_program_that_leaves_in_the_middle_is_no_timeout(runner):
    tests = {"asserts": ["x = 1\nassert f(x) == 1", "x += 1\nassert f(x) == 2", "x += 1\nassert x == 1"]}
    (report,) = runner.run([Program("def f(x):\n    return x if x == 1 else exit(3)", tests)])
    assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "SystemExit")
    assert report.verdicts[:2] == (Verdict.PASSED, Verdict.ERROR)


def test_tests_that_share_state_all_run_even_if_the_first_fails():
    tests = {"setup": "s = Stack()", "asserts": ["s.push(1)\nassert s.top() == 2", "s.push(2)\nassert len(s) == 2"]}
    with LocalRunner(num_workers=1, stop_on_first_failure=True, allow_code_eval=True) as runner:
        (report,) = runner.run([Program(STACK, tests)])
    assert report.verdicts == (Verdict.FAILED, Verdict.PASSED)


def test_built_in_names_in_a_referee_are_never_the_program_s(runner):
    tests = {
        "setup": "def close(a, b):\n    return sum([abs(a - b)]) < 1",
        "asserts": ["assert f(3) + 0 == sum([0, 1])", "assert close(f(1), 918)"],
    }
    (report,) = runner.run([Program("def sum(values):\n    return 0\ndef f(x):\n    return 1", tests)])
    assert report.verdicts == (Verdict.PASSED, Verdict.FAILED)
    assert report.self_graded_tests == ()


def test_a_program_that_has_to_define_a_built_in_name_is_not_helped_out(runner):
    tests = {"asserts": ["assert sum(10, 15) == 6", "assert sum(100, 150) == 93"]}
    right = "def sum(a, b):\n    return 1 + 5 if a == 10 else 93"
    (own,) = runner.run([Program(right, tests)])
    assert own.outcome is Outcome.PASS
    asserts = (
        "assert sum([10, 15]) == 25",
        "assert hash(5) == 5",
        "assert eval('2 * 3') == 6",
        "assert not callable(5)",
    )
    for none in runner.run([Program("", {"asserts": [text]}) for text in asserts]):
        assert (none.outcome, none.error_type) == (Outcome.RUNTIME_ERROR, "NameError")


ERRORS = "class Bank(Exception):\n    pass\nclass NoFunds(Bank, ValueError):\n    def __init__(self, left):\n        super().__init__(left)\n        self.left = left\n"
ERRORS += "def draw(n):\n    if n > 3:\n        raise NoFunds(3)\n    return n"
# Tests as they are written for classes and helpers, with a right program and a wrong one; whether they are guarded.
WRITTEN_FOR_CLASSES = {
    "an exception is caught by its base and looked at": (
        ERRORS,
        ERRORS.replace("NoFunds(3)", "KeyError(3)"),
        {
            "asserts": [
                "try:\n    draw(5)\n    assert False\nexcept ValueError as error:\n    assert error.left == 3 and error.args == (3,)",
                "try:\n    draw(5)\n    assert False\nexcept Bank as error:\n    assert str(error) == '3'",
            ]
        },
        True,
    ),
    "the test changes a container of an object": (
        "class Node:\n    def __init__(self, v):\n        self.v, self.children = v, []\n    def total(self):\n        return self.v + sum(self.children)",
        "class Node:\n    def __init__(self, v):\n        self.v, self.children = v, []\n    def total(self):\n        return self.v",
        {"setup": "n = Node(1)", "asserts": ["n.children.append(4)\nassert n.total() == 5"]},
        True,
    ),
    "objects in a list": (
        "class P:\n    def __init__(self, v):\n        self.v = v\ndef total(ps):\n    return sum(p.v for p in ps)",
        "class P:\n    def __init__(self, v):\n        self.v = v\ndef total(ps):\n    return len(ps)",
        {"asserts": ["ps = [P(2), P(5)]\nassert total(ps) == 7"]},
        True,
    ),
    "a built-in exception that is caught and read": (
        "def f(x):\n    raise ValueError('no', x)",
        "def f(x):\n    raise ValueError('no')",
        {"asserts": ["try:\n    f(3)\n    assert False\nexcept ValueError as e:\n    assert str(e) == \"('no', 3)\""]},
        False,
    ),
    "an exception of the program that is caught by its built-in base": (
        ERRORS,
        ERRORS.replace("NoFunds(3)", "KeyError(3)"),
        {"asserts": ["try:\n    draw(5)\n    assert False\nexcept ValueError as e:\n    assert str(e) == '3'"]},
        False,
    ),
    "an iterator without end": (
        "def count(n):\n    while True:\n        yield n\n        n += 1",
        "def count(n):\n    while True:\n        yield n\n        n += 2",
        {"asserts": ["assert [n for n, _ in zip(count(4), range(3))] == [4, 5, 6]"]},
        False,
    ),
    "an argument that a function of the program changes in place": (
        "def f(grid):\n    for row in grid:\n        row.append(0)\n    return len(grid)",
        "def f(grid):\n    return len(grid)",
        {"asserts": ["grid = [[1], [2]]\nn = f(grid)\nassert grid == [[1, 0], [2, 0]] and n == 2"]},
        False,
    ),
    "two names for one list": (
        "def f(grid):\n    for row in grid:\n        row.append(0)\n    return len(grid)",
        "def f(grid):\n    grid[:] = [row + [0] for row in grid]\n    return len(grid)",
        {
            "asserts": [
                "row = [1]\ngrid = [row, [2]]\nn = f(grid)\nassert row == [1, 0] and grid == [[1, 0], [2, 0]] and n == 2"
            ]
        },
        True,
    ),
    "after a test that is decided inside": (
        "def f(x):\n    return x\ndef g(x):\n    return x + 1",
        "def f(x):\n    return x\ndef g(x):\n    return x",
        {"asserts": ["x = [3]\ny = f(x)\nassert y is x\nz = 4", "assert g(z) == 5", "assert g(z) + 0 == 5"]},
        True,
    ),
    "a thread of the test": (
        "def f(x):\n    return 2 * x",
        "def f(x):\n    return x",
        {
            "asserts": [
                "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(8) as pool:\n"
                "    assert list(pool.map(f, range(40))) == [2 * i for i in range(40)]"
            ]
        },
        True,
    ),
    "a stream that the program replaced": (
        "import sys\nclass Out:\n    def write(self, text):\n        pass\nsys.stdout = Out()\ndef f(x):\n    print(x)\n    return x",
        "def f(x):\n    return 0",
        {"asserts": ["assert f(2) + 0 == 2", "assert f(3) + 0 == 3"]},
        False,
    ),
}


@pytest.mark.parametrize("name", WRITTEN_FOR_CLASSES)
def test_tests_of_classes_and_helpers_mean_what_python_says(runner, name):
    right, wrong, tests, is_self_graded = WRITTEN_FOR_CLASSES[name]
    good, bad = runner.run([Program(right, tests), Program(wrong, tests)])
    assert good.outcome is Outcome.PASS, good
    assert bad.outcome is not Outcome.PASS, bad
    assert bool(good.self_graded_tests) == is_self_graded


# A wrong program, and tests that it must not pass without being reported.
UNREPORTED = {
    "a built-in name that a helper gets": (
        "def pow(a, b):\n    return -1",
        {"setup": "def check(candidate):\n    assert candidate(2, 3) == 8", "asserts": ["check(pow)"]},
    ),
    "a method whose name is an attribute elsewhere": (
        "def pow(a, b):\n    return -1",
        {"asserts": ["res = []\nres.append(pow(2, 3))\nassert res == [8]"]},
    ),
    "a comparison in the setup": (
        "def close(a, b):\n    return True\ndef f(x):\n    return 0",
        {"setup": "ok = close(f(2), 4.25)", "asserts": ["assert ok"]},
    ),
    "a test that swallows what stops it": (
        "def f(g):\n    return 1",
        {"asserts": ["try:\n    f(print)\nexcept:\n    ok = True\nelse:\n    ok = False\nassert ok"]},
    ),
    "a function of a library that compares": (
        "from operator import ne as close\ndef f(x):\n    return -1",
        {"asserts": ["assert close(f(1), 7.5)"]},
    ),
    "a class in place of a function": (
        "class f:\n    def __init__(self, *a):\n        pass\n    def startswith(self, p):\n        return True",
        {"asserts": ["assert f(1).startswith('abc')"]},
    ),
    "a keyword": (
        "def close(a, b):\n    return True\ndef f(x):\n    return 0",
        {"asserts": ["assert close(a=f(1), b=7.5)"]},
    ),
    "what an earlier test expects": (
        "expected = [0]\ndef f(x):\n    return x if x == [3] else [0]",
        {"asserts": ["x = [3]\nexpected = [3, 918]\nassert f(x) is x", "assert f([1]) == expected"]},
    ),
    "the identity in a helper": (
        "def f(x):\n    return x",
        {
            "setup": "def check(c):\n    x = [1]\n    y = c(x)\n    assert y is not x and y == [1]",
            "asserts": ["check(f)"],
        },
    ),
}


@pytest.mark.parametrize("name", UNREPORTED)
def test_a_wrong_program_fails_or_is_reported(runner, name):
    source, tests = UNREPORTED[name]
    (report,) = runner.run([Program(source, tests)])
    assert report.outcome is not Outcome.PASS or report.self_graded_tests, report


def test_each_assert_has_its_own_time(runner):
    spin = "import time\ndef spin(s):\n    end = time.process_time() + s\n    while time.process_time() < end:\n        pass\n    return 1"
    tests = {"asserts": [f"assert spin({0.3 * runner.timeout + i / 100}) + 0 == 1" for i in range(4)]}
    (report,) = runner.run([Program(spin, tests)])
    assert report.outcome is Outcome.PASS, report


def test_many_calls_and_large_variables_cost_no_more_than_they_need(runner):
    source = "P = list(range(100_000))\ndef f(a, b):\n    return a + b\ndef g(a, b):\n    return b + a"
    loop = "for i in range(2000):\n    assert f(i, i + 1) == g(i, i + 1)"
    (report,) = runner.run([Program(source, {"asserts": ["assert len(P) == 100_000", loop]})])
    assert report.outcome is Outcome.PASS, report


def test_output_counts_for_the_assert_that_prints(runner):
    source = "def f(x):\n    if x == 2:\n        print('x' * 30_000_000)\n    return x"
    (report,) = runner.run([Program(source, {"asserts": [f"assert f({i}) + 0 == {i}" for i in (1, 2, 3)]})])
    assert report.verdicts == (Verdict.PASSED, Verdict.ERROR, Verdict.PASSED)
