"""Each test of a script has a process of its own, forked from the compiled script, and nobody can tell the others."""

import subprocess
import sys
import time

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import span_at

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
    if runner.sandbox.name != "bubblewrap":
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
    with LocalRunner(num_workers=1, timeout=2, isolation=any_runner.sandbox.name) as local:
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


# Each prints 1 in a fresh interpreter, and would print something else if it met what an earlier test has left.
COUNTS_ITSELF = {
    "a name in sys": "import sys\nsys.n = getattr(sys, 'n', 0) + 1\nprint(sys.n)",
    "an attribute of a function": "import textwrap\nd = textwrap.dedent\nd.n = getattr(d, 'n', 0) + 1\nprint(d.n)",
    "an attribute of a class": "from collections import Counter\nCounter.n = getattr(Counter, 'n', 0) + 1\nprint(Counter.n)",
    "a module that was not loaded before": "import fractions\nfractions.n = getattr(fractions, 'n', 0) + 1\nprint(fractions.n)",
    "a list in a module": "import calendar\ncalendar.mdays.append(0)\nprint(len(calendar.mdays) - 13)",
    "the memory of a stream": "import sys\nsys.stderr.n = getattr(sys.stderr, 'n', 0) + 1\nprint(sys.stderr.n)",
    "a cache": "import functools\nf = functools.lru_cache(len)\nf('a')\nprint(f.cache_info().currsize)",
    "a file in the folder": "import os\nopen(str(len(os.listdir('.'))), 'w')\nprint(len(os.listdir('.')))",
    "the mode of the folder": (
        "import os\nmode = os.stat('.').st_mode & 0o77\ntry:\n    os.chmod('.', 0o711)\nexcept OSError:\n    pass\n"
        "print(2 if mode == 0o11 else 1)"
    ),
    "the times of the folder": (
        "import os\nseen = os.stat('.').st_mtime_ns\ntry:\n    os.utime('.', ns=(7, 7))\nexcept OSError:\n    pass\nprint(2 if seen == 7 else 1)"
    ),
    "the times of the output": (
        "import os\nseen = os.fstat(1).st_mtime_ns\ntry:\n    os.utime(1, ns=(7, 7))\nexcept OSError:\n    pass\nprint(2 if seen == 7 else 1)"
    ),
    "the mode of the input": (
        "import os\nseen = os.fstat(0).st_mode\ntry:\n    os.fchmod(0, 0o700)\nexcept OSError:\n    pass\nprint(1 if seen & 0o77 else 2)"
    ),
    "flags of descriptors": (
        "import fcntl, os\nseen = [fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK) for fd in range(4)]\n"
        "for fd in range(4):\n    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)\nprint(2 if any(seen) else 1)"
    ),
    "places in files": (
        "import os\nseen = [os.lseek(fd, 0, 1) for fd in (0, 1, 3)]\nfor fd in (0, 3):\n    os.lseek(fd, 5, 0)\nprint(2 if any(seen) else 1)"
    ),
    "the log": "import os\nseen = os.fstat(3).st_size\nos.write(3, b'x' * 100)\nprint(2 if seen else 1)",
    "descriptors": "import os\nn = 1\ntry:\n    os.fstat(20)\n    n = 2\nexcept OSError:\n    pass\nos.dup2(1, 20)\nprint(n)",
    "a limit": "import resource\nsoft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\nresource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))\nprint(257 - soft)",
}


@pytest.mark.parametrize("name", COUNTS_ITSELF)
def test_a_test_finds_nothing_of_another(any_runner, name):
    tests = {"inputs": ["", "", ""], "outputs": ["1", "1", "1"]}
    first, second = any_runner.run([Program(COUNTS_ITSELF[name] + f"\n# {i}", tests) for i in range(2)])
    assert first.outcome is second.outcome is Outcome.PASS, (first, second)


def test_a_test_can_join_no_group_of_its_worker(any_runner):
    # Signals to one's own group are not filtered. The worker leads another session, into whose groups there is no way.
    tests = {"inputs": [""], "outputs": ["True"]}
    (report,) = any_runner.run([Program("import os\nprint(os.getsid(0) == os.getppid())", tests)])
    assert report.outcome is Outcome.PASS, report


def test_tests_do_not_share_their_random_numbers(runner):
    source = "import random\nprint(random.random())"
    tests = [{"inputs": [f"{i}"] * 2, "outputs": ["0", "0"]} for i in range(2)]
    seen = []
    with LocalRunner(num_workers=1, checker=lambda _, printed, __: seen.append(printed) or True) as local:
        local.run([Program(source, entry) for entry in tests])
    assert len(set(seen)) == 4


# What a script does on input 1, and what may become of that test. All others print what they read.
ACTS = {
    "kills its parent": ("os.kill(os.getppid(), 9)\ntime.sleep(0.2)", {Verdict.ERROR}),
    "stops its parent": ("os.kill(os.getppid(), 19)\ntime.sleep(0.2)", {Verdict.ERROR}),
    "stops its parent and lets it go on": (
        "os.kill(os.getppid(), 19)\nos.kill(os.getppid(), 18)",
        {Verdict.PASSED, Verdict.ERROR},
    ),
    "terminates its parent": ("os.kill(os.getppid(), 15)\ntime.sleep(0.2)", {Verdict.ERROR}),
    "kills all": ("os.kill(-1, 9)\ntime.sleep(0.2)", {Verdict.PASSED, Verdict.ERROR}),
    "kills its group": ("os.killpg(0, 9)", {Verdict.ERROR}),
    "crashes": ("import ctypes\nctypes.string_at(0)", {Verdict.ERROR}),
    "ends with a code": ("os._exit(3)", {Verdict.ERROR}),
    "leaves a process": ("if os.fork() == 0:\n    time.sleep(300)", {Verdict.PASSED}),
    "leaves a daemon": (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(300)\n    os._exit(0)",
        {Verdict.PASSED},
    ),
    "leaves a process that is waiting for it": (
        "r, w = os.pipe()\nif os.fork() == 0:\n    os.close(w)\n    os.read(r, 1)\n    os.kill(os.getppid(), 9)\n    os._exit(0)",
        {Verdict.PASSED, Verdict.ERROR},
    ),
    "leaves a thread": (
        "import threading\nthreading.Thread(target=time.sleep, args=(300,), daemon=True).start()",
        {Verdict.PASSED},
    ),
    "leaves files": ("os.makedirs('a/b/c')\nopen('a/b/c/d', 'w').write('x' * 1000)", {Verdict.PASSED}),
    "locks its folder": ("os.mkdir('a')\ntry:\n    os.chmod('.', 0)\nexcept OSError:\n    pass", {Verdict.PASSED}),
    "writes to all descriptors": (
        "for fd in range(3, 64):\n    try:\n        os.write(fd, bytes(64))\n        os.pwrite(fd, bytes(64), 0)\n    except OSError:\n        pass",
        {Verdict.PASSED},
    ),
    "forges an error of another": (
        'os.write(3, b\'{"type": "Forged", "message": ""}\')',
        {Verdict.PASSED},
    ),
    "looks into its parent": (
        "for name in ('mem', 'environ', 'fd/0', 'maps'):\n    try:\n        open(f'/proc/{os.getppid()}/{name}', 'rb').read(1)\n"
        "    except OSError:\n        continue\n    print('open')",
        {Verdict.PASSED},
    ),
    "replaces what its parent uses": (
        "import sys\nos._exit = os.write = print\nfor module in list(sys.modules.values()):\n    if 'trl_rltf' in getattr(module, '__name__', ''):\n"
        "        module.__dict__.clear()",
        {Verdict.PASSED, Verdict.ERROR},
    ),
}


@pytest.mark.parametrize("name", ACTS)
def test_what_one_test_does_changes_no_verdict_of_another(any_runner, name):
    act, expected = ACTS[name]
    if name == "kills all" and not any_runner.sandbox.processes:
        pytest.skip("this might reach other processes of the user")
    body = "".join(f"    {line}\n" for line in act.splitlines())
    source = (
        f"import os, time\ndef act():\n{body}n = int(input())\nif n == 1:\n    try:\n        act()\n"
        "    except PermissionError:\n        os._exit(9)\nprint(n)"
    )
    report, later = any_runner.run([Program(source, MANY), Program("print(input())", MANY)])
    assert report.verdicts[1] in expected, report
    assert {*report.verdicts[:1], *report.verdicts[2:]} == {Verdict.PASSED}, report
    assert later.outcome is Outcome.PASS


def test_worker_and_descriptors_are_as_before_after_many_programs(any_runner):
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as local:
        programs = [
            Program(f"import os\nif os.fork() == 0:\n    os._exit(0)\nprint(input())\n# {i}", MANY) for i in range(20)
        ]
        counts = []
        for _ in range(3):
            reports = local.run(programs)
            assert {report.outcome for report in reports} == {Outcome.PASS}, {r.error_message for r in reports}
            worker = psutil.Process(local._pool.workers[0].process.pid)
            tree = [worker, *worker.children(recursive=True)]
            counts.append((len(tree), sum(process.num_fds() for process in tree)))
        assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize(
    ("source", "outcome", "error_type"),
    [
        ("import sys\nprint(input())\nsys.exit(256)", Outcome.PASS, None),
        ("import sys\nprint(input())\nsys.exit('text')", Outcome.RUNTIME_ERROR, "SystemExit"),
        ("import os\nprint(input(), flush=True)\nos._exit(0)", Outcome.PASS, None),
        ("import os\nprint(input())\nos._exit(0)", Outcome.FAILURE, None),
        ("import sys\nprint(input())\nsys.stdout.close()", Outcome.PASS, None),
        ("import sys\nprint(input())\nsys.stdout = None", Outcome.PASS, None),
        ("import sys\nprint(input())\ndel sys.stdout", Outcome.PASS, None),
        ("import atexit\natexit.register(lambda: 1 / 0)\nprint(input())", Outcome.PASS, None),
        ("class A:\n    def __del__(self):\n        print(input())\na = A()", Outcome.PASS, None),
        (
            "def g():\n    try:\n        yield\n    finally:\n        print(input())\nh = g()\nnext(h)",
            Outcome.PASS,
            None,
        ),
        ("import threading, sys\nthreading.Thread(target=sys.exit).start()\nprint(input())", Outcome.PASS, None),
        ("import threading\nt = threading.Timer(0.05, lambda: print(input()))\nt.start()", Outcome.PASS, None),
        (
            "import os\nprint(input(), flush=True)\nif os.fork() == 0:\n    raise SystemExit(3)\nos.wait()",
            Outcome.PASS,
            None,
        ),
        (
            "import os, sys\nclass Out:\n    def write(self, text):\n        os.write(1, text.encode())\nsys.stdout = Out()\nprint(input())",
            Outcome.RUNTIME_ERROR,  # python ends with exit code 120
            "AttributeError",
        ),
        (
            "import os, sys\nclass Out:\n    parts = []\n    write = parts.append\n    def flush(self):\n"
            "        os.write(1, ''.join(self.parts).encode())\n        self.parts.clear()\nsys.stdout = Out()\nprint(input())",
            Outcome.PASS,
            None,
        ),
        ("import os\nprint(input())\nos.close(1)", Outcome.RUNTIME_ERROR, "OSError"),
        (
            "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8')\nprint(input())",
            Outcome.PASS,
            None,
        ),
        ("import sys\nprint(input())\ndel sys.__stdin__, sys.__stdout__", Outcome.PASS, None),
    ],
)
def test_a_script_ends_as_in_a_plain_interpreter(runner, source, outcome, error_type):
    report = runner.run([Program(source, MANY)])[0]
    assert (report.outcome, report.error_type) == (outcome, error_type), report
    plain = subprocess.run(
        [sys.executable, "-E", "-c", source], input="7\n", capture_output=True, text=True, check=False
    )
    assert (plain.returncode == 0 and plain.stdout == "7\n") == (outcome is Outcome.PASS)


@pytest.mark.parametrize(
    "source",
    [
        "n = int(input())\nif n == 1:\n    print(1)\n    return\nprint(n)\n",
        "from math import *\nx = floor(0.5)\ndef f():\n    nonlocal x\n    x += int(input())\nf()\nprint(x)\nreturn\n",
        "\ufeffprint(input())",
        "import sys\nprint(input() if open(__file__).read() == open(sys.argv[0]).read() else 0)",
        "import inspect\ndef f():\n    return 1\nprint(input() if inspect.getsource(f) == 'def f():\\n    return 1\\n' else 0)",
        "import inspect\nclass A:\n    x = 1\nprint(input() if inspect.getsource(A) == 'class A:\\n    x = 1\\n' else 0)",
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    print(input() if '1 / 0' in traceback.format_exc() else 0)",
        "import os\nprint(input() if not os.listdir('.') else 0)",
    ],
)
def test_a_script_runs_as_its_author_ran_it(any_runner, source):
    report = any_runner.run([Program(source, MANY)])[0]
    assert report.outcome is Outcome.PASS, (report.error_type, report.error_message)


@pytest.mark.parametrize(
    "source", ["return 1\nyield 2", "def f():\n    nonlocal y\nf()", "class A:\n    return 1", "return (1,"]
)
def test_what_is_wrong_in_a_function_too_is_a_syntax_error(runner, source):
    assert runner.run([Program(source, MANY)])[0].outcome is Outcome.SYNTAX_ERROR


def test_spans_count_the_byte_order_mark(runner):
    report = runner.run([Program("\ufeffx = 1 / 0\ny = 2", MANY)])[0]
    assert (report.span, report.expression_span) == (span_at(1, 1, 1, 10), span_at(1, 5, 1, 10))
    report = runner.run([Program("\ufeffx = 1\ny = 1 / 0", MANY)])[0]
    assert report.span == span_at(2, 0, 2, 9)
    report = runner.run([Program("\ufeffx = 1 +\n", MANY)])[0]
    assert report.outcome is Outcome.SYNTAX_ERROR
    assert report.expression_span == span_at(1, 8, 1, 9)


def test_a_script_that_is_a_function_body_is_blamed_at_its_own_line(runner):
    report = runner.run([Program("n = int(input())\nif n > 9:\n    return\nprint(1 / 0)", MANY)])[0]
    assert (report.error_type, report.span.line, report.expression_span) == (
        "ZeroDivisionError",
        4,
        span_at(4, 6, 4, 11),
    )


BURN = "import os, time\ndef burn(seconds):\n    end = time.process_time() + seconds\n    while time.process_time() < end:\n        pass\n"


@pytest.mark.parametrize(
    "work",
    [
        "if os.fork() == 0:\n    burn(3)\n    os._exit(0)\nos.wait()",
        "for _ in range(10):\n    if os.fork() == 0:\n        burn(0.3)\n        os._exit(0)\n    os.wait()",
        "if os.fork() == 0:\n    if os.fork() == 0:\n        burn(3)\n    os.wait()\n    os._exit(0)\ntime.sleep(5)",
        "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nfor _ in range(10):\n    if os.fork() == 0:\n        burn(0.3)\n"
        "        os._exit(0)\n    time.sleep(0.5)",
    ],
)
def test_the_cpu_time_of_children_counts(runner, work):
    with LocalRunner(num_workers=1, timeout=0.8, wall_timeout=60.0, isolation=runner.sandbox.name) as local:
        report = local.run([Program(f"{BURN}{work}", {"inputs": ["1"], "outputs": ["x"]})])[0]
    assert report.verdicts == (Verdict.TIMEOUT,)
    assert "0.8 s of CPU time (`timeout`)" in report.error_message
    assert 0.7 < report.cpu_seconds < 2.5


def test_a_program_that_keeps_to_the_limit_of_each_test_is_not_cut_off(runner):
    source = f"{BURN}burn(0.12)\nprint(input())"
    tests = {"inputs": [f"{i}" for i in range(25)], "outputs": [f"{i}" for i in range(25)]}
    with LocalRunner(num_workers=1, timeout=0.2, wall_timeout=5.0, isolation=runner.sandbox.name) as local:
        report = local.run([Program(source, tests)])[0]  # 3 s of CPU time, 15 times the limit of one test
        assert report.outcome is Outcome.PASS
        assert report.cpu_seconds > 3
    with LocalRunner(1, timeout=0.2, wall_timeout=20.0, program_timeout=0.5, isolation=runner.sandbox.name) as local:
        report = local.run([Program(source, tests)])[0]
    assert "0.5 s of CPU time (`program_timeout`)" in report.error_message
    assert 1 <= report.num_passed <= 5


def test_all_tests_together_have_a_limit_of_elapsed_time(runner):
    tests = {"inputs": ["1"] * 15, "outputs": ["1"] * 15}
    with LocalRunner(1, timeout=0.3, wall_timeout=1.0, program_timeout=1.0, isolation=runner.sandbox.name) as local:
        local.run([Program("print(input())", tests)])
        began = time.monotonic()
        report = local.run([Program("import time\ntime.sleep(0.4)\nprint(input())", tests)])[0]
        took = time.monotonic() - began
    assert "longer than 1.5 s (1.5 times `program_timeout`)" in report.error_message
    assert 1 <= report.num_passed <= 3
    assert took < 5


def test_a_stop_on_the_first_failure_counts_what_was_spent_before(runner):
    tests = {"inputs": [f"{i}" for i in range(12)], "outputs": [f"{i}" for i in range(12)]}
    options = {"timeout": 0.3, "wall_timeout": 20.0, "program_timeout": 0.5, "isolation": runner.sandbox.name}
    with LocalRunner(1, stop_on_first_failure=True, **options) as local:
        report = local.run([Program(f"{BURN}burn(0.1)\nprint(input())", tests)])[0]
    assert "(`program_timeout`)" in report.error_message
    assert report.num_passed < 7


def test_a_script_that_is_compiled_again_for_each_test_has_the_same_verdicts(runner):
    source = "import calendar\ncalendar.mdays[2] += 1\nprint(calendar.mdays[2] + int(input()))"
    tests = {"inputs": ["1", "2", "x", "3"], "outputs": ["30", "30", "x", "32"]}
    seen = []
    for each_time in (False, True):
        options = {"isolation": runner.sandbox.name, "process_per_test": each_time}
        with LocalRunner(num_workers=1, timeout=1.0, **options) as local:
            seen.append(local.run([Program(source, tests)])[0])
    passed, failed, error = Verdict.PASSED, Verdict.FAILED, Verdict.ERROR
    assert [report.verdicts for report in seen] == [(passed, failed, error, passed)] * 2
