"""Arguments of the training scripts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trl import ScriptArguments

from ..execution.limits import TIMEOUT
from ..execution.runner import IsolationChoice
from ..rewards.audit import check_share
from .benchmark_arguments import ColumnArguments, check_columns, named_columns
from .own_data import layout_of
from .parser import documented
from .runners import parse_ray_arguments


@documented
@dataclass
class RLTFScriptArguments(ColumnArguments, ScriptArguments):
    """
    Arguments of the training script.

    The script takes the arguments of [`RLTFConfig`] and [`~trl.ModelConfig`] too.

    Args:
        benchmark (`str`, *optional*):
            Layout of the problems: `apps`, `mbpp`, or `columns`, any dataset whose columns are named by the arguments `*_column`.
            Defaults to `columns` for a file, for a folder of files or of `save_to_disk`, for a dataset of the Hub with another
            name than those of APPS and MBPP, and if a column is named; else to `apps`.
        dataset_name (`str`, *optional*):
            Problems: a file (.jsonl, .json, .parquet), a folder with such files or of `save_to_disk`, a folder in the layout of
            APPS, an mbpp.jsonl, a dataset of the Hub, or mini_apps. Defaults to MBPP on the Hub for `mbpp`, and without a model
            to MiniAPPS.
        dataset_config (`str`, *optional*):
            With `columns`: configuration of the dataset on the Hub.
        dataset_train_split (`str`, *optional*, defaults to `"train"`):
            Split to train on.
        dataset_test_split (`str`, *optional*, defaults to `"test"`):
            Split with the held-out problems.
        difficulties (`list[str]`, *optional*):
            Difficulties to keep. Defaults to all.
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
        audit_tests (`float`, *optional*, defaults to `0.0`):
            Share of the tests of each problem that is kept out of the reward and logged, see [`UnitTestRewardFunction`].
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
        isolation (`str`, *optional*, defaults to `"auto"`):
            Isolation of the programs: `auto`, the best that is available; `strict`, the full sandbox or none; or a layer.
        ray_num_cpus (`float`, *optional*):
            CPUs that the grader of a node asks Ray for; 0 shares them with the training. Defaults to all CPUs of the node.
        ray_resources (`list[str]`, *optional*):
            Custom resources that the grader of a node asks Ray for, such as grading=1. Nodes without them are not used.
        eval_samples (`int`, *optional*, defaults to `10`):
            Samples per held-out problem, for pass@k before and after training.
        eval_batch_size (`int`, *optional*, defaults to `64`):
            Number of samples of held-out problems that are generated at a time.
        eval_problems (`int`, *optional*, defaults to `100`):
            Maximum number of held-out problems, spread over all of them; 0 takes all.
        no_eval (`bool`, *optional*, defaults to `False`):
            Hold no problems out, and measure pass@k neither before nor after training.

    Raises:
        ValueError: If two arguments contradict each other.
    """

    benchmark: Literal["apps", "mbpp", "columns"] | None = None
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
    audit_tests: float = 0.0
    critic_model_name_or_path: str | None = None
    use_buffer: bool = False
    buffer_capacity: int = 6400
    update_steps: int = 50
    test_timeout: float = TIMEOUT
    ray_address: str | None = None
    num_workers: int | None = None
    isolation: IsolationChoice = "auto"
    ray_num_cpus: float | None = None
    ray_resources: list[str] | None = None
    eval_samples: int = 10
    eval_batch_size: int = 64
    eval_problems: int = 100
    no_eval: bool = False

    def __post_init__(self) -> None:
        columns = named_columns(self)
        if self.benchmark is None:
            self.benchmark = "columns" if columns else layout_of(self.dataset_name)
        check_columns(self.benchmark, self.dataset_name, columns)
        if self.benchmark == "mbpp" and self.difficulties is not None:
            raise ValueError("`difficulties` are levels of APPS, but `benchmark` is 'mbpp'. Leave `difficulties` out.")
        least_values = {"warm_start_steps": 0, "eval_samples": 1, "eval_batch_size": 1, "eval_problems": 0}
        for name, least in least_values.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"`{name}` is {value}, but must be at least {least}.")
        check_share(self.audit_tests)
        if self.test_timeout <= 0:
            raise ValueError(f"`test_timeout` is {self.test_timeout}, but must be a number of seconds above 0.")
        parse_ray_arguments(self.ray_address, self.ray_num_cpus, self.ray_resources)


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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.no_eval:
            raise ValueError("`no_eval` holds no problems out, but a critic is measured on them. Leave it out.")
