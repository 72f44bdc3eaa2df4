"""The critic of CodeRL: how likely each outcome of a program is, as seen from each of its tokens."""

# Dimensions: T tokens of a completion with its end, C = 4 outcomes.

from __future__ import annotations

import bisect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from ..completions.program import completion_text, prompt_text
from ..completions.tokens import token_ranges
from ..execution import Outcome


# The outcomes that the unit tests tell apart, in the order of their values; their names are the critic's labels.
OUTCOMES = tuple(sorted(outcome for outcome in Outcome if outcome is not Outcome.NOT_GRADABLE))
LABELS = tuple(outcome.name for outcome in OUTCOMES)
POOLINGS = ("last", "max")
_FAR = 2**62  # the end of a program, as an index of a character


@dataclass(frozen=True, slots=True)
class EncodedProgram:
    """
    Prompt and completion as the critic reads them.

    Args:
        input_ids (`list[int]`): Start token, prompt, completion, end token.
        num_prompt_tokens (`int`): How many of them come before the completion.
        ranges (`list[tuple[int, int]]`): Characters of the completion that each token after the prompt stands for; the end
            token stands for what comes after the last of them.
    """

    input_ids: list[int]
    num_prompt_tokens: int
    ranges: list[tuple[int, int]]


def encode_program(tokenizer: Any, prompt: str, completion: str, max_length: int | None) -> EncodedProgram:
    """
    Tokenize a prompt and a completion for the critic.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): The critic's tokenizer.
        prompt (`str`): Prompt; it loses its beginning where there is not room for all of it.
        completion (`str`): Completion; it loses its end where it alone is too long.
        max_length (`int`, *optional*): Number of tokens in all; `None` is no limit.

    Returns:
        [`EncodedProgram`]: Token ids, and the characters of the completion that they stand for.
    """
    first = next((i for i in (tokenizer.cls_token_id, tokenizer.bos_token_id) if i is not None), None)
    last = next((i for i in (tokenizer.sep_token_id, tokenizer.eos_token_id) if i is not None), None)
    start = [] if first is None else [first]
    if last is None:
        raise ValueError("The critic's tokenizer has no token for the end of a text. Give it an `eos_token`.")
    prompt_ids = tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
    encoded = tokenizer(
        completion, add_special_tokens=False, verbose=False, return_offsets_mapping=tokenizer.is_fast or None
    )
    ids = encoded["input_ids"]
    ranges = encoded["offset_mapping"] if tokenizer.is_fast else token_ranges(ids, completion, tokenizer)
    ranges = [(int(begin), int(end)) for begin, end in ranges]
    if max_length is not None:
        room = max(max_length - len(start) - 1, 0)
        ids, ranges = ids[:room], ranges[:room]
        prompt_ids = prompt_ids[max(0, len(prompt_ids) - (room - len(ids))) :]
    end = max((end for _, end in ranges), default=0)
    before = [*start, *prompt_ids]
    return EncodedProgram([*before, *ids, last], len(before), [*ranges, (end, _FAR)])


def outcome_columns(config: Any) -> list[int]:
    """
    Find the critic's class of each outcome.

    Args:
        config ([`~transformers.PreTrainedConfig`]): Configuration of the critic.

    Returns:
        `list[int]`: Index of the class of each outcome, in the order of [`LABELS`].

    Raises:
        ValueError: If it has other labels.
    """
    names = {name: int(index) for name, index in config.label2id.items()}
    if set(names) != set(LABELS):
        raise ValueError(
            f"The critic has the labels {sorted(names)}, but must have {', '.join(LABELS)}: the outcomes of the unit tests. Train "
            "one with `examples/train_critic.py`, or set `id2label` and `label2id` of its configuration."
        )
    return [names[label] for label in LABELS]


@dataclass(frozen=True, slots=True)
class CriticOutput:
    """
    What the critic thinks of one program.

    Args:
        logits (`torch.Tensor`): Of each outcome at each token, shape `(T, C)`; the last token is the end of the program.
        ranges (`list[tuple[int, int]]`): Characters of the completion that each token stands for.
        pooling (`str`): What the verdict on the whole is taken from: `"last"`, the end of the program, or `"max"`, the
            highest logit of each outcome.
    """

    logits: torch.Tensor
    ranges: list[tuple[int, int]]
    pooling: str = "last"

    @property
    def verdict(self) -> torch.Tensor:
        """Probability of each outcome for the whole program, shape `(C,)`."""
        logits = self.logits.amax(0) if self.pooling == "max" else self.logits[-1]
        return logits.softmax(-1)

    def probabilities(self, outcome: Outcome) -> torch.Tensor:
        """Probability of an outcome at each token of the critic, shape `(T,)`."""
        return self.logits.softmax(-1)[:, OUTCOMES.index(outcome)]

    def at_tokens(self, ranges: Sequence[tuple[int, int]], outcome: Outcome) -> list[float]:
        """
        Probability of an outcome at the tokens of another tokenizer.

        Args:
            ranges (`Sequence[tuple[int, int]]`): Characters of the completion that each of those tokens stands for; a token
                without any, such as that of the end, stands for the place that it is at.
            outcome ([`~execution.Outcome`]): The outcome.

        Returns:
            `list[float]`: For each token, the mean over the critic's tokens that it shares a character with; where there is
            none, such as in blanks, that of the critic's token before it.
        """
        probabilities = self.probabilities(outcome).tolist()
        starts, ends = [begin for begin, _ in self.ranges], [end for _, end in self.ranges]
        found = []
        for begin, end in ranges:
            low = bisect.bisect_right(ends, begin)
            high = bisect.bisect_left(starts, max(end, begin + 1))
            shared = probabilities[low:high] or [probabilities[max(high - 1, 0)]]
            found.append(sum(shared) / len(shared))
        return found


class Critic:
    """
    A token classifier of four classes, the outcomes of unit tests, that reads prompts and completions.

    Args:
        model (`str` or [`~transformers.PreTrainedModel`]):
            Model for token classification, or its name or path. Its labels are `SYNTAX_ERROR`, `RUNTIME_ERROR`, `FAILURE` and
            `PASS`.
        processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            Its tokenizer, which need not be that of the policy. Defaults to the one that lies beside the model.
        device (`str` or `torch.device`, *optional*):
            Where it runs. Defaults to where the model is; for a name, to the accelerator of the process, else the CPU.
        batch_size (`int`, *optional*, defaults to `32`):
            Programs that it reads at a time.
        max_length (`int`, *optional*):
            Tokens of prompt and completion that it reads. Defaults to what its configuration and tokenizer can take.

    Raises:
        ValueError: If its labels are others, or a number is out of range.
    """

    def __init__(
        self,
        model: Any,
        processing_class: Any = None,
        device: str | torch.device | None = None,
        batch_size: int = 32,
        max_length: int | None = None,
    ):
        if batch_size < 1:
            raise ValueError(f"`batch_size` is {batch_size}, but must be at least 1.")
        if max_length is not None and max_length < 3:
            raise ValueError(f"`max_length` is {max_length}, but must be at least 3, or None.")
        if isinstance(model, str | os.PathLike):
            from transformers import AutoModelForTokenClassification

            device = _default_device() if device is None else device
            name, model = model, AutoModelForTokenClassification.from_pretrained(model)
            processing_class = name if processing_class is None else processing_class
        if processing_class is None or isinstance(processing_class, str | os.PathLike):
            from transformers import AutoTokenizer

            processing_class = AutoTokenizer.from_pretrained(processing_class or model.config._name_or_path)
        self._columns = outcome_columns(model.config)
        self.pooling: str = model.config.to_dict().get("critic_pooling", "last")
        self.model = (model if device is None else model.to(device)).eval()
        self.processing_class = processing_class
        self.batch_size = batch_size
        self.max_length = longest_input(model.config, processing_class) if max_length is None else max_length

    @torch.no_grad()
    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any]) -> list[CriticOutput]:
        """
        Read programs.

        Args:
            prompts (`Sequence`): Prompts, as text or as chat messages.
            completions (`Sequence`): Their completions, as text or as chat messages.

        Returns:
            `list[CriticOutput]`: One a completion. Equal ones are read once.
        """
        pairs = [(prompt_text(p), completion_text(c)) for p, c in zip(prompts, completions, strict=True)]
        encoded = {pair: encode_program(self.processing_class, *pair, self.max_length) for pair in set(pairs)}
        # Programs of about the same length together, so that little of a batch is padding.
        unique = sorted(encoded, key=lambda pair: (len(encoded[pair].input_ids), pair))
        outputs: dict[tuple[str, str], CriticOutput] = {}
        for start in range(0, len(unique), self.batch_size):
            batch = unique[start : start + self.batch_size]
            rows = [torch.tensor(encoded[pair].input_ids) for pair in batch]
            inputs = {
                "input_ids": pad_sequence(
                    rows, batch_first=True, padding_value=self.processing_class.pad_token_id or 0
                ),
                "attention_mask": pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
            }
            inputs = {key: value.to(self.model.device) for key, value in inputs.items()}
            logits = self.model(**inputs).logits.float().cpu()[..., self._columns]
            for pair, row in zip(batch, logits, strict=True):
                program = encoded[pair]
                own = row[program.num_prompt_tokens : len(program.input_ids)]
                outputs[pair] = CriticOutput(own, program.ranges, self.pooling)
        return [outputs[pair] for pair in pairs]


def longest_input(config: Any, tokenizer: Any) -> int | None:
    """How many tokens a model takes, if its configuration or tokenizer says so."""
    settings = config.to_dict()
    limits = [settings.get("max_position_embeddings"), tokenizer.model_max_length]
    return min((limit for limit in limits if limit is not None and 0 < limit < 10**9), default=None)


def _default_device() -> torch.device:
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is None:
        return torch.device("cpu")
    # A reward function may run in a thread, for which the current device is always the first.
    return torch.device(accelerator.type, int(os.environ.get("LOCAL_RANK", "0")))
