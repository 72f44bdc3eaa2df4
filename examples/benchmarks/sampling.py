"""
Measure completion tokens per second of an evaluation, with transformers, a vLLM engine, or a server.

It takes the flags of `trl-rltf evaluate`. Loading the model, and grading, are not part of the time; a first call with one sample per
problem is not either.

    python examples/benchmarks/sampling.py --benchmark mbpp --model_name_or_path FOLDER --dataset_name mbpp.jsonl \\
        --eval_problems 12 --num_samples 4 --max_completion_length 128 --prompt_style chat --dtype bfloat16 --use_vllm

Repeat it without `--use_vllm`, and with `--vllm_server_base_url` instead. `ROUNDS=5` changes the number of rounds.
"""

import os
import statistics
import time

from trl_rltf.scripts import evaluate as script


def main() -> None:
    """Draw the samples of the evaluation several times, each with another seed, and print the speed."""
    script_args, model_args = script.make_parser().parse_args_and_config()
    problems = script.load_problems(script_args)
    sampler = script.load_sampler(script_args, model_args, None, problems)
    rows = list(problems)
    sampler.sample(rows, 1, script_args.seed)
    speeds = []
    for seed in range(int(os.environ.get("ROUNDS", "3"))):
        start = time.perf_counter()
        completions = sampler.sample(rows, script_args.num_samples, seed)
        seconds = time.perf_counter() - start
        texts = [text for row in completions for text in row]
        num_tokens = sum(map(len, sampler.tokenizer(list(map(str, texts)), add_special_tokens=False)["input_ids"]))
        num_clipped = sum(text.is_clipped for text in texts)
        speeds.append(num_tokens / seconds)
        print(
            f"{num_tokens} tokens of {len(texts)} completions ({num_clipped} cut) in {seconds:.1f} s: {speeds[-1]:.1f} tokens/s",
            flush=True,
        )
    print(
        f"{type(sampler).__name__}: {statistics.median(speeds):.1f} completion tokens/s "
        f"({min(speeds):.1f} to {max(speeds):.1f})"
    )


if __name__ == "__main__":
    main()
