# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples,peft]"]
# ///
"""
Measure pass@k of a model on APPS, overall and by difficulty.

    accelerate launch examples/evaluate_apps.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --num_samples 20

A local folder in the layout of APPS, and a check of grader and data that needs no model:

    python examples/evaluate_apps.py --dataset_name <folder of APPS> --programs reference

A run that was killed goes on when it is started again. Running it is the opt-in to running model-written code, in the sandbox
that docs/execution.md describes; docs/evaluation.md says what is measured.
"""

from dataclasses import dataclass, field

from _evaluation import EvaluationArguments, evaluate
from trl import ModelConfig, TrlParser

from trl_rltf import load_apps


# CodeT5 770M without critic sampling, on the 5,000 test problems, in percent: tables 3 and 5 of arXiv 2307.04349.
PUBLISHED = {
    "pass@1": {"all": 1.45, "introductory": 4.16, "interview": 0.97, "competition": 0.20},
    "pass@5": {"all": 3.78},
    "pass@10": {"all": 5.21},
    "pass@1000": {"all": 19.92},
}


@dataclass
class AppsEvaluationArguments(EvaluationArguments):
    """Arguments of the script."""

    difficulties: list[str] | None = field(default=None, metadata={"help": "Difficulties to keep; all by default."})


def main() -> None:
    parser = TrlParser((AppsEvaluationArguments, ModelConfig))
    script_args, model_args = parser.parse_args_and_config()
    name = script_args.dataset_name or "codeparrot/apps"
    problems = load_apps(name, script_args.dataset_test_split, difficulties=script_args.difficulties)
    evaluate(script_args, model_args, problems, "APPS", PUBLISHED)


if __name__ == "__main__":
    main()
