"""
Measure training with completions of vLLM compared with those of transformers, on the CPU; the code is in examples/benchmarks.

    HF_ALLOW_CODE_EVAL=1 .venv-vllm/bin/python examples/bench_vllm.py --model_name_or_path Qwen/Qwen2.5-Coder-0.5B-Instruct
"""

from benchmarks.vllm_training import main

from trl_rltf.scripts import short_errors


if __name__ == "__main__":
    with short_errors():
        main()
