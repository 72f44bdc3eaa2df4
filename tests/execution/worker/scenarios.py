"""Situations inside a worker, for a process that gives its descriptors away: `python scenarios.py NAME` prints JSON."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import sys
import tempfile
import time
from typing import Any

from trl_rltf.execution.sandbox.libc import PR_SET_CHILD_SUBREAPER, prctl
from trl_rltf.execution.wire.frames import pack_parts
from trl_rltf.execution.worker.child import CallerGone, ChildProcess, ChildTask
from trl_rltf.execution.worker.files import LOG, NULL, REFEREE_FDS, STDIN, STDOUT, MemoryFiles
from trl_rltf.execution.worker.program.interpreter import warm_up_interpreter
from trl_rltf.execution.worker.records import RecordKind, RecordWriter
from trl_rltf.execution.worker.referee.program_server import MessagePipe, make_pipes
from trl_rltf.execution.worker.supervisor import Supervisor
from trl_rltf.execution.worker.time_limits import Limits


LONG = Limits(20.0, 20.0, 20.0, 20.0)
FOREVER = 600


class Worker:
    """The files and the pipe of a worker, in this process."""

    def __init__(self) -> None:
        self.control, self.hang_up = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 100) for end in os.pipe())
        self.scratch = tempfile.mkdtemp()
        self.files = MemoryFiles()
        self.config: Any = {
            **{"timeout": 0.4, "wall_timeout": 20.0, "program_timeout": None, "memory_limit": 2**30},
            **{"output_limit": 2**16, "max_processes": 4, "scratch": [self.scratch], "open_devices": []},
        }
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.child = ChildProcess(self.control, self.config, self.files, False, lambda: None)

    def run(self, run: Any, limits: Limits = LONG) -> dict[str, Any]:
        """Run a task without preparation."""
        result = self.child.run(ChildTask(run, lambda: None), limits, num_tests=3)
        return {**result._asdict(), "records": [[record.kind, record.test] for record in result.records]}

    def grade(self, mode: str, program: dict[str, Any], tests: bytes = b"{}", **request: Any) -> dict[str, Any]:
        """Grade a program with a supervisor whose programs no filter keeps from it."""
        warm_up_interpreter()
        supervisor = Supervisor(self.control, self.config, self.files, request.pop("is_filtered", True), lambda: None)
        for file, content in ((self.files.program, json.dumps(program).encode()), (self.files.tests, tests)):
            source, sink = os.pipe()
            os.write(sink, content)
            file.fill_from(source, len(content))
        count = request["num_sent"]
        return dict(
            supervisor.grade(
                {
                    **{"mode": mode, "num_tests": count, "spent": (0, 0), "process_per_test": False},
                    **{"limits": {}, **request},
                }
            )
        )


def reports_and_ends() -> Any:
    def run(writer: RecordWriter) -> None:
        writer.send(RecordKind.DONE, 0)
        writer.send(RecordKind.DONE, 1)
        os._exit(7)

    return Worker().run(run)


def loops() -> Any:
    def run(writer: RecordWriter) -> None:
        while True:
            pass

    return Worker().run(run, LONG._replace(cpu=0.1))


def sleeps() -> Any:
    return Worker().run(lambda writer: time.sleep(FOREVER), LONG._replace(wall=0.1))


def sleeps_too_long_in_all() -> Any:
    return Worker().run(lambda writer: time.sleep(FOREVER), LONG._replace(total_wall=0.1))


def has_time_for_each_test() -> Any:
    def run(writer: RecordWriter) -> None:
        for test in range(3):
            time.sleep(0.4)
            writer.send(RecordKind.DONE, test)
        os._exit(0)

    return Worker().run(run, LONG._replace(wall=1.0))


def claims_later_times() -> Any:
    def run(writer: RecordWriter) -> None:
        writer._wall_clock = lambda: time.monotonic() + FOREVER  # in the hands of a program
        writer._cpu_clock = lambda: float(FOREVER)
        writer.send(RecordKind.DONE, 0)
        time.sleep(FOREVER)

    return Worker().run(run, LONG._replace(wall=0.3))


def starts_many_processes() -> Any:
    def run(writer: RecordWriter) -> None:
        for _ in range(10):
            if os.fork() == 0:
                time.sleep(FOREVER)
        time.sleep(FOREVER)

    return Worker().run(run)


def leaves_a_process_in_another_session() -> Any:
    worker = Worker()  # first: it takes the lowest descriptors
    source, sink = os.pipe()

    def prepare() -> None:
        if os.fork() == 0:
            os.setsid()
            os.write(sink, b"ready")
            time.sleep(FOREVER)
        os.read(source, 5)

    result = worker.child.run(ChildTask(lambda writer: os._exit(0), prepare), LONG, num_tests=0)
    return {"status": result.status, "children": _children()}


def fails_before_it_runs() -> Any:
    def prepare() -> None:
        raise ValueError("it is not JSON")

    return Worker().child.run(ChildTask(lambda writer: None, prepare), LONG, num_tests=0)._asdict()


def counts_the_time_of_children() -> Any:
    def run(writer: RecordWriter) -> None:
        if os.fork() == 0:
            end = time.process_time() + 0.3
            while time.process_time() < end:
                pass
            os._exit(0)
        os.wait()
        os._exit(0)

    return Worker().run(run)


def counts_the_time_of_each_program_alone() -> Any:
    worker = Worker()

    def spin(writer: RecordWriter) -> None:
        while time.process_time() < 0.3:
            pass
        os._exit(0)

    return [worker.run(run)["cpu"] for run in (spin, lambda writer: os._exit(0), spin)]


def descriptors_of_a_program() -> Any:
    os.dup2(0, 150)  # the caller's, for example

    def run(writer: RecordWriter) -> None:
        os.write(
            LOG, json.dumps([number for number in range(300) if os.path.exists(f"/proc/self/fd/{number}")]).encode()
        )
        os._exit(0)

    Worker().run(run)
    return json.loads(os.pread(LOG, 1000, 0))


def limits_of_a_program() -> Any:
    def run(writer: RecordWriter) -> None:
        names = ("RLIMIT_FSIZE", "RLIMIT_CPU")
        os.write(LOG, json.dumps({name: resource.getrlimit(getattr(resource, name)) for name in names}).encode())
        os._exit(0)

    Worker().run(run)
    return json.loads(os.pread(LOG, 1000, 0))


def has_a_partner() -> Any:
    """Two children talk to each other; the first prints and reports, the second writes to the same descriptors."""
    worker = Worker()
    main_pipes, partner_pipes = make_pipes()

    def judge(writer: RecordWriter) -> None:
        os.write(STDOUT, b"judge")
        pipe = MessagePipe(REFEREE_FDS)
        pipe.send("question")
        writer.send(RecordKind.DONE if pipe.receive() == "answer to question" else RecordKind.ERROR, 0)
        try:
            pipe.receive()
        except EOFError:  # the partner has ended
            writer.send(RecordKind.DONE, 1)
        os._exit(0)

    def program(writer: RecordWriter) -> None:
        os.write(STDOUT, b"program")
        os.write(LOG, b"forged")
        pipe = MessagePipe(REFEREE_FDS)
        pipe.send(f"answer to {pipe.receive()}")
        os._exit(7)

    main = ChildTask(judge, lambda: None, main_pipes)
    result = worker.child.run(main, LONG, 2, ChildTask(program, lambda: None, partner_pipes))
    log = os.pread(LOG, 1000, 0)
    return {
        "records": [[record.kind, record.test] for record in result.records],
        "status": result.status,
        "stdout": os.pread(STDOUT, 100, 0).decode(),
        "forged": b"forged" in log,
        "pipes_are_closed": not any(os.path.exists(f"/proc/self/fd/{end}") for end in (*main_pipes, *partner_pipes)),
    }


def caller_hangs_up() -> Any:
    worker = Worker()

    def run(writer: RecordWriter) -> None:
        time.sleep(FOREVER)

    os.close(worker.hang_up)
    try:
        worker.run(run)
    except CallerGone:
        return {"is_gone": True, "children": _children()}
    return {"is_gone": False}


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(number) for number in file.read().split()]


def files_are_renewed() -> Any:
    files = Worker().files
    before = _state()
    for descriptor in (STDIN, STDOUT, LOG):
        if descriptor != LOG:
            os.write(descriptor, b"message")
        os.fchmod(descriptor, 0o600)
        os.utime(descriptor, (1234, 1234))
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)
    fcntl.fcntl(NULL, fcntl.F_SETFL, os.O_NONBLOCK)
    changed = _state()
    files.renew()
    return {
        "before": before,
        "changed": changed,
        "after": _state(),
        "times": [os.fstat(number).st_mtime for number in (STDIN, STDOUT, LOG)],
    }


def _state() -> list[Any]:
    flags = [fcntl.fcntl(number, fcntl.F_GETFL) for number in (STDIN, STDOUT, LOG, NULL)]
    statuses = [os.fstat(number) for number in (STDIN, STDOUT, LOG)]
    places = [os.lseek(number, 0, os.SEEK_CUR) for number in (STDIN, STDOUT, LOG)]
    return [flags, places, [[status.st_size, status.st_mode] for status in statuses]]


def output_is_moved() -> Any:
    files = Worker().files
    moved = []
    for size, whole in ((10, False), (5000, False), (5000, True), (100_000, True)):
        os.ftruncate(STDOUT, 0)
        os.pwrite(STDOUT, b"x" * size, 0)
        moved.append(files.move_output(whole, 2**16))
    return {"moved": moved, "answers": files.answers.size}


FUNCTION = {
    **{"early_setup": "", "own_names": [], "setup": "", "built_in": [], "required": [["f"]], "whole_module": False},
    "mode": "expression",
}
LOOPS_FOR_ZERO = "def f(n):\n    while n == 0:\n        pass\n    return n"


def _grade_functions(source: str, expressions: list[str], timeout: float = 0.4, **request: Any) -> Any:
    worker = Worker()
    worker.config["timeout"] = timeout
    probes = [{"expression": expression} for expression in expressions]
    program = {**FUNCTION, "source": source, "probes": probes}
    reply = worker.grade("expression", program, num_sent=len(probes), **request)
    answers = os.pread(worker.files.answers._descriptor, 10_000, 0)
    values = [answers[start : start + size].decode() for start, size in (test["values"] for test in reply["tests"])]
    return {**reply, "values": values}


def grades_functions() -> Any:
    return _grade_functions("def f(n):\n    return [n] * n", ["f(1)", "f('x')", "f(2)"])


def locates_an_error() -> Any:
    return _grade_functions("def f(n):\n    y = 3\n    return y + 1 // n", ["f(0)"])


def grades_after_one_timeout() -> Any:
    return _grade_functions(LOOPS_FOR_ZERO, ["f(1)", "f(0)", "f(2)"], timeout=1.0)


def grades_after_two_timeouts() -> Any:
    return _grade_functions(LOOPS_FOR_ZERO, ["f(0)", "f(0)", "f(1)"])


def grades_a_program_that_has_used_its_time() -> Any:
    return _grade_functions("def f(n):\n    return n", ["f(1)", "f(2)"], spent=(100.0, 1.0))


def grades_a_program_that_lowers_a_limit() -> Any:
    source = "import os, resource\ndef f(n):\n    resource.prlimit(os.getppid(), resource.RLIMIT_MSGQUEUE, (0, 0))\n    return n"
    return _grade_functions(source, ["f(1)"], is_filtered=False)


def grades_a_program_that_removes_its_folder() -> Any:
    source = (
        "import os\ndef f(n):\n    folder = os.path.dirname(os.getcwd())\n    os.rename(folder, folder + '-moved')"
    )
    worker = Worker()
    folder = os.path.join(worker.scratch, "outer", "folder")
    os.makedirs(folder)
    os.chdir(folder)
    worker.config["scratch"] = [folder]
    program = {**FUNCTION, "source": source, "probes": [{"expression": "f(1)"}]}
    return worker.grade("expression", program, num_sent=1)


def _grade_script(source: str, inputs: list[str]) -> Any:
    worker = Worker()
    os.chdir(worker.scratch)
    tests = pack_parts([text.encode() for text in inputs])
    reply = worker.grade("stdin", {"source": source}, tests, num_sent=len(inputs))
    answers = os.pread(worker.files.answers._descriptor, 10_000, 0)
    printed = [answers[start : start + size].decode() for start, size in (test["stdout"] for test in reply["tests"])]
    return {**reply, "printed": printed}


def grades_a_script() -> Any:
    return _grade_script("print(int(input()) * 2)", ["1\n", "x\n", "3\n"])


def grades_a_script_that_leaves_a_file() -> Any:
    return _grade_script("import os\nprint(os.listdir())\nopen('message', 'w').close()", ["", "", ""])


def grades_a_script_that_does_not_compile() -> Any:
    return _grade_script("print(1", ["", ""])


def main() -> None:
    """Run the scenario that is named on the command line."""
    output = fcntl.fcntl(1, fcntl.F_DUPFD, 200)
    signal.alarm(60)  # for a scenario that hangs
    os.write(output, json.dumps(globals()[sys.argv[1]]()).encode())
    os._exit(0)


if __name__ == "__main__":
    main()
