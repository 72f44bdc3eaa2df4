"""Arguments of the training and evaluation scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from trl import ScriptArguments

from ..execution.limits import TIMEOUT
from .benchmark_arguments import BenchmarkArguments
from .parser import documented
from .vllm_arguments import check_vllm_arguments


_PAPER_TEMPERATURES = {"apps": 0.6, "mbpp": 1.2}
# Their first assert is the whole test, or one of the hidden ones.
_ONE_TEST = ("humaneval", "humaneval_plus", "mbpp_plus")


@documented
@dataclass
class RLTFScriptArguments(ScriptArguments):
    """
    Arguments of the training script.

    The script takes the arguments of [`RLTFConfig`] and [`~trl.ModelConfig`] too.

    Args:
        benchmark (`str`, *optional*, defaults to `"apps"`):
            Layout of the problems: `apps` or `mbpp`.
        dataset_name (`str`, *optional*):
            Problems: for APPS a folder in its layout, for MBPP an mbpp.jsonl, or a dataset of the Hub. Defaults to MiniAPPS, or
            to MBPP on the Hub.
        dataset_train_split (`str`, *optional*, defaults to `"train"`):
            Split to train on.
        dataset_test_split (`str`, *optional*, defaults to `"test"`):
            Split with the held-out problems.
        difficulties (`list[str]`, *optional*):
            Difficulties of APPS to keep. Defaults to all.
        prompt_style (`str`, *optional*, defaults to `"plain"`):
            Form of the prompts: `plain` text, or `chat`, a message of a user, for models that follow instructions.
        preset (`str`, *optional*):
            Change the defaults to a recipe: `paper`, that of the RLTF paper. See `trl_rltf.presets`.
        architecture (`str`, *optional*, defaults to `"llama"`):
            Architecture of the tiny model of the demo: `llama`, or `t5`, an encoder-decoder.
        gguf_file (`str`, *optional*):
            File in GGUF format in the folder or repository of the model.
        warm_start_steps (`int`, *optional*):
            Steps of supervised training on reference solutions before RL. Defaults to 240 in the demo, else to 0.
        warm_start_epochs (`float`, *optional*):
            Epochs of supervised training, if no number of steps is given.
        warm_start_solutions (`int`, *optional*, defaults to `1`):
            Maximum number of reference solutions per problem in the warm start.
        warm_start_bug_share (`float`, *optional*, defaults to `0.75`):
            Share of the programs of the warm start that get a bug, as scraped code has; MiniAPPS only.
        warm_start_slip_share (`float`, *optional*, defaults to `0.0`):
            Share of the lines of the warm start's programs that get a slip, instead of a bug per program; MiniAPPS only.
        warm_start_learning_rate (`float`, *optional*, defaults to `0.001`):
            Learning rate of the warm start.
        warm_start_batch_size (`int`, *optional*, defaults to `32`):
            Batch size of the warm start per device.
        warm_start_accumulation_steps (`int`, *optional*, defaults to `1`):
            Batches that the warm start accumulates per optimizer step.
        paper_feedback (`bool`, *optional*, defaults to `False`):
            Use the rewards of the paper: outcome classes, and a penalty on the tokens of an error.
        token_feedback (`str`, *optional*):
            Rewards of the tokens: `line_credit`, `statement_penalty` or `expression_penalty`. Defaults to that of the reward
            function.
        token_weight (`float`, *optional*):
            Weight of the per-token rewards; 0 switches them off. Defaults to 1.0, or to 0.3 with the rewards of the paper.
        adaptive_weight (`float`, *optional*, defaults to `1.0`):
            Weight of the share of tests passed; 0 switches it off.
        critic_model_name_or_path (`str`, *optional*):
            Critic that weights the advantages of tokens, made by `trl-rltf train-critic`. Defaults to none.
        use_buffer (`bool`, *optional*, defaults to `False`):
            Train from an online buffer instead of on-policy.
        buffer_capacity (`int`, *optional*, defaults to `6400`):
            Number of samples in the online buffer.
        update_steps (`int`, *optional*, defaults to `50`):
            Optimizer steps between refreshes of the buffer.
        test_timeout (`float`, *optional*, defaults to `4.0`):
            CPU seconds per unit test.
        ray_address (`str`, *optional*):
            Address of a Ray cluster whose nodes grade the programs: host:port, or `auto`. Defaults to grading on this machine.
        num_workers (`int`, *optional*):
            Number of programs that are graded at a time, on this machine or per node of the cluster. Defaults to the number of
            cores.
        eval_samples (`int`, *optional*, defaults to `10`):
            Samples per held-out problem, for pass@k before and after training.
        eval_batch_size (`int`, *optional*, defaults to `64`):
            Number of samples of held-out problems that are generated at a time.
        eval_problems (`int`, *optional*):
            Number of held-out problems. Defaults to all.

    Raises:
        ValueError: If two arguments contradict each other.
    """

    benchmark: Literal["apps", "mbpp"] = "apps"
    difficulties: list[str] | None = None
    prompt_style: Literal["plain", "chat"] = "plain"
    preset: Literal["paper"] | None = None
    architecture: Literal["llama", "t5"] = "llama"
    gguf_file: str | None = None
    warm_start_steps: int | None = None
    warm_start_epochs: float | None = None
    warm_start_solutions: int = 1
    warm_start_bug_share: float = 0.75
    warm_start_slip_share: float = 0.0
    warm_start_learning_rate: float = 1e-3
    warm_start_batch_size: int = 32
    warm_start_accumulation_steps: int = 1
    paper_feedback: bool = False
    token_feedback: Literal["line_credit", "statement_penalty", "expression_penalty"] | None = None
    token_weight: float | None = None
    adaptive_weight: float = 1.0
    critic_model_name_or_path: str | None = None
    use_buffer: bool = False
    buffer_capacity: int = 6400
    update_steps: int = 50
    test_timeout: float = TIMEOUT
    ray_address: str | None = None
    num_workers: int | None = None
    eval_samples: int = 10
    eval_batch_size: int = 64
    eval_problems: int | None = None

    def __post_init__(self) -> None:
        if self.benchmark == "mbpp" and self.difficulties is not None:
            raise ValueError("`difficulties` are levels of APPS, but `benchmark` is 'mbpp'. Leave `difficulties` out.")
        for name, least in (("warm_start_steps", 0), ("eval_samples", 1), ("eval_batch_size", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"`{name}` is {value}, but must be at least {least}.")
        if self.test_timeout <= 0:
            raise ValueError(f"`test_timeout` is {self.test_timeout}, but must be a number of seconds above 0.")


@documented
@dataclass
class CriticScriptArguments(RLTFScriptArguments):
    """
    Arguments of the script that trains a critic.

    The inherited arguments describe the policy that samples. The script takes the arguments of
    [`~transformers.TrainingArguments`] and [`~trl.ModelConfig`] too.

    Args:
        critic_model_name_or_path (`str`, *optional*):
            Model that the critic starts from. Defaults to a tiny model in the demo, else to the policy.
        samples (`str`, *optional*):
            JSON Lines of graded samples, with `prompt`, `completion` and `outcome`. By default the policy samples.
        num_samples (`int`, *optional*, defaults to `8`):
            Samples per training problem, if the policy samples.
        temperature (`float`, *optional*, defaults to `0.6`):
            Sampling temperature of the policy.
        max_completion_length (`int`, *optional*, defaults to `96`):
            Maximum number of tokens per completion of the policy.
        max_prompt_length (`int`, *optional*):
            Maximum number of tokens of a prompt for the policy. Longer ones lose the beginning of their content.
        pooling (`str`, *optional*, defaults to `"last"`):
            How the critic judges a completion: `last`, a label for each token; `max`, the highest logits over the tokens, as in
            CodeRL.
        max_length (`int`, *optional*):
            Maximum number of tokens of prompt and completion for the critic.
    """

    samples: str | None = None
    num_samples: int = 8
    temperature: float = 0.6
    max_completion_length: int = 96
    max_prompt_length: int | None = None
    pooling: Literal["last", "max"] = "last"
    max_length: int | None = None


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
            Sampling temperature; 0 decodes greedily. Defaults to that of the paper for `apps` (0.6) and `mbpp` (1.2), and for
            the others to 0, or to 0.2 with several samples.
        top_p (`float`, *optional*, defaults to `0.95`):
            Share of the probability that is sampled from.
        max_completion_length (`int`, *optional*, defaults to `512`):
            Maximum number of tokens per completion.
        max_prompt_length (`int`, *optional*):
            Maximum number of tokens of a prompt. Longer ones lose the beginning of their content, not the chat template.
        prompt_style (`str`, *optional*):
            Form of the prompts: `plain`, that of the benchmark, or `chat`, the same text as a message through the tokenizer's chat
            template. Defaults to `plain` for `apps` and `mbpp`, as in the paper, and for the others to `chat` if there is a template.
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
    top_p: float = 0.95
    max_completion_length: int = 512
    max_prompt_length: int | None = None
    prompt_style: Literal["plain", "chat"] | None = None
    stop_strings: list[str] | None = None
    filter_by_examples: bool = False
    batch_size: int = 64
    samples_per_shard: int = 256
    seed: int = 0
    test_timeout: float = TIMEOUT
    ray_address: str | None = None
    num_workers: int | None = None
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
        if self.temperature is None:
            self.temperature = _PAPER_TEMPERATURES.get(self.benchmark, 0.0 if self.num_samples <= 1 else 0.2)
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
        for name in ("batch_size", "critic_prefixes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` is {getattr(self, name)}, but must be at least 1.")
        if self.eval_problems is not None and self.eval_problems < 0:
            raise ValueError(f"`eval_problems` is {self.eval_problems}, but must be a number of problems.")
        check_vllm_arguments(self)

    def sends_chat(self, tokenizer: Any) -> bool:
        """
        Whether prompts are sent as chat messages.

        Args:
            tokenizer ([`~transformers.PreTrainedTokenizerBase`]): Tokenizer of the model.
        """
        if self.prompt_style is not None:
            return self.prompt_style == "chat"
        return self.benchmark not in _PAPER_TEMPERATURES and bool(tokenizer.chat_template)
