"""Make the runner of a script: on this machine, or on a Ray cluster."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from ..execution import LocalRunner
from ..execution.batch_runner import BatchRunner
from ..execution.ray import RayRunner
from ..execution.runner import IsolationChoice


def make_runner(
    ray_address: str | None,
    *,
    timeout: float,
    num_workers: int | None = None,
    isolation: IsolationChoice = "auto",
    ray_num_cpus: float | None = None,
    ray_resources: Sequence[str] | None = None,
) -> BatchRunner:
    """
    Make the runner that the arguments of a script describe.

    Calling a script is the opt-in.

    Args:
        ray_address (`str` or `None`): Address of a Ray cluster; `None` grades on this machine.
        timeout (`float`): CPU seconds per unit test.
        num_workers (`int`, *optional*): Programs at a time, per node of a cluster. Defaults to the number of cores.
        isolation (`str`, *optional*, defaults to `"auto"`): Isolation of the programs, here or on the nodes.
        ray_num_cpus (`float`, *optional*): CPUs that the grader of a node asks Ray for. Defaults to all of the node.
        ray_resources (`Sequence[str]`, *optional*): Custom resources that it asks for, such as `grading=1`.

    Returns:
        [`~execution.LocalRunner`] or [`~execution.ray.RayRunner`]: The runner. The processes of one `accelerate launch` share
        the graders of a cluster.

    Raises:
        ValueError: If a resource is malformed, or Ray is described without the address of a cluster.
    """
    resources = parse_ray_arguments(ray_address, ray_num_cpus, ray_resources)
    if ray_address is None:
        return LocalRunner(num_workers, timeout, isolation=isolation, allow_code_eval=True)
    return RayRunner(
        ray_address,
        num_workers,
        resources,
        ray_num_cpus,
        name=_name_of_job(),
        timeout=timeout,
        isolation=isolation,
        allow_code_eval=True,
    )


def runner_of(arguments: Any) -> BatchRunner:
    """
    Make the runner of a script's arguments.

    Args:
        arguments (`Any`): Arguments with `ray_address`, `test_timeout`, `num_workers`, `isolation`, `ray_num_cpus` and
            `ray_resources`; see [`make_runner`].
    """
    return make_runner(
        arguments.ray_address,
        timeout=arguments.test_timeout,
        num_workers=arguments.num_workers,
        isolation=arguments.isolation,
        ray_num_cpus=arguments.ray_num_cpus,
        ray_resources=arguments.ray_resources,
    )


def parse_ray_arguments(
    ray_address: str | None, ray_num_cpus: float | None, ray_resources: Sequence[str] | None
) -> dict[str, float]:
    """
    Check the arguments that describe the graders on a Ray cluster.

    Args:
        ray_address (`str` or `None`): Address of the cluster.
        ray_num_cpus (`float` or `None`): CPUs that the grader of a node asks for.
        ray_resources (`Sequence[str]` or `None`): Custom resources that it asks for, such as `grading=1`.

    Returns:
        `dict[str, float]`: Amount of each custom resource.

    Raises:
        ValueError: If a resource is malformed, or Ray is described without the address of a cluster.
    """
    for name, value in (("ray_num_cpus", ray_num_cpus), ("ray_resources", ray_resources)):
        if value is not None and ray_address is None:
            raise ValueError(f"`{name}` is {value!r}, but there is no `ray_address`. Give the address of the cluster.")
    if ray_num_cpus is not None and not ray_num_cpus >= 0:
        raise ValueError(f"`ray_num_cpus` is {ray_num_cpus}, but must be a number of CPUs, at least 0.")
    resources = {}
    for pair in ray_resources or []:
        name, _, amount = pair.partition("=")
        try:
            resources[name] = float(amount)
        except ValueError:
            resources[name] = -1.0
        if not name or not 0 < resources[name] < float("inf"):
            raise ValueError(
                f"`ray_resources` has {pair!r}, but must have pairs of a name and an amount, such as grading=1."
            )
    return resources


def _name_of_job() -> str | None:
    """A name that the processes of a launch share, and no other launch has."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return None
    address, port = os.environ.get("MASTER_ADDR", ""), os.environ.get("MASTER_PORT", "")
    if address in ("", "localhost", "127.0.0.1", "::1"):
        # A launch on one node: its processes have the same parent.
        address = f"{socket.gethostname()} {os.getppid()}"
    return f"trl-rltf {address}:{port}"
