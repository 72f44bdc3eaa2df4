"""The critic of CodeRL: the probability of each outcome at each token."""

# Dimensions: T tokens of a completion including the end token, C = 4 outcomes.

from __future__ import annotations

import bisect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.nn.utils.rnn import pad_sequence

from ..completions.conversation import final_text
from ..completions.program import prompt_text
from ..completions.tokens import token_ranges
from ..execution import Outcome


# The outcomes of unit tests in the order of their values; their names are the critic's labels.
OUTCOMES = tuple(sorted(outcome for outcome in Outcome if outcome is not Outcome.NOT_GRADABLE))
LABELS = tuple(outcome.name for outcome in OUTCOMES)
# Arguments for `from_pretrained` of `AutoModelForTokenClassification`, or for the configuration of a new model.
LABEL_SETTINGS: dict[str, Any] = {
    "num_labels": len(LABELS),
    "id2label": dict(enumerate(LABELS)),
    "label2id": {label: index for index, label in enumerate(LABELS)},
}
Pooling = Literal["last", "max"]
_FAR = 2**62  # end of the range of characters of the end token


@dataclass(frozen=True, slots=True)
class EncodedProgram:
    """
    Token ids of a prompt and a completion.

    Args:
        input_ids (`list[int]`): Start token, prompt, completion, end token.
        num_prompt_tokens (`int`): Number of tokens before the completion, start token included.
        ranges (`list[tuple[int, int]]`): Half-open character range in the completion of each token after the prompt; that of the
            end token begins after the last character.
    """

    input_ids: list[int]
    num_prompt_tokens: int
    ranges: list[tuple[int, int]]


def encode_program(tokenizer: Any, prompt: str, completion: str, max_length: int | None) -> EncodedProgram:
    """
    Tokenize a prompt and a completion for the critic.

    Args:
        tokenizer ([`~transformers.PreTrainedTokenizerBase`]): The critic's tokenizer.
        prompt (`str`): Prompt. Its beginning is cut if both do not fit.
        completion (`str`): Completion. Its end is cut if it does not fit by itself.
        max_length (`int` or `None`): Maximum number of tokens in all; `None` sets no limit.

    Returns:
        [`EncodedProgram`]: Token ids and character ranges.

    Raises:
        ValueError: If the tokenizer has no token for the end of a text.
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
    Find the output column of each outcome.

    Args:
        config ([`~transformers.PreTrainedConfig`]): Configuration of the critic.

    Returns:
        `list[int]`: Index of the class of each outcome, in the order of `LABELS`.

    Raises:
        ValueError: If the labels of the critic are not the names of the outcomes.
    """
    names = {name: int(index) for name, index in config.label2id.items()}
    if set(names) != set(LABELS):
        raise ValueError(
            f"The critic has the labels {sorted(names)}, but must have {', '.join(LABELS)}: the outcomes of the unit tests. "
            "Train a critic with `examples/train_critic.py`, or set `id2label` and `label2id` of its configuration."
        )
    return [names[label] for label in LABELS]


@dataclass(frozen=True, slots=True)
class CriticOutput:
    """
    Predictions of the critic for one program.

    Args:
        logits (`torch.Tensor`): Logits of the outcomes at each token, shape `(T, C)`; the last token is the end token.
        ranges (`list[tuple[int, int]]`): Half-open character range of each token in the completion, length `T`.
        pooling (`str`, *optional*, defaults to `"last"`): Logits that the verdict is made from: `"last"`, those of the end token,
            or `"max"`, the maximum over the tokens.
    """

    logits: torch.Tensor
    ranges: list[tuple[int, int]]
    pooling: Pooling = "last"

    @property
    def verdict(self) -> torch.Tensor:
        """Probability of each outcome for the whole program, shape `(C,)`."""
        logits = self.logits.amax(0) if self.pooling == "max" else self.logits[-1]
        return logits.softmax(-1)

    def probabilities(self, outcome: Outcome) -> torch.Tensor:
        """Probability of an outcome at each of the critic's tokens, shape `(T,)`."""
        return self.logits.softmax(-1)[:, OUTCOMES.index(outcome)]

    def at_tokens(self, ranges: Sequence[tuple[int, int]], outcome: Outcome) -> list[float]:
        """
        Probability of an outcome at the tokens of another tokenizer.

        Args:
            ranges (`Sequence[tuple[int, int]]`): Half-open character range of each of those tokens in the completion. An empty
                range, such as that of an end token, marks a position.
            outcome ([`~execution.Outcome`]): The outcome.

        Returns:
            `list[float]`: For each token, the mean over the critic's tokens that share a character with it. If no token does,
            as in blanks, the probability at the critic's token before it.
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
    Token classifier whose four classes are the outcomes of unit tests.

    Args:
        model (`str` or [`~transformers.PreTrainedModel`]):
            Model for token classification, or its name or path. Its labels are `SYNTAX_ERROR`, `RUNTIME_ERROR`, `FAILURE` and
            `PASS`.
        processing_class ([`~transformers.PreTrainedTokenizerBase`], *optional*):
            Tokenizer of the critic, which may differ from that of the policy. Defaults to the tokenizer saved with the model.
        device (`str` or `torch.device`, *optional*):
            Device of the critic. Defaults to that of the model; for a name, to the accelerator of the process, otherwise the CPU.
        batch_size (`int`, *optional*, defaults to `32`):
            Number of programs per forward pass.
        max_length (`int`, *optional*):
            Maximum number of tokens of prompt and completion. Defaults to the limit of model and tokenizer.

    Raises:
        ValueError: If its labels are not the four outcomes, or a number is out of range.
    """

    def __init__(
        self,
        model: Any,
        processing_class: Any = None,
        *,
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
        self.pooling: Pooling = model.config.to_dict().get("critic_pooling", "last")
        self.model = (model if device is None else model.to(device)).eval()
        self.processing_class = processing_class
        self.batch_size = batch_size
        self.max_length = longest_input(model.config, processing_class) if max_length is None else max_length

    @torch.no_grad()
    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any]) -> list[CriticOutput]:
        """
        Predict the outcome of programs.

        Args:
            prompts (`Sequence`): Prompts, as text or as chat messages.
            completions (`Sequence`): Completions, as text or as chat messages.

        Returns:
            `list[CriticOutput]`: One entry per completion. Equal pairs are evaluated once.
        """
        pairs = [(prompt_text(p), final_text(c)) for p, c in zip(prompts, completions, strict=True)]
        encoded = {pair: encode_program(self.processing_class, *pair, self.max_length) for pair in set(pairs)}
        # Programs of similar length share a batch, which saves padding.
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
                completion_logits = row[program.num_prompt_tokens : len(program.input_ids)]
                outputs[pair] = CriticOutput(completion_logits, program.ranges, self.pooling)
        return [outputs[pair] for pair in pairs]


def longest_input(config: Any, tokenizer: Any) -> int | None:
    """Maximum number of tokens of a model, or `None` if no limit is configured."""
    settings = config.to_dict()
    limits = [settings.get("max_position_embeddings"), tokenizer.model_max_length]
    return min((limit for limit in limits if limit is not None and 0 < limit < 10**9), default=None)


def _default_device() -> torch.device:
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is None:
        return torch.device("cpu")
    # A reward function may run in a thread, for which the current device is always the first.
    return torch.device(accelerator.type, int(os.environ.get("LOCAL_RANK", "0")))
