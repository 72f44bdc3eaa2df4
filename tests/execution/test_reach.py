"""Programs see and change nothing of the machine but the files and calls that the table of the docs lists."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ISOLATIONS, ROOT
from processes import tree, wait_until, worker_pids
from programs import source
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import LocalRunner, Outcome, Program
from trl_rltf.execution.sandbox.mechanisms import MECHANISMS


CALLERS = Path(__file__).parent / "callers"
IS_REFUSED = {"FileNotFoundError", "PermissionError"}


def one_run(text=""):
    return {"inputs": [text], "outputs": [""]}


def printed(runner, name, text=""):
    """The words that a program of the folder `probes` prints for an input."""
    return runner.run([Program(source("probes", name), one_run(text))])[0].stdout.split()


@pytest.fixture
def filtered_runner(any_runner):
    """A runner of each isolation on a machine where system calls can be filtered."""
    if "seccomp" not in any_runner.sandbox.layers:
        pytest.skip("this machine has no filter of system calls")
    return any_runner


def test_the_files_of_the_checkout_are_out_of_sight(sealed_runner):
    names = ["trl_rltf/mini/problems.py", "trl_rltf/execution/report.py", "pyproject.toml", "docs/execution.md"]
    paths = [ROOT / name for name in [*names, "tests/execution/test_reach.py"]]
    assert all(path.is_file() for path in paths)
    seen = printed(sealed_runner, "opens_paths", "\n".join(map(str, paths)))
    assert len(seen) == len(paths)
    assert set(seen) <= IS_REFUSED


@pytest.mark.parametrize("place", ["lib/python{}.{}/site-packages", "src/app"])
def test_an_installed_package_is_out_of_sight_and_its_neighbours_are_not(
    sealed_runner, place, virtual_environment, run_script
):
    """As after `pip install trl-rltf`, and as in a checkout inside the folder of the interpreter."""
    root = virtual_environment / place.format(*sys.version_info)
    copy_package(root)
    libraries = virtual_environment / "lib/python{}.{}/site-packages".format(*sys.version_info)
    (libraries / "neighbour.py").write_text("value = 3\n")
    hidden = [root / "trl_rltf" / "mini" / "problems.py"]
    if place == "src/app":
        shutil.copy(ROOT / "pyproject.toml", root)
        (root / "tests").mkdir()
        (root / "tests" / "answers.txt").write_text("3")
        hidden += [root / "pyproject.toml", root / "tests" / "answers.txt"]
    assert all(path.is_file() for path in hidden)
    program = {
        "source": source("probes", "opens_paths_next_to_a_module"),
        "tests": one_run("\n".join(map(str, hidden))),
    }
    result = run_script(
        CALLERS / "grade.py",
        sealed_runner.sandbox.name,
        json.dumps([program]),
        python=virtual_environment / "bin" / "python",
        env={"PYTHONPATH": str(root)},
        cwd="/",
    )
    _, (_, output) = map(json.loads, result.stdout.splitlines())
    value, *seen = output.split()
    assert value == "3"
    assert len(seen) == len(hidden), result
    assert set(seen) <= IS_REFUSED


def copy_package(folder):
    """Put a copy of the package into a folder."""
    shutil.copytree(ROOT / "trl_rltf", folder / "trl_rltf", ignore=shutil.ignore_patterns("__pycache__"))


def test_the_names_sizes_and_times_of_other_files_are_out_of_sight(sealed_runner, tmp_path):
    if not sealed_runner.sandbox.has_own_root:
        pytest.skip("Landlock alone has no rule for the attributes of files; the docs say so")
    canary = tmp_path / "canary"
    canary.write_text("x")
    paths = [str(canary), str(tmp_path), "/etc/passwd", "/boot"]
    assert printed(sealed_runner, "asks_about_paths", "\n".join(paths)) == ["2"] * 8


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


def test_requests_that_change_attributes_of_files_or_ask_about_the_machine_are_refused(filtered_runner):
    requests = [number for numbers in REQUESTS.values() for number in numbers]
    results = printed(filtered_runner, "makes_device_requests", " ".join(map(str, requests)))
    assert results[1::2] == ["EPERM"] * 2 * len(requests)


def test_requests_that_any_program_makes_are_allowed(any_runner):
    expected = ["5", "True", "False", "False", "False", "True"]
    assert printed(any_runner, "makes_common_requests") == expected


def test_changes_in_folders_of_others_cannot_be_watched(filtered_runner):
    assert printed(filtered_runner, "watches_folders") == ["-1"] * 4


def test_the_pages_of_a_file_that_are_in_memory_can_be_neither_listed_nor_dropped(filtered_runner):
    assert printed(filtered_runner, "asks_about_cached_pages") == ["refused", "refused", "-1", "1"]


def test_attributes_of_devices_stay_as_they_are(sealed_runner):
    # Any user who may write can set times to now.
    assert printed(sealed_runner, "changes_devices", "now" if os.getuid() == 0 else "then") == []


def test_times_of_devices_are_now_for_each_test(sealed_runner):
    if os.getuid() == 0 or sealed_runner.sandbox.name != "bubblewrap":
        pytest.skip("here they cannot be set")
    tests = {"inputs": [""] * 3, "outputs": ["True"] * 3}
    (report,) = sealed_runner.run([Program(source("probes", "sets_the_times_of_a_device"), tests)])
    assert report.outcome is Outcome.PASS, report


def test_tables_of_the_kernel_are_out_of_sight(sealed_runner):
    assert printed(sealed_runner, "reads_kernel_tables") == []


def test_the_files_of_proc_that_programs_read_are_there_under_bubblewrap():
    try:
        with LocalRunner(num_workers=1, isolation="bubblewrap") as local:
            assert printed(local, "reads_common_proc_files") == ["True"] * 8
    except RuntimeError as error:
        pytest.skip(str(error))


def test_the_memory_of_the_caller_and_of_the_worker_is_out_of_reach(any_runner):
    if any_runner.sandbox.name == "process" and "Landlock" not in any_runner.sandbox.layers[0]:
        pytest.skip("without Landlock a program can look into any process of the same user; the docs say so")
    names = "mem" if os.getuid() == 0 and any_runner.sandbox.name == "process" else "mem environ"
    assert printed(any_runner, "opens_memory_of_others", f"{os.getpid()} {names}") == []


def test_the_memory_of_a_caller_without_privileges_is_out_of_reach(tmp_path, run_script):
    """To read root's memory takes privileges, which programs never have. Another caller has the same rights as a program."""
    python = "/usr/bin/python3"
    if not (MECHANISMS["process"].changes_user() and os.path.exists(python)):
        pytest.skip("the test changes the user, and needs a Python that each user can read")
    if run_script("import sys; sys.exit(sys.version_info < (3, 11))", python=python, check=False).returncode:
        pytest.skip(f"{python} is too old")
    package = tmp_path / "package"
    copy_package(package)
    shutil.copy(CALLERS / "grade.py", package)
    for folder in (*tmp_path.parents, tmp_path):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    program = {
        "source": source("probes", "opens_memory_of_others"),
        "tests": one_run("CALLER_PID mem environ"),
    }
    result = run_script(
        package / "grade.py",
        "process",
        json.dumps([program]),
        python=python,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"},
        user=65534,
        group=65534,
        extra_groups=[],
        cwd="/",
    )
    layers, report = map(json.loads, result.stdout.splitlines())
    if "Landlock" not in layers[0]:
        pytest.skip("the kernel has no Landlock")
    assert report == ["PASS", ""]


def test_a_program_cannot_end_or_stop_its_worker(filtered_runner):
    with LocalRunner(num_workers=1, timeout=2.0, isolation=filtered_runner.sandbox.name) as local:
        local.run([Program(SUM_PROGRAM, SUM_TESTS)])
        workers = worker_pids(local)
        signals = Program(source("probes", "signals_its_worker"), SUM_TESTS)
        bad, good = local.run([signals, Program(SUM_PROGRAM + "#", SUM_TESTS)])
        assert worker_pids(local) == workers
    assert bad.outcome is Outcome.RUNTIME_ERROR, bad
    if not local.sandbox.processes:  # in a namespace it may signal its parent, which harms nothing but itself
        assert bad.error_type == "KeyError"
    assert good.outcome is Outcome.PASS


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_files_of_a_program_do_not_outlive_a_caller_that_is_killed(isolation, tmp_path, start_script):
    program = source("probes", "leaves_a_large_file")
    options = {"env": {"TMPDIR": str(tmp_path)}, "stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    caller = start_script(CALLERS / "wait_for_program.py", isolation, 1, program, **options)
    (worker,) = map(int, caller.stdout.readline().split())
    assert list(tmp_path.iterdir()) or isolation == "bubblewrap"
    num_processes = len(tree(worker))
    caller.stdin.write("\n")
    caller.stdin.flush()
    assert wait_until(lambda: len(tree(worker)) > num_processes)
    caller.kill()
    caller.wait()
    assert wait_until(lambda: not list(tmp_path.iterdir())), list(tmp_path.iterdir())
