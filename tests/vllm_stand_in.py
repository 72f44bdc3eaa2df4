"""A stand-in for vLLM: the parts of its `LLM` and of its server that TRL calls, with transformers behind them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


class SamplingParams:
    """Settings of one generation, as TRL passes them."""

    def __init__(
        self,
        n: int,
        temperature: float,
        top_p: float,
        max_tokens: int,
        logprobs: int,
        top_k: int = 0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
    ):
        assert logprobs == 0  # of the sampled token alone
        assert (top_k, min_p, repetition_penalty) == (0, 0.0, 1.0)
        self.n, self.temperature, self.top_p, self.max_tokens = n, temperature, top_p, max_tokens


class LLM:
    """
    An engine with a separate copy of the weights, which changes only when the trainer loads new ones.

    Attributes:
        prompts (`list[list[int]]`): Ids of all prompts that were generated for.
        num_loaded (`int`): Weights that were loaded.
    """

    def __init__(self, model: str, seed: int, logprobs_mode: str, **others: Any):
        assert logprobs_mode == "processed_logprobs"  # of the distribution that is sampled from
        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
        self._weights = dict(self._model.named_parameters())
        self._generator = torch.Generator().manual_seed(seed)
        self.prompts: list[list[int]] = []
        self.num_loaded = 0
        # The path by which TRL reaches `load_weights`.
        worker = SimpleNamespace(model_runner=SimpleNamespace(model=self))
        self.llm_engine = SimpleNamespace(model_executor=SimpleNamespace(driver_worker=worker))

    @torch.no_grad()
    def load_weights(self, pairs: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Load weights of the trainer."""
        for name, value in pairs:
            self._weights[name].copy_(value)
            self.num_loaded += 1

    def reset_prefix_cache(self) -> None:
        """Do nothing: there is no cache."""

    def generate(
        self, prompts: list[dict[str, list[int]]], sampling_params: SamplingParams, use_tqdm: bool
    ) -> list[Any]:
        """Sample completions for each prompt."""
        self.prompts += [prompt["prompt_token_ids"] for prompt in prompts]
        return [
            SimpleNamespace(
                prompt_token_ids=prompt["prompt_token_ids"],
                outputs=[
                    self._complete(prompt["prompt_token_ids"], sampling_params) for _ in range(sampling_params.n)
                ],
            )
            for prompt in prompts
        ]

    @torch.no_grad()
    def _complete(self, prompt_ids: list[int], params: SamplingParams) -> Any:
        ids, logprobs = [], []
        while len(ids) < params.max_tokens and self._model.config.eos_token_id not in ids:
            logits = self._model(torch.tensor([prompt_ids + ids])).logits[0, -1]
            if params.temperature == 0.0:
                token, logprob = int(logits.argmax()), 0.0
            else:
                scores = torch.log_softmax(logits / params.temperature, -1)
                order = scores.argsort(descending=True)
                before = scores[order].exp().cumsum(0) - scores[order].exp()
                scores[order[before >= params.top_p]] = -torch.inf
                scores = torch.log_softmax(scores, -1)
                token = int(torch.multinomial(scores.exp(), 1, generator=self._generator))
                logprob = float(scores[token])
            ids.append(token)
            logprobs.append({token: SimpleNamespace(logprob=logprob, rank=1)})
        return SimpleNamespace(token_ids=ids, logprobs=logprobs)


@contextmanager
def server(folder: str, logprobs_mode: str = "processed_logprobs") -> Iterator[tuple[str, LLM]]:
    """
    Serve the stand-in over HTTP, with the addresses of vLLM's server that TRL uses.

    Args:
        folder (`str`): Folder of the model.
        logprobs_mode (`str`, *optional*): The mode that the server reports.

    Yields:
        `tuple[str, LLM]`: The address of the server, and the stand-in.
    """
    engine = LLM(folder, seed=0, logprobs_mode="processed_logprobs")
    lock = threading.Lock()

    def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/v1/models":
            return {"data": [{"id": folder}]}
        if path == "/server_info":
            return {"vllm_config": {"model_config": {"logprobs_mode": logprobs_mode}}}
        if path == "/collective_rpc":
            assert body["method"] == "load_file"
            engine.load_weights(load_file(body["args"][0]).items())
        elif path == "/v1/completions":
            return {"choices": _choices(engine, body)}
        else:
            assert path in ("/health", "/reset_prefix_cache", "/start_weight_update", "/finish_weight_update"), path
        return {"success": True}

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            with lock:
                content = answer(self.path.partition("?")[0], json.loads(self.rfile.read(size) or b"{}"))
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _respond

        def log_message(self, *args: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}", engine
        http.shutdown()


def _choices(engine: LLM, body: dict[str, Any]) -> list[dict[str, Any]]:
    assert body.pop("return_token_ids")
    is_async = "seed" in body  # of TRL's asynchronous trainer, which sends one prompt at a time
    prompts = body.pop("prompt")
    prompts = [{"prompt_token_ids": ids} for ids in ([prompts] if is_async else prompts)]
    assert is_async or body.pop("return_tokens_as_token_ids")
    body.pop("seed", None)
    del body["model"]
    choices = []
    for result in engine.generate(prompts, SamplingParams(**body), use_tqdm=False):
        for output in result.outputs:
            names = [f"token_id:{token}" for token in output.token_ids]
            logprobs = [next(iter(entry.values())).logprob for entry in output.logprobs]
            choices.append(
                {
                    "prompt_token_ids": result.prompt_token_ids,
                    "token_ids": output.token_ids,
                    "logprobs": {
                        "tokens": names,
                        "token_logprobs": logprobs,
                        "top_logprobs": [{name: value} for name, value in zip(names, logprobs, strict=True)],
                    },
                }
            )
    return choices
