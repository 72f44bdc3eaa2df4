"""What a program can reach of the Ray node that it runs on; the table of the docs says it for each isolation."""

import socket
from pathlib import Path

import pytest
from support import SUM_PROGRAM, SUM_TESTS

from trl_rltf.execution import Outcome, Program, SandboxError
from trl_rltf.execution.sandbox.isolation import choose_isolation


pytestmark = pytest.mark.slow

CONNECTS = """
import socket
for family, address in {targets!r}:
    try:
        socket.socket(family).connect(address)
        print("connected")
    except BaseException as error:
        print(type(error).__name__)
"""
OPENS = """
import os
for path in {paths!r}:
    try:
        os.listdir(path) if path.endswith("/") else open(path).read(1)
        print("opened")
    except BaseException as error:
        print(type(error).__name__)
"""


@pytest.fixture(scope="module")
def session(cluster):
    """Folder of Ray's session on this machine."""
    folder = Path(cluster.head_node.get_session_dir_path())
    assert folder.is_dir()
    return folder


def printed(runner, source):
    return runner.run([Program(source, {"inputs": [""], "outputs": [""]})])[0].stdout.split()


def targets(cluster):
    """Addresses that a process outside of the sandbox can connect to."""
    host, port = cluster.address.split(":")
    node = cluster.head_node
    found = [(socket.AF_INET, (host, int(port))), (socket.AF_UNIX, node.raylet_socket_name)]
    found = [(int(family), address) for family, address in found]
    for family, address in found:
        with socket.socket(family) as connection:
            connection.connect(address)
    return found


def test_no_program_can_connect_to_ray(any_runner, cluster):
    assert printed(any_runner, CONNECTS.format(targets=targets(cluster))) == ["PermissionError"] * 2


def test_no_program_on_a_node_can_connect_to_ray(ray_runner, cluster):
    assert printed(ray_runner(), CONNECTS.format(targets=targets(cluster))) == ["PermissionError"] * 2


def interesting(session):
    """Files with addresses, logs or passwords of Ray, and folders with its sockets and objects."""
    own = session / "address-of-redis-and-password"
    own.write_text("secret")
    token = Path.home() / ".ray" / "auth_token"
    files = [own, session / "logs" / "raylet.out", "/tmp/ray/ray_current_cluster", token]
    folders = ["/tmp/ray/", f"{session}/", f"{session}/sockets/"]
    return [*map(str, files), *folders]


@pytest.mark.parametrize("level", ["bubblewrap", "namespaces", "landlock"])
def test_the_files_of_ray_are_out_of_reach(level, ray_runner, session):
    try:
        choose_isolation(level)
    except SandboxError as error:
        pytest.skip(str(error))
    found = printed(ray_runner(isolation=level), OPENS.format(paths=interesting(session)))
    assert set(found) <= {"FileNotFoundError", "PermissionError"}
    assert len(found) == 7


def test_the_environment_of_ray_is_out_of_reach(any_runner, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert printed(any_runner, "import os\nprint(sorted(name for name in os.environ if 'RAY' in name))") == ["[]"]


def test_programs_that_signal_to_ray_leave_the_cluster_alive(any_runner, cluster):
    pids = [process.process.pid for kind in cluster.head_node.all_processes.values() for process in kind]
    assert pids
    source = f"import os\nfor pid in {pids}:\n    try:\n        os.kill(pid, 0)\n        print('reached')\n    except OSError as error:\n        print(type(error).__name__)\n"
    found = set(printed(any_runner, source))
    if any_runner.sandbox.processes:
        assert found <= {"ProcessLookupError", "PermissionError"}
    assert any_runner.run([Program(SUM_PROGRAM, SUM_TESTS)])[0].outcome is Outcome.PASS
