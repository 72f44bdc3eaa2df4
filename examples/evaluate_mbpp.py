# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples,peft]"]
# ///
"""
Measure zero-shot pass@k of a model on MBPP: tasks 11 to 510, as in the paper.

    accelerate launch examples/evaluate_mbpp.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --num_samples 20

An instruction model, and a check of grader and data that needs no model:

    python examples/evaluate_mbpp.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct --prompt_style chat
    python examples/evaluate_mbpp.py --dataset_name mbpp.jsonl --programs reference

A run that was killed goes on when it is started again. Running it is the opt-in to running model-written code, in the sandbox
that docs/execution.md describes; docs/evaluation.md says what is measured.
"""

from dataclasses import dataclass, field

from _evaluation import EvaluationArguments, evaluate
from trl import ModelConfig, TrlParser

from trl_rltf import load_mbpp


# CodeT5 770M trained on APPS, without an example of MBPP, in percent: table 9 of arXiv 2307.04349.
PUBLISHED = {"pass@1": {"all": 30.4}, "pass@80": {"all": 71.3}}


@dataclass
class MbppEvaluationArguments(EvaluationArguments):
    """Arguments of the script."""

    temperature: float = field(
        default=1.2,
        metadata={"help": "Sampling temperature; the default is the paper's for MBPP. 0 decodes greedily."},
    )


def main() -> None:
    parser = TrlParser((MbppEvaluationArguments, ModelConfig))
    script_args, model_args = parser.parse_args_and_config()
    name = script_args.dataset_name or "google-research-datasets/mbpp"
    problems = load_mbpp(name, script_args.dataset_test_split)
    evaluate(script_args, model_args, problems, "MBPP", PUBLISHED, ks=(1, 5, 10, 80, 100, 1000))


if __name__ == "__main__":
    main()
