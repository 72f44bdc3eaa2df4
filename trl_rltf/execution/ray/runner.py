"""Grade batches of programs on the nodes of a Ray cluster."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ..batch_runner import BatchRunner
from ..errors import SandboxError
from ..limits import check_limits, worker_limits
from ..program import Program, check_opt_in
from ..runner import LocalRunner
from ..sandbox.isolation import Isolation, check_isolation
from ..unit_tests.formats import Checker
from ..unit_tests.unit_test import UnitTests
from .nodes import GraderSettings, connect, import_ray
from .pool import RayPool
from .tasks import RemoteJob


_LIMITS = ("timeout", "wall_timeout", "program_timeout", "memory_limit", "output_limit", "max_processes")


class RayRunner(BatchRunner):
    """
    Grade programs on the nodes of a Ray cluster, with a [`LocalRunner`] on each.

    It has the methods of [`LocalRunner`], and gives the same reports. Programs run inside the sandbox of a node; expected outputs
    go to the grader of the node, an actor of Ray, which compares the answers. Nodes that join the cluster are used from the
    next call on. If a node or a grader is lost, its programs are sent to the others.

    Every node needs this package and Ray, in the versions of the caller; it needs neither torch nor a model.

    Args:
        address (`str`, *optional*):
            Address of the cluster, `host:port`. Defaults to the cluster that this process is connected to, that of the environment
            variable `RAY_ADDRESS`, or one that runs on this machine, in this order.
        num_workers (`int`, *optional*):
            Number of programs that run at the same time on a node. Defaults to `num_cpus`, or to all CPUs of the node.
        resources (`Mapping[str, float]`, *optional*):
            Custom resources that the grader of a node asks Ray for, such as `{"grading": 1}`. Nodes without them are not used.
        num_cpus (`float`, *optional*):
            CPUs that the grader of a node asks Ray for. Defaults to all CPUs of the node; `0` shares them with other actors.
        batch_size (`int`, *optional*, defaults to `32`):
            Maximum number of programs that are sent together. A call with few programs is divided evenly among the nodes.
        max_concurrent_batches (`int`, *optional*, defaults to `2`):
            Number of such batches that a node has at a time; the others wait in this process. A node with more than
            `batch_size * max_concurrent_batches / 2` workers needs larger numbers.
        max_task_retries (`int`, *optional*, defaults to `2`):
            How often a batch is sent again after the grader that had it was lost. Then its programs are `NOT_GRADABLE`.
        name (`str`, *optional*):
            Name under which the graders are shared by several processes, such as the ranks of a training. They end when the last of
            these processes has closed its runner, or has ended; five minutes later if it was killed.
        namespace (`str`, *optional*, defaults to `"trl_rltf"`):
            Ray's namespace for that name.
        runtime_env (`Mapping[str, Any]`, *optional*):
            Ray's environment for the graders, such as `{"pip": ["trl-rltf[ray]"]}`.
        **local_runner_arguments:
            Arguments of the [`LocalRunner`] on each node: limits, `isolation`, `checker`, `allow_code_eval`, and so on. A checker is
            pickled by value if it is defined in the script that runs, else by the name of its module, which every node then needs.

    Attributes:
        sandboxes (`dict[str, Isolation]`): The isolation in force on each node that grades, by Ray's identifier of the node.
        left_out (`dict[str, str]`): Why a node does not grade, by Ray's identifier of the node.

    Raises:
        ImportError: If Ray is not installed.
        SandboxError: If there is no cluster, or no node with the isolation that is asked for. A node without it is left out, with a
            warning.
        TypeError: If an argument is not one of [`LocalRunner`].
        ValueError: If an argument is out of range, or without an opt-in, which counts for all nodes.
    """

    def __init__(
        self,
        address: str | None = None,
        num_workers: int | None = None,
        resources: Mapping[str, float] | None = None,
        num_cpus: float | None = None,
        batch_size: int = 32,
        max_concurrent_batches: int = 2,
        max_task_retries: int = 2,
        name: str | None = None,
        namespace: str = "trl_rltf",
        runtime_env: Mapping[str, Any] | None = None,
        **local_runner_arguments: Any,
    ):
        arguments = _check_arguments(local_runner_arguments)
        check_opt_in(arguments.pop("allow_code_eval"))
        checker: Checker | None = arguments.pop("checker")
        super().__init__(arguments["strict_comparison"], checker)
        counts = {"batch_size": batch_size, "max_concurrent_batches": max_concurrent_batches}
        check_limits(counts if num_workers is None else {"num_workers": num_workers, **counts})
        if isinstance(max_task_retries, bool) or not isinstance(max_task_retries, int) or max_task_retries < 0:
            raise ValueError(f"`max_task_retries` is {max_task_retries!r}, but must be a whole number, at least 0.")
        for label, amount in {"num_cpus": num_cpus or 0, **(resources or {})}.items():
            if isinstance(amount, bool) or not isinstance(amount, (int, float)) or amount < 0:
                raise ValueError(f"`{label}` is {amount!r}, but must be a number, at least 0.")
        if name == "":
            raise ValueError(
                "`name` is empty, but must be a name for the graders, or None for graders of this process alone."
            )
        self.batch_size = batch_size
        self.max_task_retries = max_task_retries
        self.timeout: float = arguments["timeout"]
        self._address = address
        self._settings = GraderSettings(
            arguments=arguments,
            num_workers=num_workers,
            num_cpus=num_cpus,
            resources=dict(resources or {}),
            runtime_env=runtime_env,
            name=name,
            namespace=namespace,
            num_requests=max_concurrent_batches,
        )
        import_ray()
        self._process = os.getpid()
        self._ray_pool = self._make_pool()
        self._pool = self._ray_pool

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_ray_pool": None, "_process": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._process = os.getpid()
        self._pool = self._ray_pool = self._make_pool()  # a copy in another process connects to the cluster itself

    @property
    def sandboxes(self) -> dict[str, Isolation]:
        """The isolation in force on each node that grades, by Ray's identifier."""
        return dict(self._ray_pool.sandboxes)

    @property
    def left_out(self) -> dict[str, str]:
        """Why a node does not grade, by Ray's identifier of the node."""
        return dict(self._ray_pool.left_out)

    def _make_pool(self) -> RayPool:
        if os.getpid() != self._process:
            raise SandboxError(
                "This process was forked from one with a `RayRunner`, and cannot use its connection to Ray. Start it with the method "
                "`spawn`, and make a runner in it."
            )
        connect(self._address, self._settings.namespace)
        pool = RayPool(self._settings, self.batch_size, self.max_task_retries)
        try:
            pool.wait_for_graders()
        except BaseException:
            pool.close()
            raise
        finally:
            _warn(pool)
        self._ray_pool = pool
        return pool

    def _make_jobs(self, distinct: Sequence[tuple[int, Program, UnitTests]]) -> list[RemoteJob]:
        _warn(self._ray_pool)  # of the nodes that have joined
        pickled: dict[int, bytes] = {}
        jobs = []
        for index, program, tests in distinct:
            checker = self.checker if program.checker is None else program.checker
            if checker is not None and id(checker) not in pickled:
                pickled[id(checker)] = _pickle(checker, index)
            jobs.append(RemoteJob(program, tests, None if checker is None else pickled[id(checker)]))
        return jobs


def _check_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of `LocalRunner` but `num_workers`, and add its defaults."""
    parameters = inspect.signature(LocalRunner).parameters
    arguments = {name: parameter.default for name, parameter in parameters.items() if name != "num_workers"}
    unknown = sorted(set(given) - set(arguments))
    if unknown:
        raise TypeError(
            f"`RayRunner` got {', '.join(f'`{name}`' for name in unknown)}, but must get arguments of `LocalRunner`: "
            f"{', '.join(arguments)}."
        )
    arguments |= given
    worker_limits(**{name: arguments[name] for name in _LIMITS})
    check_isolation(arguments["isolation"])
    return arguments


def _pickle(checker: Checker, index: int) -> bytes:
    cloudpickle = import_ray().cloudpickle
    try:
        return bytes(cloudpickle.dumps(checker))
    except Exception as error:
        raise ValueError(
            f"program {index}: `checker` cannot be sent to another process ({type(error).__name__}: {error}). Use a function that "
            "holds no open files, locks or connections."
        ) from error


def _warn(pool: RayPool) -> None:
    for message in pool.pop_warnings():
        warnings.warn(message, stacklevel=4)
