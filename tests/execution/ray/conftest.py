"""A cluster of three nodes on this machine, which the tests of a module share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes of one CPU each; this process is connected to the first."""
    ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "trl-rltf[ray]"')
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # no connection to the internet
    sizes = {"num_cpus": 1, "object_store_memory": 10**8}
    started = Cluster(initialize_head=True, head_node_args={**sizes, "include_dashboard": False})
    for _ in range(2):
        started.add_node(**sizes)
    started.wait_for_nodes()
    yield started
    ray.shutdown()
    started.shutdown()


@pytest.fixture
def ray_runner(cluster: Any) -> Iterator[Callable[..., Any]]:
    """A function that makes a runner on the cluster, which is closed at the end of the test."""
    from trl_rltf.execution.ray import RayRunner

    made = []

    def make(**arguments: Any) -> RayRunner:
        made.append(RayRunner(cluster.address, **{"timeout": 1.0, **arguments}))
        return made[-1]

    yield make
    for runner in made:
        runner.close()
