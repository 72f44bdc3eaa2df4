"""The calling process takes little CPU time per program, since one of its threads serves all workers."""

import time

import pytest

from trl_rltf.execution import LocalRunner, Outcome, Program


# CPU seconds per program. `examples/bench_scaling.py` measures a fifth of this on an idle machine, and more than half with fifteen
# busy processes per core, which leave nothing in the caches.
_MAX_SECONDS = {"asserts": 1e-3, "scripts": 2e-3}
_FUNCTION = "def double(number):\n    return 2 * number\n"
_ASSERTS = {"asserts": ["assert double(1) == 2", "assert double(0) == 0", "assert double(-3) == -6"]}
_SCRIPT = "print(2 * int(input()))\n"
_INPUTS = {"inputs": [f"{i}\n" for i in range(10)], "outputs": [f"{2 * i}\n" for i in range(10)]}


@pytest.mark.parametrize(
    ("kind", "source", "tests"), [("asserts", _FUNCTION, _ASSERTS), ("scripts", _SCRIPT, _INPUTS)]
)
def test_a_program_takes_the_caller_little_cpu_time(kind, source, tests):
    seconds = []
    with LocalRunner(num_workers=4, isolation="process") as runner:
        for repetition in range(4):
            programs = [Program(f"{source}# {repetition} {i}", tests) for i in range(100 if kind == "asserts" else 25)]
            began = time.process_time()  # of this process, without its workers
            reports = runner.run(programs)
            seconds.append((time.process_time() - began) / len(programs))
            assert {report.outcome for report in reports} == {Outcome.PASS}
    assert min(seconds) < _MAX_SECONDS[kind]
