# /// script
# requires-python = ">=3.11"
# dependencies = ["trl-rltf[examples,peft]"]
# ///
"""
Train a code model on MBPP from unit-test feedback, and measure pass@k on its test problems before and after.

    accelerate launch examples/train_mbpp.py --model_name_or_path HuggingFaceTB/SmolLM2-135M-Instruct --prompt_style chat \
        --use_peft --learning_rate 1e-4 --max_completion_length 256 --output_dir outputs/smollm2-mbpp

It takes the flags of train_apps.py. `--dataset_name` may be a local `mbpp.jsonl`; problems 601 to 974 are for training, 11 to 510
for testing.
"""

from _training import load_mbpp_problems
from train_apps import main


if __name__ == "__main__":
    main(load_mbpp_problems)
