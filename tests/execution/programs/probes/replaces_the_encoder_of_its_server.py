"""Make every value opaque, so that the tests would have to be decided in this process."""

import sys

remote = sys.modules["trl_rltf.execution.worker.referee.program_server"]
remote.encode = lambda value: {"opaque": "x"}
remote.is_plain = lambda data: True


def enc(s):
    return "?"
