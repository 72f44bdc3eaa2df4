# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples]"]
# ///
"""
Train a critic, which predicts the outcome of the unit tests of a program, and measure it on held-out problems.

Without an argument, a tiny policy is warmed up and sampled on MiniAPPS, and a tiny critic is trained on these samples:

    python examples/train_critic.py

From samples that have been graded (JSON Lines with prompt, completion and outcome), or sampled from a model:

    python examples/train_critic.py --samples samples.jsonl --critic_model_name_or_path Salesforce/codet5-base \
        --num_train_epochs 3 --output_dir outputs/critic
    python examples/train_critic.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B --dataset_name codeparrot/apps \
        --max_completion_length 512 --output_dir outputs/critic

Then: `examples/train_apps.py --critic_model_name_or_path outputs/critic`. The script is trl_rltf/scripts/train_critic.py, which
`trl-rltf train-critic` runs too. Sampling runs model-written code, in the sandbox described in docs/execution.md.
"""

from trl_rltf.scripts import short_errors
from trl_rltf.scripts.train_critic import main, make_parser


if __name__ == "__main__":
    with short_errors():
        main(*make_parser().parse_args_and_config())
