"""Arguments of the evaluation script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..execution.limits import TIMEOUT
from ..execution.runner import IsolationChoice
from ..metrics.prompt_styles import PromptStyle
from .benchmark_arguments import BenchmarkArguments
from .parser import documented
from .runners import parse_ray_arguments
from .vllm_arguments import check_vllm_arguments


_PAPER_TEMPERATURES = {"apps": 0.6, "mbpp": 1.2}
# Their first assert is the whole test, or one of the hidden ones.
_ONE_TEST = ("humaneval", "humaneval_plus", "mbpp_plus")


@documented
@dataclass
class EvaluationArguments(BenchmarkArguments):
    """
    Arguments of the evaluation script.

    The inherited arguments choose the problems. The script takes the arguments of [`~trl.ModelConfig`] too.

    Args:
        eval_problems (`int`, *optional*):
            Number of problems, from the first one. Defaults to all.
        test_source (`str`, *optional*, defaults to `"both"`):
            Tests to grade by, of a dataset of `trl-rltf augment-tests`: `original`, `new` or `both`.
        output_dir (`str`, *optional*):
            Folder of the run. An existing run in it is resumed. Defaults to outputs/<benchmark>-<model>.
        programs (`str`, *optional*, defaults to `"model"`):
            Programs to grade: samples of the `model`, or, without a model, the `reference` solutions or `empty` programs.
        num_samples (`int`, *optional*, defaults to `1`):
            Samples per problem.
        k (`list[int]`, *optional*):
            The k of pass@k. Defaults to 1, 5, 10, 100 and 1000 (for MBPP 80 too), up to `num_samples`.
        temperature (`float`, *optional*):
            Sampling temperature; 0 decodes greedily. Defaults to 0, or to 0.2 with several samples; with the preset of the
            paper to 0.6 for `apps` and 1.2 for `mbpp`.
        preset (`str`, *optional*):
            Change the defaults to those of the RLTF paper: `paper`, for `apps` and `mbpp`. The table shows its figures, too.
        top_p (`float`, *optional*, defaults to `0.95`):
            Share of the probability that is sampled from.
        max_completion_length (`int`, *optional*, defaults to `512`):
            Maximum number of tokens per completion.
        max_prompt_length (`int`, *optional*):
            Maximum number of tokens of a prompt. Longer ones lose the beginning of their content, not the chat template.
        prompt_style (`str`, *optional*):
            Form of the prompts: `plain`, that of the benchmark; `chat`, the same text as a message through the tokenizer's chat
            template; `code_block`, a message that asks for a code block, and an answer that begins with one. Defaults to `plain` for `apps` and `mbpp`, as in the paper, and for the others to `chat` if there is a template.
        stop_strings (`list[str]`, *optional*):
            Texts that end a completion.
        filter_by_examples (`bool`, *optional*, defaults to `False`):
            Report n@k too: pass@n of the samples that pass the visible tests.
        batch_size (`int`, *optional*, defaults to `64`):
            Number of sequences that each process generates at a time.
        samples_per_shard (`int`, *optional*, defaults to `256`):
            Samples per shard. A killed process loses at most two shards.
        seed (`int`, *optional*, defaults to `0`):
            Seed of the sampling.
        test_timeout (`float`, *optional*, defaults to `4.0`):
            CPU seconds per unit test.
        ray_address (`str`, *optional*):
            Address of a Ray cluster whose nodes grade the programs: host:port, or `auto`. Defaults to grading on this machine.
        num_workers (`int`, *optional*):
            Number of programs that are graded at a time. Defaults to the number of cores.
        isolation (`str`, *optional*, defaults to `"auto"`):
            Isolation of the programs: `auto`, the best that is available; `strict`, the full sandbox or none; or a layer.
        ray_num_cpus (`float`, *optional*):
            CPUs that the grader of a node asks Ray for; 0 shares them with other work. Defaults to all CPUs of the node.
        ray_resources (`list[str]`, *optional*):
            Custom resources that the grader of a node asks Ray for, such as grading=1. Nodes without them are not used.
        use_cpu (`bool`, *optional*, defaults to `False`):
            Generate on the CPU even if there is an accelerator.
        gguf_file (`str`, *optional*):
            GGUF file in the folder or repository of the model.
        critic_model_name_or_path (`str`, *optional*):
            Critic, made by `trl-rltf train-critic`: samples are continued from the best prefixes of first samples.
        critic_prefixes (`int`, *optional*, defaults to `5`):
            First samples per problem that the critic cuts.
        adapter_name_or_path (`str`, *optional*):
            PEFT adapter to merge into the model.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Allow code of the model's repository to run.
        use_vllm (`bool`, *optional*, defaults to `False`):
            Sample with a vLLM engine in this process. `batch_size` is the number of sequences that it generates at a time.
        vllm_gpu_memory_utilization (`float`, *optional*, defaults to `0.9`):
            Share of the memory of the GPU that the engine takes.
        vllm_tensor_parallel_size (`int`, *optional*, defaults to `1`):
            Number of GPUs over which the engine divides the model.
        vllm_max_model_length (`int`, *optional*):
            Maximum number of tokens of prompt and completion in the engine. Defaults to that of the model.
        vllm_server_base_url (`str`, *optional*):
            Address of an OpenAI-compatible server that samples, such as http://localhost:8000. `batch_size` is the number of
            requests that each process sends at a time.
        vllm_server_model (`str`, *optional*):
            Name of the model at the server. Defaults to the model that the server loaded from `model_name_or_path`.
        vllm_server_timeout (`float`, *optional*, defaults to `240.0`):
            Seconds to wait for a server that cannot be reached yet.

    Raises:
        ValueError: If a value is out of range, or two arguments contradict each other.
    """

    eval_problems: int | None = None
    test_source: Literal["original", "new", "both"] = "both"
    output_dir: str | None = None
    programs: Literal["model", "reference", "empty"] = "model"
    num_samples: int = 1
    k: list[int] | None = None
    temperature: float | None = None
    preset: Literal["paper"] | None = None
    top_p: float = 0.95
    max_completion_length: int = 512
    max_prompt_length: int | None = None
    prompt_style: PromptStyle | None = None
    stop_strings: list[str] | None = None
    filter_by_examples: bool = False
    batch_size: int = 64
    samples_per_shard: int = 256
    seed: int = 0
    test_timeout: float = TIMEOUT
    ray_address: str | None = None
    num_workers: int | None = None
    isolation: IsolationChoice = "auto"
    ray_num_cpus: float | None = None
    ray_resources: list[str] | None = None
    use_cpu: bool = False
    gguf_file: str | None = None
    critic_model_name_or_path: str | None = None
    critic_prefixes: int = 5
    adapter_name_or_path: str | None = None
    trust_remote_code: bool = False
    use_vllm: bool = False
    vllm_gpu_memory_utilization: float = 0.9
    vllm_tensor_parallel_size: int = 1
    vllm_max_model_length: int | None = None
    vllm_server_base_url: str | None = None
    vllm_server_model: str | None = None
    vllm_server_timeout: float = 240.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset == "paper" and self.benchmark not in _PAPER_TEMPERATURES:
            raise ValueError(
                f"`preset` 'paper' is for the benchmarks {' and '.join(map(repr, _PAPER_TEMPERATURES))}, but `benchmark` is "
                f"{self.benchmark!r}. Leave the preset out."
            )
        if self.temperature is None:
            default = 0.0 if self.num_samples <= 1 else 0.2
            self.temperature = _PAPER_TEMPERATURES[self.benchmark] if self.preset == "paper" else default
        if self.filter_by_examples and self.benchmark in _ONE_TEST:
            raise ValueError(
                f"`filter_by_examples` needs a test that decides less than the verdict, which {self.benchmark!r} does not have. "
                "Leave it out."
            )
        if self.temperature == 0 and self.num_samples > 1 and self.programs == "model":
            raise ValueError(
                f"At `temperature` 0 all {self.num_samples} samples of a problem are the same. Use `num_samples` 1, or a higher "
                "temperature."
            )
        if self.prompt_style == "code_block" and self.critic_model_name_or_path is not None:
            raise ValueError(
                "`prompt_style` is 'code_block', which begins the answer, but a critic continues answers from its own prefixes. Use "
                "'chat' or 'plain' with a critic."
            )
        for name in ("batch_size", "critic_prefixes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` is {getattr(self, name)}, but must be at least 1.")
        if self.eval_problems is not None and self.eval_problems < 0:
            raise ValueError(f"`eval_problems` is {self.eval_problems}, but must be a number of problems.")
        parse_ray_arguments(self.ray_address, self.ray_num_cpus, self.ray_resources)
        check_vllm_arguments(self)

    def style_of_prompts(self, tokenizer: Any) -> PromptStyle:
        """
        Form in which prompts are sent.

        Args:
            tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the model.
        """
        if self.prompt_style is not None:
            return self.prompt_style
        sends_chat = self.benchmark not in _PAPER_TEMPERATURES and tokenizer.chat_template
        return "chat" if sends_chat else "plain"
