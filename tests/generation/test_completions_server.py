"""The client of a completions server: what it finds, sends again, and says when something is wrong."""

import json
import socket
import time

import pytest
import vllm_engines

from trl_rltf.generation import CompletionsServer, completions_server


BODY = {
    "prompt": [5, 6, 7],
    "max_tokens": 4,
    "temperature": 0.0,
    "stop": [],
    "stop_token_ids": [],
    "return_token_ids": True,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, problems):
    return vllm_engines.save_mini_model(problems, tmp_path_factory.mktemp("models") / "mini")


@pytest.fixture
def server(folder):
    with vllm_engines.serving(folder) as server:
        yield server


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(completions_server, "_SECONDS_BETWEEN_CHECKS", 0.05)
    monkeypatch.setattr(completions_server, "_LONGEST_PAUSE", 0.01)


def unused_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_a_model_is_found_by_its_name_or_by_its_folder(server, folder, suffix):
    for name in ("policy", folder, f"{folder}/../mini"):
        found = CompletionsServer(server.url + suffix, str(name))
        assert (found.model, found.origin, found.max_model_length) == ("policy", str(folder), 2048)


def test_answers_come_in_the_order_of_the_requests_and_not_too_many_at_a_time(server):
    client = CompletionsServer(server.url, "policy", concurrency=3)
    server.pause = 0.02
    bodies = [{**BODY, "max_tokens": 1 + index % 5} for index in range(20)]
    choices = client.complete(bodies)
    assert [len(choice["token_ids"]) for choice in choices] == [1 + index % 5 for index in range(20)]
    assert server.most_at_a_time in (2, 3)
    assert {body["model"] for body in server.bodies} == {"policy"}
    assert client.complete([]) == []


def test_a_server_that_cannot_be_reached_is_named_after_the_time_that_was_given():
    address = f"http://127.0.0.1:{unused_port()}"
    started = time.monotonic()
    with pytest.raises(ConnectionError, match=rf"{address} could not be reached for 0.3 seconds: .*refused.*Start it"):
        CompletionsServer(address, "policy", startup_timeout=0.3)
    assert 0.2 < time.monotonic() - started < 5


def test_a_server_that_starts_late_is_waited_for(folder, server, caplog):
    number = []

    def send(handler, status, content, original=server._http.RequestHandlerClass._send):
        number.append(status)
        original(handler, *((503, {"detail": "loading"}) if len(number) < 3 else (status, content)))

    server._http.RequestHandlerClass._send = send
    assert CompletionsServer(server.url, "policy").origin == str(folder)
    assert len(number) == 3
    assert caplog.text.count("Waiting up to 240 seconds") == 1


def test_an_address_without_a_scheme_is_refused():
    with pytest.raises(ValueError, match="is 'localhost:8000', but must start with 'http://'"):
        CompletionsServer("localhost:8000", "policy")


def test_an_impossible_address_is_refused():
    with pytest.raises(ValueError, match="is not the address of a server"):
        CompletionsServer("http://[::1", "policy", startup_timeout=0)


def test_a_model_that_the_server_does_not_have_is_refused_with_those_that_it_has(server):
    with pytest.raises(ValueError, match=r"has no model 'other'. It has 'policy'. Give its name .*vllm_server_model"):
        CompletionsServer(server.url, "other")


@pytest.mark.parametrize("answer", ["<html>hello</html>", [1], {"data": []}, {"data": ["policy"]}, {"models": {}}])
def test_a_server_of_another_kind_is_refused(server, answer):
    server.models = answer
    with pytest.raises(
        ValueError, match=r"/v1/models lists no models: .* is not a server that speaks the completions"
    ):
        CompletionsServer(server.url, "policy")


@pytest.mark.parametrize(
    ("status", "content", "error", "message"),
    [
        (400, {"error": {"message": "too long."}}, ValueError, r"HTTP 400: too long\. Change what it refuses"),
        (400, {"message": "as older servers", "code": 400}, ValueError, r"HTTP 400: as older servers\."),
        (401, {"error": "Unauthorized"}, ValueError, r"HTTP 401: Unauthorized\. Set the variable VLLM_API_KEY"),
        (
            404,
            {"error": {"message": "The model `policy` does not exist."}},
            ValueError,
            r"HTTP 404: The model `policy` do",
        ),
        (404, {"detail": "Not Found"}, ValueError, r"HTTP 404: Not Found\. Give the address"),
        (422, {"detail": [{"loc": ["top_k"]}]}, ValueError, r"HTTP 422: .*top_k"),
        (429, {"detail": "queue is full"}, ValueError, r"HTTP 429: queue is full\. It is overloaded"),
        (500, {"error": {"message": "EngineCore died"}}, RuntimeError, r"HTTP 500: EngineCore died\. Its log"),
        (503, "<html>no upstream</html>", RuntimeError, r"HTTP 503: <html>no upstream</html>\. Its log"),
        (500, "", RuntimeError, r"HTTP 500: Internal Server Error\."),
        (200, "hello", ValueError, r"answered a request for a completion with 'hello', which is not"),
        (200, {"choices": []}, ValueError, r"which is not an answer of the completions protocol"),
        (200, {"choices": [{"message": {"content": "a"}}]}, ValueError, r"which is not an answer of the completions"),
    ],
)
def test_an_error_of_the_server_is_in_the_message(server, status, content, error, message):
    client = CompletionsServer(server.url, "policy", concurrency=2)
    server.answer = lambda body, number: (status, content)
    with pytest.raises(error, match=message):
        client.complete([BODY] * 5)


def test_a_request_that_a_busy_server_turns_away_is_sent_again(server):
    client = CompletionsServer(server.url, "policy", concurrency=1)
    right = server.answer
    statuses = {1: 503, 2: 429, 3: 502}
    server.answer = lambda body, number: (statuses[number], {}) if number in statuses else right(body, number)
    (choice,) = client.complete([BODY])
    assert len(choice["token_ids"]) == 4
    assert len(server.bodies) == 4
    assert len({json.dumps(body) for body in server.bodies}) == 1


def test_an_answer_that_takes_too_long_is_not_waited_for_twice(server):
    client = CompletionsServer(server.url, "policy", request_timeout=0.2)
    server.pause = 1.0
    started = time.monotonic()
    with pytest.raises(ConnectionError, match=r"did not answer within 0.2 seconds. Send fewer requests"):
        client.complete([BODY])
    assert time.monotonic() - started < 3


def test_a_server_that_has_gone_is_named(folder):
    with vllm_engines.serving(folder) as server:
        client = CompletionsServer(server.url, "policy")
    with pytest.raises(ConnectionError, match=r"can no longer be reached, after several tries: .*refused.*resumes"):
        client.complete([BODY])


def test_the_first_error_ends_the_run_without_the_answers_that_are_missing(server):
    client = CompletionsServer(server.url, "policy", concurrency=2)
    slow = server.complete

    def answer(body, number):
        if number == 1:
            time.sleep(2.0)
            return 200, slow(body)
        return 400, {"error": {"message": "refused"}}

    server.answer = answer
    started = time.monotonic()
    with pytest.raises(ValueError, match="refused"):
        client.complete([BODY] * 6)
    assert time.monotonic() - started < 1.5


def test_the_key_of_the_environment_is_sent(server, monkeypatch):
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    CompletionsServer(server.url, "policy").complete([BODY])
    assert server.headers[0]["Authorization"] == "Bearer secret"
