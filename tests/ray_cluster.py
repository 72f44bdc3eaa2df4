"""Start clusters of Ray on this machine, for tests."""

from __future__ import annotations

import os
from typing import Any

import pytest


SIZES = {"num_cpus": 1, "object_store_memory": 10**8}
_MAX_TRIES = 3


def start_cluster(num_nodes: int, **sizes: Any) -> Any:
    """
    Start a cluster whose nodes are processes of this machine, or skip the test if Ray is not installed.

    Args:
        num_nodes (`int`): Number of nodes.
        sizes (`Any`): Sizes of a node. Defaults to one CPU.

    Returns:
        `ray.cluster_utils.Cluster`: The cluster.
    """
    pytest.importorskip("ray", reason='Ray is not installed: pip install "trl-rltf[ray]"')
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # no connection to the internet
    for attempt in range(_MAX_TRIES):
        cluster = Cluster()
        try:
            cluster.add_node(**{**SIZES, **sizes}, include_dashboard=False)
            for _ in range(num_nodes - 1):
                cluster.add_node(**{**SIZES, **sizes})
            cluster.wait_for_nodes()
            return cluster
        except Exception:  # Ray gives a node 30 seconds to start, which a busy machine exceeds
            cluster.shutdown()
            if attempt == _MAX_TRIES - 1:
                raise
    return None
