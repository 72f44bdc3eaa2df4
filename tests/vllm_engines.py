"""
Stand-ins for vLLM's engine and its server, for evaluation: transformers generates behind them.

The stand-in for the package vLLM is this module itself, which has its `LLM`, `SamplingParams` and `platforms.current_platform`. The
server is a real one, which speaks the completions protocol of OpenAI with the fields that vLLM adds.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


current_platform = SimpleNamespace(is_cpu=lambda: True)


class Generator:
    """
    Completes one prompt at a time, each with a random state that its seed decides.

    Args:
        folder (`str` or `Path`): Folder of a causal language model.
    """

    def __init__(self, folder: str | Path):
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.max_length = self.model.config.max_position_embeddings

    @torch.no_grad()
    def complete(self, prompt: list[int], settings: Mapping[str, Any]) -> tuple[list[int], str, str]:
        """Return token ids, text without stop string, and the reason of the end."""
        assert settings["repetition_penalty"] == 1.0
        assert settings["min_p"] == 0.0
        ends = {self.model.config.eos_token_id, *settings["stop_token_ids"]}
        ids: list[int] = []
        text = ""
        random = torch.Generator().manual_seed(settings.get("seed") or 0)
        while len(ids) < settings["max_tokens"]:
            logits = self.model(torch.tensor([prompt + ids])).logits[0, -1]
            ids.append(self._choose(logits, settings, random))
            text = self.tokenizer.decode(ids, skip_special_tokens=True)
            if ids[-1] in ends:
                return ids, text, "stop"
            for stop in settings["stop"]:
                if stop in text:
                    return ids, text[: text.index(stop)], "stop"
        return ids, text, "length"

    def _choose(self, logits: torch.Tensor, settings: Mapping[str, Any], random: torch.Generator) -> int:
        if settings["temperature"] == 0 or settings["top_k"] == 1:
            return int(logits.argmax())
        probabilities, order = torch.softmax(logits / settings["temperature"], -1).sort(descending=True)
        is_kept = probabilities.cumsum(0) - probabilities < settings["top_p"]
        return int(order[torch.multinomial(probabilities * is_kept, 1, generator=random)])


class SamplingParams(SimpleNamespace):
    """Settings of one completion."""


class LLM:
    """
    An engine in this process.

    Attributes:
        started (`list[dict]`): Arguments of all engines that were started.
    """

    started: list[dict[str, Any]] = []

    def __init__(self, model: str, max_model_len: int | None = None, **others: Any):
        self.started.append({"model": model, **others})
        self._generator = Generator(model)
        length = max_model_len or self._generator.max_length
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=length))

    def generate(
        self, prompts: list[dict[str, list[int]]], sampling_params: list[SamplingParams], use_tqdm: bool
    ) -> list[Any]:
        """Complete each prompt."""
        outputs = []
        for prompt, settings in zip(prompts, sampling_params, strict=True):
            ids, text, reason = self._generator.complete(prompt["prompt_token_ids"], vars(settings))
            outputs.append(SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids, text=text, finish_reason=reason)]))
        return outputs


class Server:
    """
    A server whose answers can be changed.

    Attributes:
        url (`str`): Address.
        bodies (`list[dict]`): Requests for completions.
        headers (`list[dict]`): Their headers.
        most_at_a_time (`int`): Largest number of requests that were answered at the same time.
        answer (`Callable`): Takes a request and its number; its result is sent: a status and a body.
        defaults (`dict`): Settings of requests that do not give them, as vLLM takes them from a generation config.
        returns_ids (`bool`): Whether an answer has token ids, as vLLM's do.
        pause (`float`): Seconds that an answer takes at least.
    """

    def __init__(self, folder: str | Path, name: str):
        self.generator = Generator(folder)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_a_time = 0
        self.answer: Callable[[dict[str, Any], int], tuple[int, Any]] = lambda body, number: (200, self.complete(body))
        self.defaults: dict[str, Any] = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "top_p": 1.0}
        self.returns_ids = True
        self.pause = 0.0
        self.models: Any = {
            "data": [{"id": name, "root": str(folder), "max_model_len": self.generator.max_length}],
        }
        self._lock = threading.Lock()
        self._num_open = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """The right answer to a request."""
        with self._lock:  # one core
            ids, text, reason = self.generator.complete(body["prompt"], {**self.defaults, **body})
        choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": reason}
        if body.get("return_token_ids") and self.returns_ids:
            choice["token_ids"] = ids
        return {"object": "text_completion", "model": body["model"], "choices": [choice]}

    def close(self) -> None:
        """Stop to listen."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.path == "/v1/models"
                self._send(200 if known else 404, server.models if known else {"detail": "Not Found"})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server._lock:
                    server.bodies.append(body)
                    server.headers.append(dict(self.headers))
                    number = len(server.bodies)
                    server._num_open += 1
                    server.most_at_a_time = max(server.most_at_a_time, server._num_open)
                time.sleep(server.pause)
                status, content = server.answer(body, number)
                with server._lock:
                    server._num_open -= 1
                self._send(status, content)

            def _send(self, status: int, content: Any) -> None:
                data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # of a client that was killed
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@contextlib.contextmanager
def serving(folder: str | Path, name: str = "policy") -> Iterator[Server]:
    """Run a server for a model."""
    server = Server(folder, name)
    try:
        yield server
    finally:
        server.close()


def save_mini_model(problems: Any, folder: Path) -> Path:
    """
    Save a tiny model that vLLM can load, with weights that are random enough to write something.

    Args:
        problems ([`~datasets.Dataset`]): Problems that train its tokenizer.
        folder (`Path`): Folder to write to.
    """
    from trl_rltf.mini import make_mini_model

    model, tokenizer = make_mini_model(problems, hidden_size=64, num_layers=2, vocab_size=400)  # a head of size 64
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    tokenizer.chat_template = "{% for message in messages %}user: {{ message['content'] }}{% endfor %}"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_problems(file: Path, number: int) -> Path:
    """
    Write problems in the format of MBPP, all in its test split.

    Args:
        file (`Path`): File to write.
        number (`int`): Number of problems.
    """
    rows = [
        {
            "task_id": 11 + index,
            "text": f"Write a function to add {index} to a number.",
            "code": f"def add_{index}(x):\n    return x + {index}",
            "test_list": [f"assert add_{index}(1) == {1 + index}"],
        }
        for index in range(number)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
