"""Addresses at which there is no cluster, which are refused at once."""

import socket
import time

import pytest

from trl_rltf.execution import SandboxError
from trl_rltf.execution.ray import RayRunner


pytest.importorskip("ray", reason="Ray is not installed: pip install 'trl-rltf[ray]'")


@pytest.fixture
def closed_port():
    """Number of a port at which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_an_address_at_which_nothing_listens_is_refused_at_once(closed_port):
    began = time.monotonic()
    with pytest.raises(SandboxError, match=f"There is no Ray cluster at '127.0.0.1:{closed_port}'"):
        RayRunner(f"127.0.0.1:{closed_port}", allow_code_eval=True)
    assert time.monotonic() - began < 30  # Ray itself tries for a quarter of an hour


def test_the_address_of_a_cluster_that_has_ended_is_refused_at_once(closed_port, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(f"127.0.0.1:{closed_port}")
    with pytest.raises(SandboxError, match="There is no Ray cluster at"):
        RayRunner(allow_code_eval=True)
