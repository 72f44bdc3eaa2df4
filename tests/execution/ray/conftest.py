"""A cluster of three nodes on this machine, which the tests of a module share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ray_cluster import start_cluster

from trl_rltf.execution.ray import RayRunner


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes of one CPU each; this process is connected to the first."""
    started = start_cluster(3)
    yield started
    import ray

    ray.shutdown()
    started.shutdown()


@pytest.fixture
def ray_runner(cluster: Any) -> Iterator[Callable[..., RayRunner]]:
    """A function that makes a runner on the cluster, which is closed at the end of the test."""
    made = []

    def make(**arguments: Any) -> RayRunner:
        made.append(RayRunner(cluster.address, **{"timeout": 1.0, **arguments}))
        return made[-1]

    yield make
    for runner in made:
        runner.close()
