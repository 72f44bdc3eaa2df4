"""Each test of a script has a process of its own, forked from the compiled script, and nobody can tell the others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trl_rltf.execution import LocalRunner, Outcome, Program, Verdict


MANY = {"inputs": [f"{i}\n" for i in range(6)], "outputs": [f"{i}\n" for i in range(6)]}

# Each would give other answers if a run saw what an earlier one left behind.
LEAVES_SOMETHING = {
    "a global variable": "try:\n    seen\nexcept NameError:\n    print(input())\nseen = 1",
    "a built-in function": "import builtins\nif hasattr(builtins, 'mark'):\n    print('again')\nbuiltins.mark = 1\nprint(input())",
    "a name in a module": "import math\nif hasattr(math, 'mark'):\n    print('again')\nmath.mark = 1\nprint(input())",
    "a file": "import os\nprint(input() if not os.listdir('.') else 'again')\nopen('x', 'w').write('x')",
    "an exit handler": "import atexit\natexit.register(print, end='')\nprint(input())",
    "a replaced stream": "import io, sys\nsys.stdin = io.StringIO(sys.stdin.read())\nprint(input())\nsys.stdout.flush()\nsys.stdout = io.StringIO()",
    "a recursion limit": "import sys\nassert sys.getrecursionlimit() < 2000\nsys.setrecursionlimit(50000)\nprint(input())",
    "a current folder": "import os\nassert os.getcwd() != '/'\nos.chdir('/')\nprint(input())",
    "an environment variable": "import os\nassert 'MARK' not in os.environ\nos.environ['MARK'] = '1'\nprint(input())",
    "fileinput": "import fileinput\nfor line in fileinput.input():\n    print(line.strip())\n    break",
    "a thread": "import threading\nassert threading.active_count() == 1\nt = threading.Thread(target=lambda: print(input()))\nt.start()",
    "a signal handler": "import signal\nassert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL\nsignal.signal(signal.SIGUSR1, print)\nprint(input())",
    "an imported module": "import __main__\nassert not hasattr(__main__, 'mark')\n__main__.mark = 1\nprint(input())",
    "arguments": "import sys\nassert len(sys.argv) == 1\nsys.argv.append('x')\nprint(input())",
    "memory": "data = bytearray(3 * 10**8)\nprint(input())\nloop = [data]\nloop.append(loop)",
    "an unread rest of the input": "import sys\nprint(sys.stdin.readline().strip())",
    "a buffer that is written at the end": "out = open(1, 'w', closefd=False)\nout.write(input())",
    "its own end": "import sys\nprint(input())\nsys.exit()",
    "a hard end": "import os\nprint(input(), flush=True)\nos._exit(0)",
}


@pytest.mark.parametrize("name", LEAVES_SOMETHING)
def test_no_run_sees_what_an_earlier_one_left(runner, name):
    report = runner.run([Program(LEAVES_SOMETHING[name], MANY)])[0]
    assert report.outcome is Outcome.PASS, (report.error_type, report.error_message, report.stdout)


def test_each_test_has_its_own_verdict_and_its_own_time():
    source = (
        "n = int(input())\nif n == 1:\n    1 / 0\nif n == 3:\n    while True:\n        pass\nprint(n if n != 4 else 'no')\n"
        "end = __import__('time').process_time() + 0.15\nwhile __import__('time').process_time() < end:\n    pass"
    )
    with LocalRunner(num_workers=1, timeout=0.5) as local:
        report = local.run([Program(source, MANY)])[0]
    assert report.verdicts[:5] == (
        Verdict.PASSED,
        Verdict.ERROR,
        Verdict.PASSED,
        Verdict.TIMEOUT,
        Verdict.NOT_RUN,  # once a test has run out of time, the others get less, and no verdict if that is not enough
    )
    assert report.error_type == "ZeroDivisionError"


def test_many_tests_of_fast_scripts_are_all_run(runner):
    numbers = range(100)
    tests = {"inputs": [f"{i}\n" for i in numbers], "outputs": [f"{i * i}\n" for i in numbers]}
    report = runner.run([Program("n = int(input())\nprint(n * n if n != 77 else 0)", tests)])[0]
    assert [i for i in numbers if report.verdicts[i] is Verdict.FAILED] == [77]
    assert report.num_passed == 99


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: data.decode("latin-1")))
def test_any_text_is_graded_in_every_format_and_never_raises(runner, source):
    tests = [
        {"inputs": ["1", "2"], "outputs": ["918273645", "1"]},
        {"fn_name": "f", "inputs": [[1]], "outputs": [918273645]},
        {"asserts": ["assert f(1) == 918273645"]},
        {"asserts": ["check(f)"], "setup": "def check(f):\n    assert f(1) == 918273645"},
    ]
    for report in runner.run([Program(source, entry) for entry in tests]):
        assert report.outcome in (Outcome.SYNTAX_ERROR, Outcome.RUNTIME_ERROR, Outcome.FAILURE)


SEARCH = """
import re
def found():
    marker = re.compile(rb'9[1]8[2]7[3]6[4]5')  # the search must not find itself
    for line in open('/proc/self/maps'):
        area = re.match(r'([0-9a-f]+)-([0-9a-f]+) r', line)
        if area and '[v' not in line:
            start, end = (int(x, 16) for x in area.groups())
            with open('/proc/self/mem', 'rb', 0) as memory:
                memory.seek(start)
                if marker.search(memory.read(end - start)):
                    return True
    return False
"""


def test_what_is_expected_is_nowhere_in_the_memory_of_a_program(runner):
    if runner.isolation.name != "bubblewrap":
        pytest.skip("programs can read /proc/self/mem only under bubblewrap")
    secret = 918273645
    search = SEARCH + "def f(x):\n    return found()\n"
    tests = [
        {"inputs": ["1"] * 3, "outputs": [f"{secret}"] * 3},
        {"fn_name": "f", "inputs": [[1], [2]], "outputs": [secret, [secret]]},
        {"asserts": [f"assert f(1) == {secret}", f"assert abs(f(1) - {secret}) < 1", f"assert f(1) in [{secret}]"]},
        {"asserts": ["check(f)"], "setup": f"def check(f):\n    assert f(1) == {secret}"},
        {"asserts": ["check(f)"], "setup": f"def check(f):\n    assert {secret} and f(1) is True"},
    ]
    with LocalRunner(num_workers=1, isolation="bubblewrap", timeout=20) as local:
        for _ in range(2):  # nor does what earlier programs of the worker were tested on stay in it
            reports = local.run([Program(search + "print(found())", entry) for entry in tests])
            assert [report.num_passed for report in reports] == [0] * 5
            assert reports[0].stdout == "False\n"
        # The search itself works: it finds what is there.
        present = Program(
            search + "here = '918' + str(273645)\nprint(found())", {"inputs": ["1"], "outputs": ["True"]}
        )
        assert local.run([present])[0].outcome is Outcome.PASS


def test_a_later_program_finds_neither_programs_nor_answers_of_earlier_ones():
    """The completions of a prompt are graded by the same workers: one right program must not help a thief."""
    search = SEARCH.replace("    return False", "    return None").replace("return True", "return 'found'")
    answer = "print('9182' + str(73645))  # 918273645"
    asked = {"inputs": ["1"], "outputs": ["918273645"]}
    called = {"fn_name": "f", "inputs": [[1]], "outputs": [918273645]}
    try:
        local = LocalRunner(num_workers=1, isolation="bubblewrap", timeout=20)
    except RuntimeError as error:
        pytest.skip(str(error))
    with local:
        for _ in range(3):
            right = [Program(answer, asked), Program("def f(x):\n    return 918273600 + 45", called)]
            assert {report.outcome for report in local.run(right)} == {Outcome.PASS}
            thief = Program(search + "print(found())", {"inputs": ["1"], "outputs": ["None"]})
            assert local.run([thief])[0].stdout == "None\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("import fcntl\nfcntl.fcntl(0, fcntl.F_SETLEASE, fcntl.F_WRLCK)", "print(open('/dev/stdin').read())"),
        (
            "import fcntl\nfcntl.flock(1, fcntl.LOCK_EX)",
            "import fcntl\nfcntl.fcntl(1, fcntl.F_SETFL, 0)\nprint(input())",
        ),
        ("import os\nos.setxattr('.', 'user.mark', b'x')", "import os\nassert not os.listxattr('.')\nprint(input())"),
        ("import os\nos.posix_fallocate(1, 0, 2**23)", "import os\nassert os.fstat(1).st_blocks == 0\nprint(input())"),
        ("import os\nos.fchmod(1, 0)", "open('/dev/stdout', 'w').write(input())"),
        (
            "import os\nos.setpriority(os.PRIO_USER, 0, 19)",
            "import os\nassert os.getpriority(os.PRIO_PROCESS, 0) < 19\nprint(input())",
        ),
        (
            "import os\nos.setpriority(os.PRIO_PGRP, 0, 19)",
            "import os\nassert os.getpriority(os.PRIO_PROCESS, 0) < 19\nprint(input())",
        ),
    ],
)
def test_what_a_program_does_to_its_files_ends_with_it(any_runner, first, second):
    with LocalRunner(num_workers=1, timeout=2, isolation=any_runner.isolation.name) as local:
        _, later = local.run([Program(first, MANY), Program(second, {"inputs": ["7"], "outputs": ["7"]})])
    assert later.outcome is Outcome.PASS, later


def test_clocks_that_are_no_numbers_do_not_end_the_worker(runner):
    source = (
        "import sys, time\nframe = sys._getframe()\nwhile frame:\n    if 'writer' in frame.f_locals:\n"
        "        writer = frame.f_locals['writer']\n    frame = frame.f_back\n"
        "writer._cpu_clock = writer._wall_clock = lambda: float('nan')\nn = int(input())\nend = time.time() + 0.1 * (n == 1)\n"
        "while time.time() < end:\n    pass\nprint(n)"
    )
    assert runner.run([Program(source, MANY)])[0].outcome is not Outcome.NOT_GRADABLE
