"""Make the runner of a script: on this machine, or on a Ray cluster."""

from __future__ import annotations

import os
import socket

from ..execution import LocalRunner
from ..execution.batch_runner import BatchRunner
from ..execution.ray import RayRunner


def make_runner(ray_address: str | None, *, timeout: float, num_workers: int | None = None) -> BatchRunner:
    """
    Make the runner that the arguments of a script describe.

    Calling a script is the opt-in.

    Args:
        ray_address (`str` or `None`): Address of a Ray cluster; `None` grades on this machine.
        timeout (`float`): CPU seconds per unit test.
        num_workers (`int`, *optional*): Programs at a time, per node of a cluster. Defaults to the number of cores.

    Returns:
        [`~execution.LocalRunner`] or [`~execution.ray.RayRunner`]: The runner. The processes of one `accelerate launch` share
        the graders of a cluster.
    """
    if ray_address is None:
        return LocalRunner(num_workers, timeout, allow_code_eval=True)
    return RayRunner(ray_address, num_workers, name=_name_of_job(), timeout=timeout, allow_code_eval=True)


def _name_of_job() -> str | None:
    """A name that the processes of a launch share, and no other launch has."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return None
    address, port = os.environ.get("MASTER_ADDR", ""), os.environ.get("MASTER_PORT", "")
    if address in ("", "localhost", "127.0.0.1", "::1"):
        # A launch on one node: its processes have the same parent.
        address = f"{socket.gethostname()} {os.getppid()}"
    return f"trl-rltf {address}:{port}"
