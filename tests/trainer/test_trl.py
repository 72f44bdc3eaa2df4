"""All that is used of TRL's inside is listed in one module, and checked when a trainer is made."""

import ast
import inspect
import textwrap
import tomllib

import pytest
import trl
from source import PACKAGE, ROOT
from support import by_length
from trl import GRPOTrainer

from trl_rltf.trainer import _trl
from trl_rltf.trainer.samples import Batch


SOURCES = {path.name: path.read_text() for path in sorted((PACKAGE / "trainer").glob("*.py"))}
ATTRIBUTES = {
    *_trl.ATTRIBUTES,
    *_trl.OPTIONAL_ATTRIBUTES,
    *_trl.TRANSFORMERS_ATTRIBUTES,
    *_trl.VLLM_ATTRIBUTES,
    *_trl.CLASS_ATTRIBUTES,
}
LISTED = {*_trl.METHODS, *ATTRIBUTES}
BATCHES = {"batch", "batches", "inputs", "sample", "drawn", "part"}  # names of variables that hold batches


def is_trainer(node):
    return isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("GRPOTrainer") for base in node.bases)


def is_self_or_super(node):
    return ast.unparse(node) in ("self", "super()")


def assigned(tree):
    """Names of attributes that code assigns to `self`."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self_or_super(node.value)
    }


def defined(tree):
    """Names of methods and attributes in the body of a class."""
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("__")}


def inherited():
    """Names that a trainer has from TRL and transformers: of its classes, and assigned to instances."""
    names = {name for name in dir(GRPOTrainer) if not name.startswith("__")}
    for parent in GRPOTrainer.__mro__[:-1]:
        names |= assigned(ast.parse(textwrap.dedent(inspect.getsource(parent))))
    return names


INHERITED = inherited()
OURS = {
    name
    for text in SOURCES.values()
    for node in ast.walk(ast.parse(text))
    if is_trainer(node)
    for name in defined(node) | assigned(node)
} - INHERITED


def used(text):
    """Names of a trainer that a module uses or overrides, and that are not its own."""
    names = set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if is_trainer(node):
            names |= defined(node) & INHERITED
            names |= {
                part.attr
                for part in ast.walk(node)
                if isinstance(part, ast.Attribute) and is_self_or_super(part.value)
            }
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("trainer", "rollouts", "self._rollouts"):
            names.add(node.attr)
    names = {name for name in names if not name.startswith("__")}
    return {name for name in names - OURS if name in INHERITED or name.startswith("_")}


def inner_imports(text):
    """Modules inside of TRL that a module imports from."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if alias.name not in trl.__all__}
    return {name for name in found if name.startswith("trl.")}


def batch_keys(text):
    """Text that a module uses as a key of a batch."""
    keys = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Subscript):
            holder, key = node.value, node.slice
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".get", ".pop")) and node.args:
            holder, key = node.func.value, node.args[0]
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            holder, key = node.comparators[0], node.left
        else:
            continue
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            names = {part.id for part in ast.walk(holder) if isinstance(part, ast.Name)}
            keys |= {key.value} if names & BATCHES else set()
    return keys


def texts(text):
    """All texts in a module."""
    return {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}


def keys_of_trl():
    """Keys of the batches that TRL passes to its loss."""
    method = ast.parse(textwrap.dedent(inspect.getsource(GRPOTrainer._generate_and_score_completions)))
    keys = set()
    for node in ast.walk(method):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "output":
            keys |= {key.value for key in node.value.keys}
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "output":
            keys.add(node.slice.value)
    return keys


def test_every_name_of_a_trainer_that_is_used_is_listed():
    assert {name: used(text) - LISTED for name, text in SOURCES.items() if used(text) - LISTED} == {}


def test_every_listed_name_is_used():
    assert set.union(*map(used, SOURCES.values())) == LISTED


def test_other_modules_import_from_the_inside_of_trl_through_that_list():
    assert {name for name, text in SOURCES.items() if inner_imports(text)} == {"_trl.py"}


def test_every_key_of_a_batch_that_is_used_is_listed():
    listed = set(Batch.__optional_keys__)
    of_trl = keys_of_trl()
    for name, text in SOURCES.items():
        assert batch_keys(text) - listed == set(), name
        assert (texts(text) & of_trl) - set(_trl.GenerationBatch.__optional_keys__) == set(), name


def test_every_listed_key_is_one_of_trl():
    assert set(_trl.GenerationBatch.__optional_keys__) <= keys_of_trl()
    ours = set(Batch.__optional_keys__) - set(_trl.GenerationBatch.__optional_keys__)
    assert not ours & keys_of_trl()


def test_a_new_private_name_would_be_found():
    text = """
import trl.models
from trl import GRPOTrainer, profiling
from trl.trainer.utils import pad

class RLTFTrainer(Seq2SeqGRPOTrainer):
    _template_file = None

    def _tool_call_loop(self, batch):
        self._no_such_name()
        super()._get_tool_suffix_ids([])
        return self.ref_model, self.use_vllm, self._step, batch["token_type_ids"], batch.get("made_up")

def helper(trainer):
    return trainer.vllm_mode
"""
    assert used(text) - LISTED == {
        *("_no_such_name", "_template_file", "_tool_call_loop", "_get_tool_suffix_ids"),
        *("ref_model", "use_vllm", "vllm_mode"),
    }
    assert inner_imports(text) == {"trl.models", "trl.profiling", "trl.trainer.utils", "trl.trainer.utils.pad"}
    assert batch_keys(text) == {"token_type_ids", "made_up"}
    assert "token_type_ids" in keys_of_trl()


def test_the_installed_trl_has_all_listed_methods():
    _trl.check_methods()


def test_a_change_of_trl_is_named_at_construction(make_trainer, monkeypatch):
    monkeypatch.delattr(GRPOTrainer, "_generate")
    monkeypatch.setattr(GRPOTrainer, "_compute_loss", lambda self, model: None)
    with pytest.raises(RuntimeError, match=r"_compute_loss. takes .*`GRPOTrainer._generate` is gone"):
        make_trainer(by_length)


def test_a_missing_attribute_is_named_at_construction(make_trainer, monkeypatch):
    monkeypatch.setattr(_trl, "ATTRIBUTES", [*_trl.ATTRIBUTES, "_no_such_name"])
    with pytest.raises(RuntimeError, match="has a trainer without _no_such_name"):
        make_trainer(by_length)


def test_the_versions_that_are_installed_and_accepted_are_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"trl{_trl.SUPPORTED}" in project["dependencies"]


@pytest.mark.parametrize("version", ["1.15.2", "1.17.0"])
def test_another_version_of_trl_is_refused(monkeypatch, version):
    monkeypatch.setattr(trl, "__version__", version)
    with pytest.raises(RuntimeError, match=rf"TRL {version} .* Install `trl>=1.16,<1.17`"):
        _trl.check_methods()


@pytest.mark.parametrize("version", ["1.16.0", "1.16.3"])
def test_a_patch_release_of_trl_is_accepted(monkeypatch, version):
    monkeypatch.setattr(trl, "__version__", version)
    _trl.check_methods()
