"""
See which kinds of feedback could help a model, before training with them; the code is in examples/ablation.

    python examples/gates.py --benchmark mbpp --prompt_style chat --num_problems 64 \
        --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct
"""

from ablation.gates import run_command

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        run_command()
