"""verifiers: a task of version 0.4, a rubric of version 0.2, and both functions without the package."""

import asyncio
import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from trl_rltf.execution import Outcome, SandboxError
from trl_rltf.execution.report import ExecutionReport
from trl_rltf.integrations import rubric_reward, task_reward
from trl_rltf.integrations import verifiers as adapter


def version():
    """Version of verifiers as numbers, or nothing."""
    if importlib.util.find_spec("verifiers") is None:
        return ()
    from importlib.metadata import version as version_of

    return tuple(int(part) for part in version_of("verifiers").split(".")[:2])


needs_tasks = pytest.mark.skipif(version() < (0, 3), reason="verifiers 0.3 or later is not installed")
needs_rubrics = pytest.mark.skipif(not () < version() < (0, 3), reason="verifiers before 0.3 is not installed")
DETAILS = {"outcome": "failure", "num_passed": 1, "num_tests": 2, "reason": "failed: 1 of 2 tests passed"}


def trace_of(text):
    """The part of a trace that the function uses."""
    return SimpleNamespace(last_reply=text, info={})


def task_of(**fields):
    """The part of the data of a task that the function uses."""
    return SimpleNamespace(**{"id": None, "name": None, "idx": 3, **fields})


def test_the_last_reply_of_a_trace_is_rewarded(completions, shares, stdin_tests):
    traces = [trace_of(text) for text in completions]

    async def reward_all():
        return await asyncio.gather(*(task_reward(task=task_of(tests=stdin_tests), trace=trace) for trace in traces))

    assert asyncio.run(reward_all()) == shares
    assert traces[1].info["unit_tests"] == DETAILS
    assert traces[3].info["unit_tests"]["reason"].startswith("failed: SyntaxError: ")


def test_limits_of_a_problem_replace_those_of_the_runner(limited, stdin_tests):
    async def reward_all():
        tasks = [task_reward(task_of(tests=stdin_tests, **row), trace_of(text)) for text, row, _ in limited]
        rubrics = [rubric_reward(text, info={"tests": stdin_tests, **row}) for text, row, _ in limited]
        return await asyncio.gather(*tasks, *rubrics)

    assert asyncio.run(reward_all()) == [share for *_, share in limited] * 2
    with pytest.raises(ValueError, match="task 3: `time_limit` is 0"):
        asyncio.run(task_reward(task_of(tests=stdin_tests, time_limit=0), trace_of("print(1)")))


def test_a_completion_of_a_rubric_is_rewarded(completions, shares, stdin_tests):
    states = [{"example_id": index} for index in range(len(completions))]

    async def reward_all():
        calls = [
            rubric_reward(
                completion=[{"role": "assistant", "content": text}],
                prompt="Add.",
                answer="",
                info={"tests": json.dumps(stdin_tests)},
                state=state,
                parser=None,
                task=None,
            )
            for text, state in zip(completions, states, strict=True)
        ]
        return await asyncio.gather(*calls)

    assert asyncio.run(reward_all()) == shares
    assert states[1]["unit_tests"] == DETAILS


def test_the_answer_may_hold_the_tests():
    assert asyncio.run(rubric_reward("def f(): return 1", answer="assert f() == 1")) == 1.0


def test_malformed_or_missing_tests_are_an_error_that_names_the_example():
    with pytest.raises(ValueError, match="task 3: there are no unit tests"):
        asyncio.run(task_reward(task_of(), trace_of("")))
    with pytest.raises(ValueError, match=r"task mbpp/7: .*unknown format"):
        asyncio.run(task_reward(task_of(id="mbpp/7", tests={}), trace_of("")))
    with pytest.raises(ValueError, match=r"example 9: .*1 `inputs` but 0"):
        asyncio.run(rubric_reward("", info={"tests": {"inputs": [""], "outputs": []}}, state={"example_id": 9}))
    with pytest.raises(ValueError, match="example without a number: there are no unit tests"):
        asyncio.run(rubric_reward("", info="", answer=""))


def test_a_failed_sandbox_is_an_error(monkeypatch):
    async def fail(*args):
        adapter.refuse_failed_sandbox(ExecutionReport(Outcome.NOT_GRADABLE), args[-1])

    monkeypatch.setattr(adapter, "_grade", fail)
    with pytest.raises(SandboxError, match="task 3"):
        asyncio.run(task_reward(task_of(tests=""), trace_of("")))


# ---------------------------------------------------------------------- with verifiers


@pytest.fixture
def scored():
    """A function that scores a reply to a task with the classes of verifiers 0.4, and returns the trace."""
    import verifiers.v1 as vf
    from verifiers.v1.trace import AgentInfo, TraceTask

    class CodeData(vf.TaskData):
        tests: dict

    class CodeTask(vf.Task[CodeData]):
        pass

    class TaskWithMethod(vf.Task[CodeData]):
        @vf.reward(weight=2.0)
        async def unit_tests(self, task, trace) -> float:
            return await task_reward(task, trace)

    reward = {"unit_tests": {"fn": "trl_rltf.integrations.verifiers.task_reward", "weight": 2.0}}

    def score(text, tests, is_plugged=True):
        data = CodeData(idx=3, prompt="Add.", tests=tests)
        task = CodeTask(data, vf.TaskConfig(rewards=reward)) if is_plugged else TaskWithMethod(data)
        agent = AgentInfo.model_construct()
        trace = vf.Trace.model_construct(task=TraceTask(type="CodeTask", data=task.data), agent=agent)
        trace.nodes.append(vf.MessageNode(message=vf.UserMessage(content="Add.")))
        trace.nodes.append(vf.MessageNode(parent=0, message=vf.AssistantMessage(content=text), sampled=True))
        asyncio.run(task.score(trace))
        return trace

    return score


@needs_tasks
@pytest.mark.filterwarnings("ignore")
def test_a_task_of_verifiers_is_scored(scored, completions, shares, stdin_tests):
    traces = [scored(text, stdin_tests) for text in completions[:7]]
    assert [trace.rewards["unit_tests"].score for trace in traces] == shares[:7]
    assert [trace.reward for trace in traces] == [2 * share for share in shares[:7]]
    assert traces[1].info["unit_tests"] == DETAILS
    assert scored(completions[1], stdin_tests, is_plugged=False).reward == 1.0


@needs_tasks
@pytest.mark.filterwarnings("ignore")
def test_malformed_tests_are_a_task_error_of_verifiers(scored):
    import verifiers.v1 as vf

    with pytest.raises(vf.TaskError, match=r"task 3: .*1 `inputs` but 0"):
        scored("print(1)", {"inputs": [""], "outputs": []})


class StandIn(BaseHTTPRequestHandler):
    """A server with the chat endpoint of OpenAI that answers with the text after "Say: " in the prompt."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][-1]["content"].partition("Say: ")[2]
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server_url():
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@needs_rubrics
@pytest.mark.filterwarnings("ignore")
def test_an_environment_of_verifiers_is_evaluated(server_url, completions, shares, stdin_tests, monkeypatch):
    import verifiers as vf
    from datasets import Dataset
    from verifiers.types import ClientConfig

    monkeypatch.setenv("STAND_IN_KEY", "none")
    rows = [
        {"question": f"Say: {text}", "answer": "", "info": {"tests": json.dumps(stdin_tests)}}
        for text in completions[:6]
    ]
    environment = vf.SingleTurnEnv(eval_dataset=Dataset.from_list(rows), rubric=vf.Rubric(funcs=[rubric_reward]))
    client = ClientConfig(api_base_url=server_url, api_key_var="STAND_IN_KEY")
    result = environment.evaluate_sync(client=client, model="m", num_examples=-1)
    rollouts = sorted(result["outputs"], key=lambda rollout: rollout["example_id"])
    assert [rollout["reward"] for rollout in rollouts] == shares[:6]
    assert [rollout["metrics"]["rubric_reward"] for rollout in rollouts] == shares[:6]
