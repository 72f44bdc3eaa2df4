"""verl: the documented signatures, and its reward managers where verl is installed."""

import asyncio
import importlib.util
import json

import numpy as np
import pytest

from trl_rltf.execution import Outcome, SandboxError
from trl_rltf.execution.report import ExecutionReport
from trl_rltf.integrations import compute_score, compute_scores
from trl_rltf.integrations import verl as adapter


needs_verl = pytest.mark.skipif(importlib.util.find_spec("verl") is None, reason="verl is not installed")
KEYS = ["score", "acc", "num_passed", "num_tests", "outcome", "reason"]


def test_one_completion_is_scored(stdin_tests):
    text = "```python\na, b = map(int, input().split())\nprint(a * b)\n```"
    result = compute_score(
        data_source="apps", solution_str=text, ground_truth=json.dumps(stdin_tests), extra_info={"index": 7}
    )
    assert result == {
        "score": 0.5,
        "acc": 0.0,
        "num_passed": 1,
        "num_tests": 2,
        "outcome": "failure",
        "reason": "failed: 1 of 2 tests passed",
    }


def test_a_batch_is_scored(completions, shares, stdin_tests):
    n = len(completions)
    results = compute_scores(
        data_sources=np.array(["apps"] * n, dtype=object),
        solution_strs=completions,
        ground_truths=[stdin_tests] * n,
        extra_infos=np.array([{"index": i} for i in range(n)], dtype=object),
        reward_router_address=None,
    )
    assert [result["score"] for result in results] == shares
    assert [result["acc"] for result in results] == [float(share == 1.0) for share in shares]
    assert all(list(result) == KEYS for result in results)
    assert results[0]["reason"] == "passed"
    assert results[4]["reason"] == "timed out"


def test_a_binary_score_is_0_or_1(completions, shares, stdin_tests):
    n = len(completions)
    results = compute_scores(["apps"] * n, completions, [stdin_tests] * n, binary=True)
    assert [result["score"] for result in results] == [float(share == 1.0) for share in shares]


def test_limits_of_a_problem_replace_those_of_the_runner(limited, stdin_tests):
    n = len(limited)
    infos = [
        {name: None if value is None else np.float64(value) for name, value in row.items()} for _, row, _ in limited
    ]
    results = compute_scores(["apps"] * n, [text for text, *_ in limited], [stdin_tests] * n, infos)
    assert [result["score"] for result in results] == [share for *_, share in limited]
    with pytest.raises(ValueError, match=r"row 0 .*, `extra_info`: `memory_limit` is 256, but .* multiply"):
        compute_score("apps", "print(1)", stdin_tests, {"memory_limit": 256})


@pytest.mark.parametrize("extra_info", [None, {}, {"index": 7, "split": "train"}])
def test_malformed_tests_are_an_error_that_names_the_row(extra_info):
    index = (extra_info or {}).get("index")
    message = rf"row 0 of the batch \(data source 'taco', index {index}\), `ground_truth`: .*1 `inputs` but 0"
    with pytest.raises(ValueError, match=message):
        compute_score("taco", "print(1)", {"inputs": ["1"], "outputs": []}, extra_info)


def test_lists_that_differ_in_length_are_refused(stdin_tests):
    with pytest.raises(ValueError, match="differ in length"):
        compute_scores(["apps"], ["print(1)"], [stdin_tests] * 2)


def test_a_failed_sandbox_is_an_error_unless_a_score_is_given(monkeypatch, stdin_tests):
    failed = ExecutionReport(Outcome.NOT_GRADABLE)
    monkeypatch.setattr(adapter, "grade", lambda programs, **options: [failed for _ in programs])
    with pytest.raises(SandboxError, match="data source 'apps'"):
        compute_score("apps", "print(1)", stdin_tests)
    result = compute_score("apps", "print(1)", stdin_tests, not_gradable_score=-0.5)
    assert (result["score"], result["outcome"]) == (-0.5, "not_gradable")


# ---------------------------------------------------------------------- with verl


def reward_config(name, **reward_kwargs):
    """The part of verl's configuration that names the function."""
    from omegaconf import OmegaConf

    function = {"path": "pkg://trl_rltf.integrations.verl", "name": name, "reward_kwargs": reward_kwargs}
    return OmegaConf.create({"reward": {"custom_reward_function": function}})


def batch_of(tokenizer, completions, tests):
    """A batch as verl's rollout makes it."""
    import torch
    from verl import DataProto

    ids = [tokenizer(text, add_special_tokens=False).input_ids or [tokenizer.eos_token_id] for text in completions]
    width = max(map(len, ids))
    responses = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in ids])
    mask = torch.tensor([[1] * (1 + len(row)) + [0] * (width - len(row)) for row in ids])
    n = len(completions)
    columns = {
        "data_source": np.array(["apps"] * n, dtype=object),
        "reward_model": np.array([{"ground_truth": json.dumps(tests), "style": "rule"}] * n, dtype=object),
        "extra_info": np.array([{"index": i} for i in range(n)], dtype=object),
    }
    tensors = {"prompts": torch.zeros(n, 1, dtype=torch.long), "responses": responses, "attention_mask": mask}
    return DataProto.from_dict(tensors=tensors, non_tensors=columns)


@needs_verl
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("manager", ["naive", "dapo"])
def test_the_reward_managers_of_verl_take_the_scores(manager, tokenizer, completions, shares, stdin_tests):
    from verl.experimental.reward_loop.reward_manager import get_reward_manager_cls
    from verl.trainer.ppo.reward import get_custom_reward_fn

    config = reward_config("compute_score", num_workers=1, timeout=1.0)
    config.reward.reward_kwargs = {"overlong_buffer_cfg": None, "max_resp_len": None}
    compute = get_custom_reward_fn(config)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        scorer = get_reward_manager_cls(manager)(config=config, tokenizer=tokenizer, compute_score=compute)
        data = batch_of(tokenizer, completions[:7], stdin_tests)
        rows = [loop.run_until_complete(scorer.run_single(data[i : i + 1])) for i in range(len(data))]
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    assert [row["reward_score"] for row in rows] == shares[:7]
    assert all(set(KEYS) <= set(row["reward_extra_info"]) for row in rows)


@needs_verl
@pytest.mark.filterwarnings("ignore")
def test_the_batch_manager_of_verl_takes_the_scores(tokenizer, completions, shares, stdin_tests):
    from verl.trainer.ppo.reward import get_custom_reward_fn
    from verl.workers.reward_manager.batch import BatchRewardManager

    compute = get_custom_reward_fn(reward_config("compute_scores", binary=False))
    manager = BatchRewardManager(tokenizer, num_examine=0, compute_score=compute)
    result = manager(batch_of(tokenizer, completions[:7], stdin_tests), return_dict=True)
    assert result["reward_tensor"].sum(dim=1).tolist() == shares[:7]
    assert result["reward_extra_info"]["reason"][0] == "passed"


@needs_verl
@pytest.mark.filterwarnings("ignore")
def test_the_metrics_of_a_validation_take_the_dictionaries(completions, stdin_tests):
    from verl.trainer.ppo.metric_utils import process_validation_metrics

    results = compute_scores(["apps"] * 2, completions[:2], [stdin_tests] * 2)
    columns = {key: [result[key] for result in results] for key in KEYS}
    metrics = process_validation_metrics(["apps"] * 2, ["a", "b"], columns)
    assert metrics["apps"]["score"]["mean@1"] == 0.75
    assert metrics["apps"]["acc"]["mean@1"] == 0.5
    assert "reason" not in metrics["apps"]
