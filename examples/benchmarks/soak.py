"""Grade many programs in a row and look for leaks; part of `bench_execution.py`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table
from tqdm import tqdm

from trl_rltf.execution import LocalRunner, Outcome, Program

from .workloads import assert_workload, stdin_workload


_HOSTILE = (
    "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
    "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(300)\n",
    "import subprocess\nsubprocess.Popen(['sleep', '300'], start_new_session=True)\n",
    "data = []\nwhile True:\n    data.append(bytearray(10**7))\n",
    "import os\nfor i in range(50):\n    os.makedirs(f'{i}/a/b')\n    open(f'{i}/a/b/c', 'w').write('x' * 1000)\nos.chmod('0', 0)\n",
    "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "import ctypes\nctypes.string_at(0)\n",
    "import os\nos.kill(-1, 9)\n",
    "with open('big', 'wb') as file:\n    while True:\n        file.write(b'x' * 10**6)\n",
    "import os\nos._exit(0)\n",
)
_EVERY = 50  # one in fifty is hostile
_BATCH = 5000


def soak(runner: LocalRunner, num_programs: int) -> Table:
    """Tabulate memory, processes and files before, during and after the programs."""
    table = Table(
        "programs", "programs/s", "this process, MB", "workers, MB", "processes", "scratch entries", title="Soak"
    )
    progress = tqdm(total=num_programs, unit="program", desc="soak")
    began, done = time.perf_counter(), 0
    runner.run(list(_programs(0, 200)))
    table.add_row("200", "", *_traces(runner))
    while done < num_programs:
        count = min(_BATCH, num_programs - done)
        for index, report in enumerate(runner.stream(list(_programs(done, count)))):
            hostile = (done + index) % _EVERY == 0
            if (report.outcome is Outcome.PASS) == hostile or report.outcome is Outcome.NOT_GRADABLE:
                raise SystemExit(f"program {done + index} (hostile: {hostile}) was graded {report}")
            progress.update()
        done += count
        if done % (5 * _BATCH) == 0 or done == num_programs:
            table.add_row(str(done), f"{done / (time.perf_counter() - began):.0f}", *_traces(runner))
    progress.close()
    return table


def _programs(start: int, count: int) -> Iterator[Program]:
    functions, scripts = assert_workload(200), stdin_workload(40, num_tests=3)
    for number in range(start, start + count):
        good = functions[number % 200] if number % 10 else scripts[number % 40]
        if number % _EVERY == 0:
            yield Program(_HOSTILE[number // _EVERY % len(_HOSTILE)] + f"# {number}", good.tests)
        else:
            yield Program(good.source + f"# {number}", good.tests)


def _traces(runner: LocalRunner) -> tuple[str, str, str, str]:
    ours = [os.getpid()]
    for pid in ours:  # grows during the loop: all descendants, zombies too
        ours += _children(pid)
    memory = {pid: _resident_bytes(pid) for pid in ours}
    scratch = len([path for path in Path("/tmp").iterdir() if path.name.startswith("trl-rltf-")])
    workers = sum(size for pid, size in memory.items() if pid != os.getpid())
    return f"{memory[os.getpid()] / 1e6:.1f}", f"{workers / 1e6:.1f}", str(len(ours)), str(scratch)


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
