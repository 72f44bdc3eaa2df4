"""Limits are checked when a runner is made, and cores are shared between training processes."""

import contextlib
import os
import typing

import pytest

from trl_rltf.execution import LocalRunner, SandboxError
from trl_rltf.execution.limits import check_limits, default_num_workers
from trl_rltf.execution.runner import IsolationChoice


LIMITS = {"num_workers": 1, "timeout": 0.5, "program_timeout": None, "memory_limit": 2**26, "max_processes": 1}


def test_the_smallest_limits_are_accepted():
    check_limits(LIMITS)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"timeout": 0}, "`timeout` is 0, but must be a number of seconds above 0"),
        ({"timeout": -1.5}, "`timeout` is -1.5"),
        ({"timeout": float("nan")}, "`timeout` is nan"),
        ({"timeout": True}, "`timeout` is True"),
        ({"timeout": None}, "`timeout` is None"),
        ({"program_timeout": "9"}, "`program_timeout` is '9'"),
        ({"num_workers": 1.0}, "`num_workers` is 1.0, but must be a whole number above 0"),
        ({"max_processes": 0}, "`max_processes` is 0"),
        ({"memory_limit": None}, "`memory_limit` is None"),
        ({"memory_limit": 2**26 - 1}, r"`memory_limit` is 67108863 bytes, but Python itself needs at least 2\*\*26"),
    ],
)
def test_a_limit_out_of_range_is_named(limit, message):
    with pytest.raises(ValueError, match=message):
        check_limits({**LIMITS, **limit})


@pytest.mark.parametrize(("cores", "processes", "workers"), [(8, "2", 4), (8, "3", 2), (2, "8", 1), (5, None, 5)])
def test_the_cores_are_shared_between_the_processes_of_a_launch(monkeypatch, cores, processes, workers):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if processes is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert default_num_workers() == workers


@pytest.mark.parametrize("isolation", typing.get_args(IsolationChoice))
@pytest.mark.filterwarnings("ignore:Programs run")
def test_each_isolation_in_the_signature_can_be_asked_for(isolation):
    with contextlib.suppress(SandboxError):  # it may not work on this machine, but it is not a `ValueError`
        LocalRunner(isolation=isolation).close()


def test_only_the_number_of_workers_and_the_timeout_are_positional():
    with LocalRunner(3, 1.5, isolation="process") as local:
        assert (local.num_workers, local.timeout, local.wall_timeout) == (3, 1.5, 4.5)
    with pytest.raises(TypeError, match="positional"):
        LocalRunner(3, 1.5, 2.0)
