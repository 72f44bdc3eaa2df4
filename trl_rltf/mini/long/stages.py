"""All kinds of stages by name."""

from __future__ import annotations

from .list_stages import LIST_STAGES
from .number_stages import NUMBER_STAGES
from .place_stages import PLACE_STAGES
from .short_stages import SHORT_STAGES
from .text_stages import TEXT_STAGES


# Those with state first: loops, branches, places that bind later code.
STATEFUL = (*LIST_STAGES, *NUMBER_STAGES, *PLACE_STAGES, *TEXT_STAGES)
STAGES = {stage.name: stage for stage in (*STATEFUL, *SHORT_STAGES)}
