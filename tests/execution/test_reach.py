"""What programs can see and change of the machine around them: nothing but what the table of the docs says."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ISOLATIONS
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.sandbox.mechanisms import MECHANISMS


CHECKOUT = Path(__file__).resolve().parents[2]
EMPTY = {"inputs": [""], "outputs": [""]}


@pytest.fixture(params=["bubblewrap", "namespaces", "landlock"])
def sealed_runner(request):
    try:
        with LocalRunner(num_workers=1, timeout=1.0, isolation=request.param) as local:
            yield local
    except RuntimeError as error:
        pytest.skip(str(error))


def printed(runner, source):
    return runner.run([Program(source, EMPTY)])[0].stdout.split()


OPEN = "for path in {paths!r}:\n    try:\n        print(open(path, 'rb').read(1))\n    except OSError as error:\n        print(type(error).__name__)"


def test_the_files_of_the_checkout_are_out_of_sight(sealed_runner):
    names = ["trl_rltf/mini/problems.py", "trl_rltf/rewards/feedback.py", "pyproject.toml", "docs/execution.md"]
    paths = [str(CHECKOUT / name) for name in [*names, "tests/execution/test_reach.py"]]
    assert all(Path(path).is_file() for path in paths)
    seen = printed(sealed_runner, OPEN.format(paths=paths))
    assert len(seen) == len(paths)
    assert set(seen) <= {"FileNotFoundError", "PermissionError"}


@pytest.mark.parametrize("place", ["lib/python{}.{}/site-packages", "src/app"])
def test_an_installed_package_is_out_of_sight_and_its_neighbours_are_not(sealed_runner, place, tmp_path):
    """As after `pip install trl-rltf`, and as in a checkout that lies within the folder of the interpreter."""
    environment = tmp_path / "environment"
    command = [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", str(environment)]
    subprocess.run(command, check=True)
    root = environment / place.format(*sys.version_info)
    shutil.copytree(CHECKOUT / "trl_rltf", root / "trl_rltf", ignore=shutil.ignore_patterns("__pycache__"))
    libraries = environment / "lib/python{}.{}/site-packages".format(*sys.version_info)
    (libraries / "neighbour.py").write_text("value = 3\n")
    hidden = [root / "trl_rltf" / "data" / "mini_apps.py"]
    if place == "src/app":
        shutil.copy(CHECKOUT / "pyproject.toml", root)
        (root / "tests").mkdir()
        (root / "tests" / "answers.txt").write_text("3")
        hidden += [root / "pyproject.toml", root / "tests" / "answers.txt"]
    source = f"import neighbour\nprint(neighbour.value)\n{OPEN.format(paths=list(map(str, hidden)))}"
    code = (
        "from trl_rltf.execution import *\n"
        f"with LocalRunner(num_workers=1, isolation={sealed_runner.sandbox.name!r}, allow_code_eval=True) as local:\n"
        f"    report = local.run([Program({source!r}, {EMPTY!r})])[0]\nprint(report.stdout or report)"
    )
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root)}
    result = subprocess.run(
        [environment / "bin" / "python", "-c", code],
        env=variables,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    value, *seen = result.stdout.split()
    assert value == "3", result
    assert len(seen) == len(hidden), result
    assert set(seen) <= {"FileNotFoundError", "PermissionError"}


def test_the_names_sizes_and_times_of_other_files_are_out_of_sight(sealed_runner, tmp_path):
    if not sealed_runner.sandbox.has_own_root:
        pytest.skip("Landlock alone has no rule for the attributes of files; the docs say so")
    canary = tmp_path / "canary"
    canary.write_text("x")
    source = (
        f"import os\nfor call in (os.stat, os.listdir):\n    for path in ({str(canary)!r}, {str(tmp_path)!r}, '/etc/passwd', '/boot'):\n"
        "        try:\n            print(call(path))\n        except OSError as error:\n            print(error.errno)"
    )
    assert printed(sealed_runner, source) == ["2"] * 8


# Each as its number on 64 bits and, where it differs, the one that 32-bit programs use.
REQUESTS = {
    "FS_IOC_SETFLAGS": (0x40086602, 0x40046602),
    "FS_IOC_SETVERSION": (0x40087602, 0x40047602),
    "FS_IOC_FSSETXATTR": (0x401C5820,),
    "FS_IOC_SETFSLABEL": (0x41009432,),
    "FS_IOC_SET_ENCRYPTION_POLICY": (0x800C6613,),
    "FICLONE": (0x40049409,),
    "FICLONERANGE": (0x4020940D,),
    "FIDEDUPERANGE": (0xC0189436,),
    "FIFREEZE": (0xC0045877,),
    "FITRIM": (0xC0185879,),
    "FIOASYNC": (0x5452,),
    "FIOSETOWN": (0x8901,),
    "SIOCGIFCONF": (0x8912,),
    "TIOCSTI": (0x5412,),
    "TIOCLINUX": (0x541C,),
    "NS_GET_USERNS": (0xB701,),
}
IOCTL = """
import errno, fcntl, os
file = os.open('own', os.O_RDWR | os.O_CREAT)
for request in {requests!r}:
    for high in (0, 1 << 32):
        try:
            ctypes_result = libc.ioctl(file, ctypes.c_ulong(request | high), bytes(4096))
            print(request, ctypes_result if ctypes_result == 0 else errno.errorcode[ctypes.get_errno()])
        except OSError as error:
            print(request, error)
"""


def test_requests_that_change_attributes_of_files_or_ask_about_the_machine_are_refused(any_runner):
    if "seccomp" not in any_runner.sandbox.layers:
        pytest.skip("this machine has no filter of system calls")
    requests = [number for numbers in REQUESTS.values() for number in numbers]
    source = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n" + IOCTL.format(requests=requests)
    assert printed(any_runner, source)[1::2] == ["EPERM"] * 2 * len(requests)


def test_requests_that_any_program_makes_are_allowed(any_runner):
    source = """
import fcntl, os, struct, termios
read, write = os.pipe()
os.write(write, b'12345')
print(struct.unpack('i', fcntl.ioctl(read, termios.FIONREAD, bytes(4)))[0])
fcntl.ioctl(read, termios.FIONCLEX)
print(os.get_inheritable(read))
fcntl.ioctl(read, termios.FIOCLEX)
os.set_blocking(read, False)
print(os.get_inheritable(read), os.get_blocking(read), os.isatty(0))
try:
    os.get_terminal_size(0)
except OSError as error:
    print(error.errno == 25)  # what any file says that is no terminal
"""
    assert printed(any_runner, source) == ["5", "True", "False", "False", "False", "True"]


def test_changes_in_folders_of_others_cannot_be_watched(any_runner):
    if "seccomp" not in any_runner.sandbox.layers:
        pytest.skip("this machine has no filter of system calls")
    source = (
        "import ctypes\nlibc = ctypes.CDLL(None)\n"
        "print(libc.inotify_init(), libc.inotify_init1(0), libc.inotify_add_watch(0, b'/', 256), libc.fanotify_init(0, 0))"
    )
    assert printed(any_runner, source) == ["-1"] * 4


def test_what_of_a_file_is_in_memory_can_neither_be_asked_nor_set(any_runner):
    if "seccomp" not in any_runner.sandbox.layers:
        pytest.skip("this machine has no filter of system calls")
    source = (
        "import ctypes, os\nfile = os.open(os.__file__, os.O_RDONLY)\n"
        "calls = [lambda: os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED), lambda: os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT)]\n"
        "for call in calls:\n    try:\n        call()\n    except PermissionError:\n        print('refused')\n"
        "print(ctypes.CDLL(None).mincore(None, 0, None), os.preadv(file, [bytearray(1)], 0))"
    )
    assert printed(any_runner, source) == ["refused", "refused", "-1", "1"]


def test_attributes_of_devices_stay_as_they_are(sealed_runner):
    # The same mode that they have, in case that it is not refused. Anyone who may write can set times to now.
    times = None if os.getuid() == 0 else (7, 7)
    paths = (
        "/dev/null",
        "/dev/zero",
        "/dev/urandom",
        "/dev/tty",
        "/dev/pts",
        "/dev/pts/ptmx",
        "/proc/sys/kernel/ostype",
    )
    source = (
        f"import os\nfor path in {paths}:\n"
        f"    for call in (lambda: os.chmod(path, os.stat(path).st_mode & 0o777), lambda: os.utime(path, {times})):\n"
        "        try:\n            call()\n            print(path)\n        except OSError:\n            pass\n"
        "with open('/dev/null', 'w') as file:\n    file.write('x')"
    )
    assert printed(sealed_runner, source) == []


def test_times_of_devices_are_now_for_each_test(sealed_runner):
    if os.getuid() == 0 or sealed_runner.sandbox.name != "bubblewrap":
        pytest.skip("here they cannot be set")
    source = "import os, time\nprint(time.time() - os.stat('/dev/full').st_mtime < 1)\nos.utime('/dev/full')\ntime.sleep(0.6)"
    tests = {"inputs": [""] * 3, "outputs": ["True"] * 3}
    (report,) = sealed_runner.run([Program(source, tests)])
    assert report.outcome is Outcome.PASS, report


def test_tables_of_the_kernel_are_out_of_sight(sealed_runner):
    names = (
        "buddyinfo cmdline config.gz consoles crypto diskstats interrupts iomem ioports kallsyms kcore key-users keys kmsg "
        "kpagecgroup kpagecount kpageflags locks modules pagetypeinfo partitions sched_debug slabinfo softirqs swaps "
        "timer_list vmallocinfo vmstat zoneinfo pressure/cpu tty/drivers fs/jbd2 bus/input/devices"
    ).split()
    source = (
        f"import os\nfor name in {names!r}:\n    try:\n        with open('/proc/' + name, 'rb', 0) as file:\n"
        "            if file.read(1):\n                print(name)\n    except OSError:\n        pass"
    )
    assert printed(sealed_runner, source) == []


def test_what_programs_read_in_proc_is_there_under_bubblewrap():
    try:
        with LocalRunner(num_workers=1, isolation="bubblewrap") as local:
            source = "for name in 'cpuinfo meminfo loadavg uptime stat self/status mounts version'.split():\n    print(bool(open('/proc/' + name).read()))"
            assert printed(local, source) == ["True"] * 8
    except RuntimeError as error:
        pytest.skip(str(error))


LOOK = "for pid in (caller, worker):\n    for name in ('mem', 'environ'):\n        try:\n            print(open(f'/proc/{pid}/{name}', 'rb+' if name == 'mem' else 'rb', 0).fileno())\n        except OSError:\n            pass"


def test_the_memory_of_the_caller_and_of_the_worker_is_out_of_reach(any_runner):
    if any_runner.sandbox.name == "process" and "Landlock" not in any_runner.sandbox.layers[0]:
        pytest.skip("without Landlock a program can look into any process of the same user; the docs say so")
    names = ("mem",) if os.getuid() == 0 and any_runner.sandbox.name == "process" else ("mem", "environ")
    source = f"import os\ncaller, worker = {os.getpid()}, os.getppid()\n" + LOOK.replace(
        "('mem', 'environ')", repr(names)
    )
    assert printed(any_runner, source) == []


def test_the_memory_of_a_caller_without_privileges_is_out_of_reach(tmp_path):
    """Root's memory needs privileges, which programs never have. Of another user's, the rights are the same as a program's."""
    python = "/usr/bin/python3"
    if not (MECHANISMS["process"].changes_user() and os.path.exists(python)):
        pytest.skip("the test changes the user, and needs a Python that each user can read")
    if subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]).returncode:
        pytest.skip(f"{python} is too old")
    package = tmp_path / "package"
    shutil.copytree(CHECKOUT / "trl_rltf", package / "trl_rltf", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (*tmp_path.parents, tmp_path):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    source = f"import os\ncaller, worker = int(input()), os.getppid()\n{LOOK}"
    code = (
        "import os\nfrom trl_rltf.execution import *\n"
        "with LocalRunner(num_workers=1, isolation='process', allow_code_eval=True) as local:\n"
        f"    tests = {{'inputs': [str(os.getpid())], 'outputs': ['']}}\n"
        f"    report = local.run([Program({source!r}, tests)])[0]\n"
        "print(local.sandbox.layers[0], '|', report.outcome.name, report.stdout)"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [python, "-c", code],
        user=65534,
        group=65534,
        extra_groups=[],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
    )
    layer, found = result.stdout.split("|")
    if "Landlock" not in layer:
        pytest.skip("the kernel has no Landlock")
    assert found.split() == ["PASS"], result


SEND = """
import ctypes, fcntl, os, signal, time
libc, worker = ctypes.CDLL(None, use_errno=True), os.getppid()
def own_and_signal():
    read, write = os.pipe()
    fcntl.fcntl(read, 10, signal.SIGKILL)
    fcntl.fcntl(read, fcntl.F_SETOWN, worker)
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC)
    os.write(write, b'x')
calls = [lambda: os.kill(worker, signal.SIGKILL), lambda: os.kill(worker, signal.SIGSTOP), lambda: os.killpg(worker, signal.SIGKILL),
    lambda: libc.syscall(200, worker, 9), lambda: libc.tgkill(worker, worker, 9),
    lambda: signal.pidfd_send_signal(os.pidfd_open(worker), signal.SIGKILL), own_and_signal]
for call in calls:
    try:
        call()
    except OSError:
        pass
time.sleep(0.1)
try:
    os.kill(-1, 0)  # asks whether a signal to all could be sent, and sends none; in a namespace, there is nobody else
except OSError:
    raise KeyError
raise IndexError
"""


def test_a_program_cannot_end_or_stop_its_worker(any_runner):
    if "seccomp" not in any_runner.sandbox.layers:
        pytest.skip("this machine has no filter of system calls")
    with LocalRunner(num_workers=1, timeout=2.0, isolation=any_runner.sandbox.name) as local:
        local.run([Program(SUM_PROGRAM, SUM_TESTS)])
        worker = local._pool.workers[0]
        bad, good = local.run([Program(SEND, SUM_TESTS), Program(SUM_PROGRAM + "#", SUM_TESTS)])
        assert local._pool.workers == [worker]
    assert bad.outcome is Outcome.RUNTIME_ERROR, bad
    if not any_runner.sandbox.processes:  # in a namespace it may signal its own parent, which it harms by that alone
        assert bad.error_type == "KeyError"
    assert good.outcome is Outcome.PASS


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_files_of_a_program_do_not_outlive_a_caller_that_is_killed(isolation, tmp_path):
    source = "import time\nopen('left', 'w').write('x' * 10**6)\nprint(input(), flush=True)\ntime.sleep(60)"
    code = (
        f"from trl_rltf.execution import *\nlocal = LocalRunner(num_workers=1, isolation={isolation!r}, allow_code_eval=True)\n"
        f"local.run([Program('print(1)', {SUM_TESTS!r})])\nprint('ready', flush=True)\nlocal.run([Program({source!r}, {SUM_TESTS!r})])"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    caller = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert caller.stdout.readline() == "ready\n"
    time.sleep(0.5)
    caller.kill()
    caller.wait()
    caller.stdout.close()
    deadline = time.monotonic() + 20
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []
