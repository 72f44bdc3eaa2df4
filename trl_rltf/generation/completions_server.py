"""Client of a server with the completions protocol of OpenAI, such as vLLM's."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from multiprocessing.pool import ThreadPool
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from tqdm.auto import tqdm
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry


logger = logging.getLogger(__name__)

# A request is the same when it is sent again: it has a seed. 429 is a full queue, the others are proxies whose server restarts.
_RETRIED_STATUSES = (429, 502, 503, 504)
_NUM_RETRIES = 6  # with pauses of 0, 1, 2, 4, 8 and 16 seconds
_LONGEST_PAUSE = 16.0
_SECONDS_BETWEEN_CHECKS = 1.0
_CONNECT_TIMEOUT = 10.0


class CompletionsServer:
    """
    A model at a server that speaks the completions protocol of OpenAI.

    It is made for vLLM's server, and sends fields that only vLLM has. If the variable `VLLM_API_KEY` is set, it is sent as the
    key, as vLLM's server reads it.

    Args:
        base_url (`str`): Address of the server, such as `"http://localhost:8000"`, with or without `/v1`.
        model (`str`): Name of the model at the server, or name or folder from which the server loaded it.
        concurrency (`int`, *optional*, defaults to `64`): Requests that are sent at a time.
        startup_timeout (`float`, *optional*, defaults to `240.0`): Seconds to wait for a server that cannot be reached yet.
        request_timeout (`float`, *optional*, defaults to `1800.0`): Seconds to wait for an answer.

    Raises:
        ConnectionError: If the server cannot be reached.
        ValueError: If the address is not that of such a server, or the server has no model of this name.

    Attributes:
        model (`str`): Name of the model at the server.
        origin (`str`): Name or folder from which the server loaded the model; empty if the server does not tell.
        max_model_length (`int` or `None`): Maximum number of tokens of prompt and completion, if the server tells.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        concurrency: int = 64,
        startup_timeout: float = 240.0,
        request_timeout: float = 1800.0,
    ):
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(
                f"The address of the server is {base_url!r}, but must start with 'http://' or 'https://', as in "
                "'http://localhost:8000'."
            )
        self.base_url = base_url.rstrip("/").removesuffix("/v1")
        self.concurrency = concurrency
        self._timeout = (_CONNECT_TIMEOUT, request_timeout)
        self._session = _make_session(concurrency)
        card = self._find_model(model, startup_timeout)
        self.model: str = card["id"]
        self.origin: str = card.get("root") or ""
        self.max_model_length: int | None = card.get("max_model_len")

    def complete(self, bodies: Sequence[Mapping[str, Any]], *, description: str | None = None) -> list[dict[str, Any]]:
        """
        Have several completions generated, at most `concurrency` at a time.

        Args:
            bodies (`Sequence[Mapping]`): Fields of each request, apart from the name of the model.
            description (`str`, *optional*): Label of a progress bar. Without it, there is none.

        Returns:
            `list[dict]`: The first choice of each answer, in the order of the requests.

        Raises:
            ConnectionError: If the server does not answer, after several tries.
            ValueError: If the server refuses a request (HTTP 4xx).
            RuntimeError: If the server fails (HTTP 5xx).
        """
        choices: list[dict[str, Any]] = [{} for _ in bodies]
        if not bodies:
            return choices
        # Threads of this pool do not delay the end of the process: Ctrl-C does not wait for the answers that are missing.
        with ThreadPool(min(self.concurrency, len(bodies))) as pool:
            answers = pool.imap_unordered(self._complete_numbered, enumerate(bodies))
            for index, choice in tqdm(
                answers, desc=description, total=len(bodies), leave=False, disable=description is None
            ):
                choices[index] = choice
        return choices

    def _complete_numbered(self, numbered: tuple[int, Mapping[str, Any]]) -> tuple[int, dict[str, Any]]:
        index, body = numbered
        url = f"{self.base_url}/v1/completions"
        try:
            answer = self._session.post(url, json={"model": self.model, **body}, timeout=self._timeout)
        except requests.RequestException as error:
            if isinstance(_cause(error), ReadTimeoutError):
                raise ConnectionError(
                    f"The server at {self.base_url} did not answer within {self._timeout[1]:g} seconds. Send fewer requests at a "
                    "time (`batch_size`), or ask for shorter completions (`max_completion_length`)."
                ) from error
            raise ConnectionError(
                f"The server at {self.base_url} can no longer be reached, after several tries: {_reason(error)}. Start it again, "
                "and then the same command: it resumes with the samples that are missing."
            ) from error
        _check_status(answer, self.base_url)
        choice = (_json(answer).get("choices") or [{}])[0]
        if "text" not in choice:
            raise _unknown_protocol(self.base_url, answer)
        return index, choice

    def _find_model(self, wanted: str, startup_timeout: float) -> dict[str, Any]:
        cards = _json(self._wait_for_models(startup_timeout)).get("data")
        if not cards or not all(isinstance(card, dict) and "id" in card for card in cards):
            raise ValueError(
                f"{self.base_url}/v1/models lists no models: {self.base_url} is not a server that speaks the completions "
                "protocol of OpenAI. Give the address of one, without a path."
            )
        for key in ("id", "root"):
            for card in cards:
                if card.get(key) and _same_model(card[key], wanted):
                    return dict(card)
        raise ValueError(
            f"The server at {self.base_url} has no model {wanted!r}. It has {', '.join(repr(card['id']) for card in cards)}. "
            "Give its name at the server as `vllm_server_model`, or start the server with this model."
        )

    def _wait_for_models(self, startup_timeout: float) -> requests.Response:
        deadline = time.monotonic() + startup_timeout
        has_warned = False
        while True:
            reason = "it answers that it is not ready"
            try:
                # Without the session, whose retries would make the waiting time longer than the caller's.
                answer = requests.get(
                    f"{self.base_url}/v1/models", headers=self._session.headers, timeout=_CONNECT_TIMEOUT
                )
                if answer.status_code not in _RETRIED_STATUSES:
                    _check_status(answer, self.base_url)
                    return answer
            except (requests.ConnectionError, requests.Timeout) as error:
                reason = _reason(error)
            except requests.RequestException as error:
                raise ValueError(f"{self.base_url!r} is not the address of a server: {error}.") from error
            if time.monotonic() + _SECONDS_BETWEEN_CHECKS > deadline:
                raise ConnectionError(
                    f"The server at {self.base_url} could not be reached for {startup_timeout:g} seconds: {reason}. Start it, or "
                    "correct `vllm_server_base_url`; a server that takes longer to load needs a larger `vllm_server_timeout`."
                )
            if not has_warned:
                logger.warning("Waiting up to %g seconds for the server at %s.", startup_timeout, self.base_url)
                has_warned = True
            time.sleep(_SECONDS_BETWEEN_CHECKS)


def _make_session(concurrency: int) -> requests.Session:
    session = requests.Session()
    retries = Retry(
        total=_NUM_RETRIES,
        read=1,  # an answer that takes too long would take as long again
        backoff_factor=0.5,
        backoff_max=_LONGEST_PAUSE,
        status_forcelist=_RETRIED_STATUSES,
        allowed_methods=None,
        raise_on_status=False,
    )
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=concurrency, max_retries=retries)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    key = os.environ.get("VLLM_API_KEY")
    if key:
        session.headers["Authorization"] = f"Bearer {key}"
    return session


def _same_model(name: str, wanted: str) -> bool:
    return name == wanted or (os.path.isdir(wanted) and os.path.abspath(name) == os.path.abspath(wanted))


def _check_status(answer: requests.Response, base_url: str) -> None:
    if answer.ok:
        return
    found = f"The server at {base_url} answered with HTTP {answer.status_code}: {_message(answer)}"
    if answer.status_code >= 500:
        raise RuntimeError(
            f"{found}. Its log has the cause; on a CPU, vLLM needs `--no-enable-chunked-prefill` for requests that have a seed. "
            "The same command resumes with the samples that are missing."
        )
    remedies = {
        401: "Set the variable VLLM_API_KEY to the key of the server.",
        404: "Give the address of the server without a path, and the name of a model that it has.",
        429: "It is overloaded: send fewer requests at a time (`batch_size`).",
    }
    raise ValueError(f"{found}. {remedies.get(answer.status_code, 'Change what it refuses.')}")


def _message(answer: requests.Response) -> str:
    """Message of an error, without the full stop at its end."""
    content = _json(answer)
    error = content.get("error", content.get("detail", content.get("message")))
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or answer.text[:300] or answer.reason).strip().rstrip(".")


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _unknown_protocol(base_url: str, answer: requests.Response) -> ValueError:
    return ValueError(
        f"The server at {base_url} answered a request for a completion with {answer.text[:200]!r}, which is not an answer of the "
        "completions protocol of OpenAI. Give the address of a server that speaks it, such as vLLM's."
    )


def _cause(error: Exception) -> Any:
    """The error of urllib3 behind an error of requests."""
    inner = error.args[0] if error.args else error
    return getattr(inner, "reason", inner)


def _reason(error: Exception) -> str:
    """The cause of an error, without the objects that its text names."""
    return str(_cause(error)).rpartition(": ")[2].rstrip(".)\"'") or type(error).__name__
