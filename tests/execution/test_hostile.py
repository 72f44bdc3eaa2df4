"""Programs that try to cheat, to harm or to stay: each gets the verdict it earned and leaves nothing behind."""

import ctypes
import json
import os
import threading
import time
from pathlib import Path

import psutil
import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.sandbox.mechanisms import MECHANISMS


ADD_TESTS = {"asserts": ["assert add(1, 2) == 3", "assert add(2, 2) == 4"]}

# name: program, tests, whether it deserves to pass
CHEATS = {
    "equal to everything": (
        "class Same:\n    def __eq__(self, other):\n        return True\ndef add(a, b):\n    return Same()",
        ADD_TESTS,
    ),
    "an integer equal to everything": (
        "class Same(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__\n"
        "def add(a, b):\n    return Same(0)",
        ADD_TESTS,
    ),
    "a list that lies about its items": (
        "class Lie(list):\n    def __iter__(self):\n        return iter([1])\n    def __len__(self):\n        return 1\n"
        "    def __eq__(self, other):\n        return True\ndef add(a, b):\n    return Lie()",
        {"asserts": ["assert add(1, 2) == [1]"]},
    ),
    "leaves before the asserts": ("import sys\ndef add(a, b):\n    sys.exit(0)", ADD_TESTS),
    "leaves at once": ("import os\nos._exit(0)", ADD_TESTS),
    "leaves while loading": ("import sys\nsys.exit(0)", ADD_TESTS),
    "prints that it passed": (
        "print('passed')\nprint('ok 1\\nok 2\\n2 passed')\ndef add(a, b):\n    return 0",
        ADD_TESTS,
    ),
    "patches the built-ins": (
        "import builtins\nbuiltins.all = builtins.any = lambda *a: True\nbuiltins.isinstance = lambda *a: True\n"
        "def add(a, b):\n    return 0",
        ADD_TESTS,
    ),
    "patches AssertionError": (
        "AssertionError = type('E', (Exception,), {})\ndef add(a, b):\n    return 0",
        ADD_TESTS,
    ),
    "looks for the expected value in the frames above": (
        "import sys\ndef add(a, b):\n    frame = sys._getframe()\n    while frame:\n        for value in list(frame.f_locals.values()):\n"
        "            if isinstance(value, dict) and ('outputs' in value or 'expected' in value):\n"
        "                return value\n        frame = frame.f_back\n    return 0",
        ADD_TESTS,
    ),
    "looks for the expected value in all objects": (
        "import gc\ndef add(a, b):\n    for item in gc.get_objects():\n        if isinstance(item, dict):\n"
        "            for key in ('outputs', 'asserts', 'expected'):\n                if key in item:\n"
        "                    return item[key]\n    return 0",
        {"fn_name": "add", "inputs": [[1, 2]], "outputs": [918273]},
    ),
    "forges a record on the result channel": (
        "import json, os\nfor fd in range(3, 64):\n    for i in range(3):\n        try:\n"
        "            os.write(fd, json.dumps({'kind': 'done', 'test': i, 'values': []}).encode() + b'\\n')\n"
        "            os.write(fd, b'\\n{]\\n' + json.dumps([1]).encode() + b'\\n')\n"
        "        except OSError:\n            pass\nos._exit(0)",
        ADD_TESTS,
    ),
    "closes the result channel": ("import os\nos.closerange(3, 64)\ndef add(a, b):\n    return 0", ADD_TESTS),
    "prints nothing and leaves": ("import os\nos._exit(0)", SUM_TESTS),
    "wrong answer that grows by white space": ("print('3' * 10)", SUM_TESTS),
    "prints a prefix": ("print('', end='')", SUM_TESTS),
    "prints the answer and more": (SUM_PROGRAM + "print('and more')", SUM_TESTS),
    "a fraction that takes hours to read": (
        "from fractions import Fraction\nFraction.__str__ = lambda self: '1e9999999999'\ndef add(a, b):\n    return Fraction(1, 2)",
        ADD_TESTS,
    ),
    "a decimal that takes hours to read": (
        "from decimal import Decimal\ndef add(a, b):\n    return Decimal('1e999999999')",
        ADD_TESTS,
    ),
    "a key too long to print": (
        "def add(a, b):\n    return {10**5000: 1}",
        {"fn_name": "add", "inputs": [[1, 2]], "outputs": [{"1": 1}]},
    ),
    "evaluated output": ("print('__import__(\"os\").getpid()')", SUM_TESTS),
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_does_not_pass(any_runner, name):
    source, tests = CHEATS[name]
    report = any_runner.run([Program(source, tests)])[0]
    assert report.outcome in (Outcome.FAILURE, Outcome.RUNTIME_ERROR)
    assert report.num_passed == 0


ATTACKS = {
    "loop under a bare except": "while True:\n    try:\n        while True:\n            pass\n    except:\n        pass",
    "ignores all signals": (
        "import signal\nfor n in range(1, 32):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError):\n"
        "        pass\nwhile True:\n    pass"
    ),
    "fork that outlives its parent": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(300)",
    "daemon in a session of its own": (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(300)\n    os._exit(0)"
    ),
    "subprocess left running": "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)",
    "shell with a child": "import os\nos.system('sleep 300 & sleep 300')",
    "fork bomb": "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    "memory bomb": "data = []\nwhile True:\n    data.append(bytearray(10**7))",
    "memory bomb under a bare except": (
        "data = []\nwhile True:\n    try:\n        data.append(bytearray(10**7))\n    except:\n        pass"
    ),
    "200 MB of output": "import sys\nfor _ in range(200):\n    sys.stdout.write('x' * 10**6)",
    "200 MB of output in C": "import os\nblock = b'x' * 10**6\nfor _ in range(200):\n    os.write(1, block)",
    "endless errors": "import sys\nwhile True:\n    sys.stderr.write('x' * 10**6)",
    "deep recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f():\n    return f()\nf()",
    "crash of the interpreter": "import ctypes\nctypes.string_at(0)",
    "kills its group": "import os, signal\nos.killpg(0, signal.SIGKILL)",
    "stops itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "big file": "with open('big', 'wb') as file:\n    while True:\n        file.write(b'x' * 10**7)",
    "closes its streams": "import os\nos.closerange(0, 64)",
    "thread that never ends": "import threading, time\nthreading.Thread(target=time.sleep, args=(300,)).start()",
    "exit handler that never ends": "import atexit\n@atexit.register\ndef f():\n    while True:\n        pass",
    "exception that cannot be shown": (
        "class E(Exception):\n    def __str__(self):\n        raise E\n    __repr__ = __str__\nraise E"
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_fails_and_leaves_no_process(any_runner, name, adopts_orphans):
    before = set(_tree(os.getpid()))
    report = any_runner.run([Program(ATTACKS[name], SUM_TESTS), Program(SUM_PROGRAM, SUM_TESTS)])
    assert report[0].outcome in (Outcome.FAILURE, Outcome.RUNTIME_ERROR), report[0]
    assert report[1].outcome is Outcome.PASS
    # The workers themselves stay for the next batch, and there are at most two of them.
    expected = {pid for worker in any_runner._pool.workers for pid in _tree(worker.process.pid)}
    assert {pid: _name(pid) for pid in _tree(os.getpid()) if pid not in before | expected} == {}


@pytest.fixture
def adopts_orphans():
    """Processes whose parents have ended become children of this one, rather than of the first process of the machine."""
    prctl, subreaper = ctypes.CDLL(None).prctl, 36
    prctl(subreaper, 1, 0, 0, 0)
    yield
    prctl(subreaper, 0, 0, 0, 0)


def _name(pid):
    try:
        process = psutil.Process(pid)
        return f"{process.cmdline() or process.name()} ({process.status()})"
    except psutil.NoSuchProcess:
        return "has just ended"


def _tree(pid):
    root = psutil.Process(pid)
    return [pid, *(child.pid for child in root.children(recursive=True))]


def test_a_worker_has_no_child_once_its_program_has_ended(any_runner):
    sources = [ATTACKS["fork that outlives its parent"], ATTACKS["daemon in a session of its own"], SUM_PROGRAM]
    any_runner.run([Program(source, SUM_TESTS) for source in sources])
    for worker in any_runner._pool.workers:
        names = [
            " ".join(process.cmdline()) for process in psutil.Process(worker.process.pid).children(recursive=True)
        ]
        # Under bubblewrap the worker itself is a child of `bwrap`; apart from it there is none.
        assert all("trl_rltf.execution.worker" in name for name in names), names
        assert len(names) <= 1


def test_secrets_of_the_environment_are_not_inherited(any_runner, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as fresh:
        source = "import os\nprint('hf_secret' in str(os.environ), 'HF_TOKEN' in os.environ)"
        report = fresh.run([Program(source, {"inputs": [""], "outputs": ["False False"]})])[0]
    assert report.outcome is Outcome.PASS, report.stdout


def test_the_memory_limit_is_a_memory_error_not_a_dead_machine(any_runner):
    report = any_runner.run([Program("x = bytearray(10**9)", SUM_TESTS)])[0]
    assert report.error_type == "MemoryError"


def test_too_much_output_is_named(any_runner):
    report = any_runner.run([Program(ATTACKS["200 MB of output in C"], SUM_TESTS)])[0]
    assert report.error_type == "OutputLimitExceeded"


def test_files_of_one_program_are_gone_for_the_next(any_runner):
    write = (
        "import os\nos.makedirs('a/b')\nopen('a/b/answer', 'w').write('3')\nopen(b'\\xff', 'w').close()\n"
        "os.mkdir('closed', 0)\nprint(len(os.listdir('.')))"
    )
    read = "import os\nprint(os.listdir('.'))"
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as local:
        first, second = local.run(
            [
                Program(write, {"inputs": [""], "outputs": ["3"]}),
                Program(read, {"inputs": [""], "outputs": ["[]"]}),
            ]
        )
    assert first.outcome is Outcome.PASS, first
    assert second.outcome is Outcome.PASS, second.stdout


def test_scratch_folders_are_removed_on_close():
    with LocalRunner(num_workers=1, isolation="process") as local:
        local.run([Program("open('x', 'w').write('x')", SUM_TESTS)])
        folder = Path(local._pool.workers[0]._scratch)
        assert folder.is_dir()
    assert not folder.exists()


@pytest.fixture(params=["bubblewrap", "namespaces", "landlock"])
def sealed_runner(request):
    try:
        with LocalRunner(num_workers=1, timeout=1.0, isolation=request.param) as local:
            yield local
    except RuntimeError as error:
        pytest.skip(str(error))


REACHES_OUT = {
    "a port of this machine": "import socket\nsocket.create_connection(('127.0.0.1', 9), timeout=1)",
    "the internet": "import socket\nsocket.socket().connect(('1.1.1.1', 80))",
    "a socket in the file system": "import socket\nsocket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    "the users of this machine": "open('/etc/passwd').read()",
    "a file of the system": "open('/usr/evil', 'w')",
    "the root folder": "open('/evil', 'w')",
    "the folder of devices": "open('/dev/evil', 'w')",
    "the package itself": "import trl_rltf.execution as e\nopen(e.__path__[0] + '/worker.py', 'a')",
    "a setting of the kernel": "open('/proc/sys/kernel/core_pattern', 'r+')",
    "the folders of users": "import os\nos.listdir(os.path.expanduser('~root'))\nos.listdir('/home')",
    "its worker": "import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(0.2)\nraise KeyError",
    "every process": "import os\nos.kill(-1, 9)\nraise KeyError",
    "the environment of the worker": "import os\nopen(f'/proc/{os.getppid()}/environ').read()",
    "the memory of the worker": "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "the descriptors of the worker": "import os\nfor name in os.listdir(f'/proc/{os.getppid()}/fd'):\n    open(f'/proc/{os.getppid()}/fd/{name}', 'rb')",
    "the mode of a file of others": "import os\nos.chmod('/usr/bin', 0o777)",
    "the times of a file of others": "import os\nos.utime('/usr/bin')",
    "a folder above": "import os\nos.rename('.', '../moved')",
    "a file through a link": "import os\nos.symlink('/etc/passwd', 'link')\nopen('link').read()",
    "a file through a hard link": "import os\nos.link('/usr/bin/env', 'link')\nopen('link', 'a')",
    "the limits of its worker": "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_AS, (2**27, 2**27))",
    **{
        f"the system call {name}": f"import ctypes\nif ctypes.CDLL(None, use_errno=True).{call} < 0: raise OSError('refused')"
        for name, call in {
            "unshare": "unshare(0x10000000)",
            "setns": "setns(0, 0)",
            "mount": "mount(b'none', b'/', b'tmpfs', 0, None)",
            "memfd_create": "memfd_create(b'x', 0)",
            "shmget": "shmget(7, 4096, 0o1666)",
            "ptrace": "ptrace(16, 1, 0, 0)",
            "process_vm_readv": "process_vm_readv(1, None, 0, None, 0, 0)",
            "io_uring_setup": "syscall(425, 8, None)",
            "bpf": "syscall(321, 0, None, 0)",
            "keyctl": "syscall(250, 0, 0)",
            "clone of a namespace": "syscall(56, 0x10000011, 0, 0, 0, 0)",
            "socket under its x32 number": "syscall(0x40000000 + 41, 2, 1, 0)",
        }.items()
    },
}


@pytest.mark.parametrize("name", REACHES_OUT)
def test_a_sealed_program_cannot_reach(sealed_runner, name):
    if "system call" in name and os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86-64")
    bad, good = sealed_runner.run([Program(REACHES_OUT[name], SUM_TESTS), Program(SUM_PROGRAM, SUM_TESTS)])
    assert bad.outcome is Outcome.RUNTIME_ERROR, bad
    assert bad.error_type in (
        "OSError",
        "FileNotFoundError",
        "PermissionError",
        "KeyError",
        "ProcessLookupError",
        "ModuleNotFoundError",
        "SIGKILL",  # of the process that its tests are forked from, and of the test with it
    )
    assert good.outcome is Outcome.PASS


def test_the_test_data_is_not_readable_inside(sealed_runner, shared_data):
    report = sealed_runner.run(
        [Program(f"print(open({str(shared_data / 'mbpp' / 'mbpp.jsonl')!r}).read())", SUM_TESTS)]
    )[0]
    assert report.error_type in ("FileNotFoundError", "PermissionError")


def test_a_killed_worker_is_replaced_and_its_program_runs_again():
    with LocalRunner(num_workers=1, timeout=5, isolation="process") as local:
        local.run([Program(SUM_PROGRAM, SUM_TESTS)])
        first = local._pool.workers[0].process.pid
        threading.Timer(0.5, os.kill, (first, 9)).start()
        source = "import time\ntime.sleep(1)\n" + SUM_PROGRAM
        report = local.run([Program(source, SUM_TESTS)])[0]
        assert report.outcome is Outcome.PASS
        assert local._pool.workers[0].process.pid != first


def test_a_program_whose_worker_dies_twice_is_not_gradable():
    with LocalRunner(num_workers=1, timeout=20, isolation="process") as local:
        local.run([Program(SUM_PROGRAM, SUM_TESTS)])
        future = local.submit([Program("import time\ntime.sleep(20)", SUM_TESTS), Program(SUM_PROGRAM, SUM_TESTS)])
        killed = set()
        while len(killed) < 2:
            time.sleep(0.05)
            for worker in list(local._pool._busy):
                if worker.is_ready and worker.process.pid not in killed:
                    killed.add(worker.process.pid)
                    worker.process.kill()
        bad, good = future.result(timeout=60)
    assert bad.outcome is Outcome.NOT_GRADABLE
    assert "died twice" in bad.error_message
    assert good.outcome is Outcome.PASS


def test_workers_end_when_their_parent_is_killed(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys, time\nfrom trl_rltf.execution import *\nlocal = LocalRunner(num_workers=2, allow_code_eval=True)\n"
        f"tests = {SUM_TESTS!r}\nlocal.run([Program('print(1)', tests)])\n"
        "print(*[worker.process.pid for worker in local._pool.workers], flush=True)\n"
        "local.run([Program('import time\\ntime.sleep(300)', tests)])"
    )
    parent = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, text=True)
    pids = [pid for worker in parent.stdout.readline().split() for pid in _tree(int(worker))]
    time.sleep(0.5)
    pids += [pid for worker in pids if psutil.pid_exists(worker) for pid in _tree(worker)]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while any(_is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in pids if _is_running(pid)] == []


def _is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_worker_that_hangs_is_killed_with_all_that_it_started(any_runner, monkeypatch):
    from trl_rltf.execution.host import worker_handle as worker_process

    monkeypatch.setattr(worker_process, "_GRACE_SECONDS", 0.0)
    with LocalRunner(num_workers=1, timeout=0.3, wall_timeout=0.3, isolation=any_runner.sandbox.name) as local:
        local.run([Program(SUM_PROGRAM, SUM_TESTS)])
        pids = _tree(local._pool.workers[0].process.pid)
        for pid in pids:
            os.kill(pid, 19)  # SIGSTOP
        assert local.run([Program(SUM_PROGRAM, SUM_TESTS)])[0].outcome is Outcome.PASS
        assert [pid for pid in pids if _is_running(pid)] == []


def test_an_environment_below_tmp_is_neither_emptied_nor_in_the_way(sealed_runner, tmp_path):
    """The scratch folder is emptied after each program: the interpreter must never be in it."""
    import subprocess
    import sys

    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", str(place)], check=True)
    package = Path(__file__).resolve().parents[2]
    code = (
        "import sys, time\nfrom trl_rltf.execution import *\n"
        f"with LocalRunner(num_workers=1, isolation={sealed_runner.sandbox.name!r}, allow_code_eval=True) as local:\n"
        f"    reports = local.run([Program({SUM_PROGRAM!r} + '#' * i, {SUM_TESTS!r}) for i in range(20)])\n"
        "assert {report.outcome.name for report in reports} == {'PASS'}, reports[0]\n"
    )
    environment = {"PYTHONPATH": str(package), "PATH": os.environ["PATH"]}
    before = sorted(place.rglob("*"))
    subprocess.run([str(place / "bin" / "python"), "-c", code], check=True, env=environment, timeout=60)
    assert sorted(path for path in place.rglob("*") if path.suffix != ".pyc") == [
        p for p in before if p.suffix != ".pyc"
    ]


def test_temporary_files_work(any_runner):
    source = "import tempfile\nwith tempfile.NamedTemporaryFile('w+') as f:\n    f.write('3')\n    f.seek(0)\n    print(f.read())"
    assert any_runner.run([Program(source, {"inputs": [""], "outputs": ["3"]})])[0].outcome is Outcome.PASS


RECORDS = {
    "an error without parts": [{"kind": "error", "test": 0}],
    "an error with parts of other types": [
        {"kind": "error", "test": 0, "type": [1], "message": {}, "position": "here"}
    ],
    "a position far outside": [{"kind": "error", "test": 0, "type": "E", "position": [10**9, 10**9, 5, -7]}],
    "a start that is no number": [{"kind": "start", "test": []}, {"kind": "done", "test": 0.0, "values": [3]}],
    "a test that does not exist": [{"kind": "done", "test": 99, "values": [3]}, {"kind": "start", "test": -1}],
    "values that are no list": [{"kind": "done", "test": 0, "values": {"a": 1}}],
    "an empty list of values": [{"kind": "done", "test": 0, "values": []}],
    "a kind that is no text": [{"kind": ["done"]}, 7, None, "text", []],
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_forged_record_neither_passes_nor_ends_the_worker(any_runner, name):
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS[name])
    source = f"import os\nos.write(3, {lines.encode()!r})\nos._exit(0)"
    forged, honest = any_runner.run([Program(source, ADD_TESTS), Program(SUM_PROGRAM, SUM_TESTS)])
    assert forged.outcome is Outcome.RUNTIME_ERROR
    assert forged.num_passed == 0
    assert honest.outcome is Outcome.PASS


@pytest.mark.parametrize("depth", [200, 950, 100_000])
def test_values_nested_without_end_do_not_reach_the_caller(any_runner, depth):
    line = f"b'{{\"kind\": \"done\", \"test\": 0, \"values\": ' + b'[' * {depth} + b']' * {depth} + b'}}\\n'"
    report = any_runner.run([Program(f"import os\nos.write(3, {line})\nos._exit(0)", ADD_TESTS)])[0]
    assert report.outcome is Outcome.RUNTIME_ERROR


def test_a_signal_without_a_name_is_a_runtime_error(any_runner):
    report = any_runner.run([Program("import os\nos.kill(os.getpid(), 40)", SUM_TESTS)])[0]
    assert (report.outcome, report.error_type) == (Outcome.RUNTIME_ERROR, "signal 40")


def test_folders_nested_without_end_are_removed(any_runner):
    deep = "import os\nfor _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\nprint(len(os.getcwd()) > 1500)"
    empty = "import os\nprint(os.listdir('.'))"
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as local:
        _, after = local.run([Program(deep, SUM_TESTS), Program(empty, {"inputs": [""], "outputs": ["[]"]})])
    assert after.outcome is Outcome.PASS, after.stdout


TAMPERING = {
    "memory of the worker": "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_AS, (2**27, 2**27))",
    "files of the worker": "import os, resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (24, 24))",
    "priority of the worker": "import os\nos.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "cores of the worker": "import os\nos.sched_setaffinity(os.getppid(), {min(os.sched_getaffinity(0))})",
}


@pytest.mark.parametrize("name", TAMPERING)
def test_a_program_that_changes_its_worker_fails_and_the_next_one_gets_a_new_worker(any_runner, name):
    if name.startswith("cores") and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("there is only one core")
    with LocalRunner(num_workers=1, isolation=any_runner.sandbox.name) as local:
        bad, good = local.run(
            [Program(f"{TAMPERING[name]}\n{SUM_PROGRAM}", SUM_TESTS), Program(SUM_PROGRAM, SUM_TESTS)]
        )
    # Refused where system calls are filtered; noticed, and the worker replaced, where they are not.
    assert bad.outcome is Outcome.RUNTIME_ERROR
    assert bad.error_type in ("PermissionError", "TamperingError")
    assert good.outcome is Outcome.PASS


def test_an_interrupt_sent_to_the_parent_harms_only_its_sender(any_runner):
    source = (
        "import os, signal, time\ntry:\n    os.kill(os.getppid(), signal.SIGINT)\nexcept PermissionError:\n    pass\n"
        "time.sleep(0.1)\n" + SUM_PROGRAM
    )
    sender, other = any_runner.run([Program(source, SUM_TESTS), Program(SUM_PROGRAM, SUM_TESTS)])
    assert sender.outcome in (Outcome.PASS, Outcome.RUNTIME_ERROR)
    assert other.outcome is Outcome.PASS


def test_shared_memory_does_not_outlive_its_program(sealed_runner):
    make = "import ctypes\nctypes.CDLL(None).shmget(7, 2**20, 0o1666)\nprint(True)"
    look = "import ctypes\nprint(ctypes.CDLL(None).shmget(7, 2**20, 0) >= 0)"
    made, seen = sealed_runner.run(
        [
            Program(make, {"inputs": [""], "outputs": ["True"]}),
            Program(look, {"inputs": [""], "outputs": ["False"]}),
        ]
    )
    assert made.outcome is Outcome.PASS
    assert seen.outcome is Outcome.PASS, seen.stdout


# The kernel counts the processes of every user but root.
BECOME_ROOT = """
import ctypes, os, resource
for change in (lambda: os.setresuid(0, 0, 0), lambda: os.setuid(0), lambda: ctypes.CDLL(None).syscall(117, 0, 0, 0)):
    try:
        change()
    except OSError:
        pass
print(os.getuid(), *resource.getrlimit(resource.RLIMIT_NPROC))
"""


def test_the_kernel_bounds_processes_also_those_of_a_trainer_that_runs_as_root(any_runner):
    (report,) = any_runner.run([Program(BECOME_ROOT, {"inputs": [""], "outputs": ["0"]})])
    user, soft, hard = map(int, report.stdout.split())
    assert soft == hard > 0
    if MECHANISMS[
        any_runner.sandbox.name
    ].changes_user():  # as root, but not in a user namespace, where there are no other ids
        assert user != 0
        assert hard < 100  # an id of its own, so that nobody else's processes count
