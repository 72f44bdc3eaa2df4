"""Connect to a Ray cluster, find its nodes, and start a grader on each."""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import __version__
from ..errors import SandboxError
from ..report import ExecutionReport
from ..sandbox.isolation import Isolation
from .grader import Grader, GradingRequest, Welcome


_CLIENTS_OF_A_SHARED_GRADER = 16
_DETACH_SECONDS = 5.0
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class GraderSettings:
    """
    What a client wants of the graders of a cluster; see [`RayRunner`].

    Args:
        arguments (`Mapping[str, Any]`): Arguments of the [`~execution.LocalRunner`] on each node.
        num_workers (`int` or `None`): Programs that run at the same time on a node.
        num_cpus (`float` or `None`): CPUs that a grader asks Ray for.
        resources (`Mapping[str, float]`): Custom resources that a grader asks Ray for.
        runtime_env (`Mapping[str, Any]` or `None`): Environment of Ray for the graders.
        name (`str` or `None`): Name of shared graders.
        namespace (`str`): Namespace of that name.
        num_requests (`int`): Requests that a client sends to a grader at a time.
        client (`str`, *optional*): Name of the client, made up.
    """

    arguments: Mapping[str, Any]
    num_workers: int | None
    num_cpus: float | None
    resources: Mapping[str, float]
    runtime_env: Mapping[str, Any] | None
    name: str | None
    namespace: str
    num_requests: int
    client: str = field(default_factory=lambda: uuid.uuid4().hex)


def import_ray() -> Any:
    """
    Import Ray.

    Raises:
        ImportError: If it is not installed. The message says how to install it.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            '`RayRunner` needs Ray, which is not installed. Install it with `pip install "trl-rltf[ray]"`, in the same '
            "version as on the nodes of the cluster."
        ) from error
    return ray


def connect(address: str | None, namespace: str) -> None:
    """
    Connect this process to a cluster, unless it is connected.

    Args:
        address (`str` or `None`): Address of the head node, `host:port`. `None` takes the connection of this process, the
            environment variable `RAY_ADDRESS`, or a cluster that runs on this machine, in this order.
        namespace (`str`): Namespace of the connection, if it is made here.

    Raises:
        SandboxError: If there is no cluster at this address.
        ValueError: If this process is connected to another cluster.
    """
    ray = import_ray()
    if ray.is_initialized():
        current = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", current) and "://" not in str(address):
            raise ValueError(
                f"`address` is {address!r}, but this process is connected to the Ray cluster {current!r}. Leave out `address`, or "
                "call `ray.shutdown()` before."
            )
        return
    _check_port(address or os.environ.get("RAY_ADDRESS") or _address_on_this_machine())
    try:
        ray.init(address=address or "auto", namespace=namespace, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SandboxError(
            f"There is no Ray cluster at `address={address!r}` ({error}). Start one with `ray start --head`, and pass its address."
        ) from error


def _address_on_this_machine() -> str:
    """The address that `ray start` wrote, maybe of a cluster that has ended."""
    path = Path(os.environ.get("RAY_TMPDIR", "/tmp"), "ray", "ray_current_cluster")
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return "auto"


def _check_port(address: str) -> None:
    """Refuse an address at which nothing listens: Ray tries for a quarter of an hour."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "://" in address:
        return  # another form, such as `ray://`: Ray decides
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise SandboxError(
            f"There is no Ray cluster at {address!r} ({error}). Start one with `ray start --head`, and pass its address."
        ) from error


class NodeGrader:
    """
    The grader of one node, as a client sees it.

    Args:
        settings ([`GraderSettings`]): What the client wants of it.
        node (`Mapping[str, Any]`): The node, as `ray.nodes` describes it.

    Attributes:
        node_id (`str`): Identifier of the node.
        label (`str`): Short description of the node, for messages.
        sandbox ([`~execution.Isolation`] or `None`): The isolation in force, once the grader has told it.
        num_running (`int`): Number of requests that it has not answered.
    """

    def __init__(self, settings: GraderSettings, node: Mapping[str, Any]):
        self.node_id: str = node["NodeID"]
        self.label = describe_node(node)
        self.sandbox: Isolation | None = None
        self.num_running = 0
        self._settings = settings
        self._actor = _start_actor(settings, node)

    def attach(self) -> Future[Welcome]:
        """Introduce the client, or renew its lease."""
        return self._actor.attach.remote(self._settings.client, self._settings.arguments, __version__).future()

    def grade(self, request: GradingRequest) -> Future[list[ExecutionReport]]:
        """Send a request. The future has the reports or an error."""
        return self._actor.grade.remote(request).future()

    def give_up(self, key: str) -> None:
        """Tell that the reports of a request are not wanted any more."""
        with contextlib.suppress(Exception):  # as in `stop`
            if import_ray().is_initialized():
                self._actor.give_up.remote(key)

    def stop(self) -> None:
        """End the grader; if it is shared, only leave it."""
        ray = import_ray()
        if not ray.is_initialized():  # Ray would connect again
            return
        with contextlib.suppress(Exception):  # the grader may have ended
            if self._settings.name is None:
                ray.kill(self._actor)
            else:
                ray.wait([self._actor.detach.remote(self._settings.client)], timeout=_DETACH_SECONDS)


def find_nodes(settings: GraderSettings) -> dict[str, dict[str, Any]]:
    """
    Find the nodes that could grade programs.

    Args:
        settings ([`GraderSettings`]): What the client wants of the graders.

    Returns:
        `dict[str, dict]`: Nodes that are alive and have the CPUs and the resources that a grader asks for, whether or not
        these are free, by their identifiers.

    Raises:
        ConnectionError: If this process is not connected to a cluster any more.
    """
    ray = import_ray()
    if not ray.is_initialized():  # Ray would start another cluster
        raise ConnectionError("this process is no longer connected to the Ray cluster")
    wanted = {"CPU": max(1.0, settings.num_cpus or 0.0), **settings.resources}
    return {
        node["NodeID"]: node
        for node in ray.nodes()
        if node["Alive"] and all(node["Resources"].get(name, 0.0) >= amount for name, amount in wanted.items())
    }


def describe_node(node: Mapping[str, Any]) -> str:
    """Describe a node for people."""
    return f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})"


def _start_actor(settings: GraderSettings, node: Mapping[str, Any]) -> Any:
    ray = import_ray()
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    cpus = node["Resources"]["CPU"]
    num_cpus = cpus if settings.num_cpus is None else settings.num_cpus
    is_shared = settings.name is not None
    options: dict[str, Any] = {
        "num_cpus": num_cpus,
        "resources": dict(settings.resources),
        # One more, so that a grader can answer while it grades.
        "max_concurrency": settings.num_requests * (_CLIENTS_OF_A_SHARED_GRADER if is_shared else 1) + 1,
        "scheduling_strategy": NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
    }
    if settings.runtime_env is not None:
        options["runtime_env"] = dict(settings.runtime_env)
    if is_shared:
        options |= {
            "name": f"{settings.name}:{node['NodeID']}",
            "namespace": settings.namespace,
            "get_if_exists": True,
            "lifetime": "detached",  # a grader does not end with the client that was the first
        }
    num_workers = settings.num_workers or max(1, int(num_cpus or cpus))
    return ray.remote(Grader).options(**options).remote(dict(settings.arguments), num_workers, is_shared)
