"""JSON after a fork: the same text and values as with `json`, with fewer pages of memory."""

import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from trl_rltf.execution.sandbox.command_check import worker_environment
from trl_rltf.execution.worker.fast_json import dump, load


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(values)
def test_it_writes_what_json_writes(value):
    assert dump(value) == json.dumps(value).encode()


@given(values)
def test_it_reads_what_json_writes(value):
    assert repr(load(json.dumps(value).encode())) == repr(json.loads(json.dumps(value)))


def test_tuples_are_lists_and_each_kind_of_text_is_kept():
    assert load(dump({"a": (1, [2.5]), "\ud800": "é\n😀", "": None})) == {"a": [1, [2.5]], "\ud800": "é\n😀", "": None}


def test_a_worker_imports_no_module_that_only_the_caller_needs():
    code = (
        "import sys, trl_rltf.execution.worker.__main__\n"
        "print({'pathlib', 'sysconfig', 'urllib.parse', 'subprocess', 'tempfile', 'random'} & set(sys.modules))"
    )
    command = [sys.executable, "-S", "-s", "-P", "-c", code]
    process = subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=True)
    assert process.stdout == "set()\n"
