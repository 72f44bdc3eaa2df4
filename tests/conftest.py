"""Fixtures: runners for each isolation that this machine has, tokenizers of each kind, and models small enough to train."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_ALLOW_CODE_EVAL"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from trl_rltf.execution import LocalRunner
from trl_rltf.execution.sandbox.isolation import choose_isolation


# On a busy machine an example takes long to make and to run, which is not a failure.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

# A shell that starts the tests in the background has it ignored, and some tests press Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"


def _if_it_works(name: str) -> Any:
    try:
        choose_isolation(name)
    except RuntimeError as error:
        return pytest.param(name, marks=pytest.mark.skip(reason=str(error)))
    return name


ISOLATIONS = [_if_it_works(name) for name in ("process", "landlock", "namespaces", "bubblewrap")]


@pytest.fixture(scope="session", params=ISOLATIONS)
def any_runner(request: pytest.FixtureRequest) -> Iterator[LocalRunner]:
    """A runner of each isolation."""
    with LocalRunner(num_workers=2, timeout=1.0, isolation=request.param, memory_limit=2**28) as runner:
        yield runner


@pytest.fixture(scope="session")
def runner() -> Iterator[LocalRunner]:
    """A runner of the strongest isolation that this machine has."""
    isolation = choose_isolation("auto").name
    with LocalRunner(num_workers=2, timeout=1.0, isolation=isolation) as local:
        yield local


def _command(script: Path | str, *args: Any, python: Path | str, flags: Sequence[str]) -> list[str]:
    started = ["-c", script] if isinstance(script, str) and script != "-m" else [str(script)]
    return [str(python), *flags, *started, *map(str, args)]


def _environment(changes: Mapping[str, str] | None) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **(changes or {})}


@pytest.fixture(scope="session")
def run_script() -> Callable[..., subprocess.CompletedProcess[str]]:
    """
    A function that runs a script, or code, in a fresh interpreter and waits for its end.

    Args:
        script (`Path` or `str`): File of the script, or code; `"-m"` for a module, whose name comes next.
        args (`Any`): Arguments of the command line.
        env (`Mapping[str, str]`, *optional*): Variables to change in the environment, in which the package can be imported.
        timeout (`float`, *optional*, defaults to `120.0`): Seconds after which it is killed, and the test fails.
        check (`bool`, *optional*, defaults to `True`): Fail, with what it printed, if the exit code is not 0.
        python (`Path` or `str`, *optional*): Another interpreter.
        flags (`Sequence[str]`, *optional*): Flags of the interpreter.
        options: Other arguments of `subprocess.run`.

    Returns:
        `subprocess.CompletedProcess[str]`: Its exit code and what it printed.
    """

    def run(
        script: Path | str,
        *args: Any,
        env: Mapping[str, str] | None = None,
        timeout: float = 120.0,
        check: bool = True,
        python: Path | str = sys.executable,
        flags: Sequence[str] = (),
        **options: Any,
    ) -> subprocess.CompletedProcess[str]:
        command = _command(script, *args, python=python, flags=flags)
        options = {"capture_output": True, "text": True, "env": _environment(env), **options}
        result = subprocess.run(command, timeout=timeout, check=False, **options)
        assert not check or result.returncode == 0, f"{result.stdout}\n{result.stderr}"
        return result

    return run


@pytest.fixture
def start_script() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """
    A function that starts a script, or code, and does not wait. What still runs at the end of the test is killed.

    It takes the arguments of `run_script` but `timeout` and `check`; `options` are those of `subprocess.Popen`.
    """
    started: list[subprocess.Popen[str]] = []

    def start(
        script: Path | str,
        *args: Any,
        env: Mapping[str, str] | None = None,
        python: Path | str = sys.executable,
        flags: Sequence[str] = (),
        **options: Any,
    ) -> subprocess.Popen[str]:
        command = _command(script, *args, python=python, flags=flags)
        options = {"stdout": subprocess.PIPE, "text": True, "env": _environment(env), **options}
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel of the package; the wheel is built from the sdist, as for PyPI, and without a network."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("pip is not installed")
    folder = tmp_path_factory.mktemp("distributions")
    source = folder / "source"  # setuptools writes into the folder that it builds
    shutil.copytree(ROOT / "trl_rltf", source / "trl_rltf", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, source)
    (source / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "test_packaging.py", source / "tests")  # setuptools would add it to the sdist
    build = "from setuptools.build_meta import build_sdist; import sys; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, folder], cwd=source, check=True, capture_output=True)
    (sdist,) = folder.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel", "--no-build-isolation"]
    subprocess.run([*pip, "--no-deps", "--no-index", "-w", folder, sdist], check=True)
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture
def shared_data() -> Path:
    """Folder with real MBPP and APPS problems."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real problems are not on this machine ({SHARED_DATA})")
    return SHARED_DATA


@pytest.fixture(scope="session")
def problems() -> Any:
    """A few MiniAPPS problems."""
    from trl_rltf import make_mini_apps

    return make_mini_apps("train", num_problems=32)


@pytest.fixture(scope="session")
def tokenizer(problems: Any) -> Any:
    """Byte-level BPE, trained on MiniAPPS."""
    return _mini_model(problems)[1]


@pytest.fixture
def model(problems: Any) -> Any:
    """An untrained Llama of a few thousand parameters."""
    return _mini_model(problems)[0]


def _mini_model(problems: Any) -> tuple[Any, Any]:
    from trl_rltf.mini import make_mini_model

    return make_mini_model(problems, hidden_size=32, num_layers=2, vocab_size=400)


@pytest.fixture(scope="session")
def sentencepiece_tokenizer() -> Any:
    """A tokenizer like Llama's: words begin with a mark, unknown characters fall back to bytes."""
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers
    from transformers import PreTrainedTokenizerFast

    text = "for x in range(10):\n    print(x + 1)\nvalue = total / count\n" * 4
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.train_from_iterator([text.replace(" ", "▁")], trainers.BpeTrainer(vocab_size=60, show_progress=False))
    learned = json.loads(trained.to_str())["model"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learned["vocab"]]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    merges = [tuple(pair) for pair in learned["merges"]]
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
