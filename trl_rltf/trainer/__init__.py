"""The trainer, its configuration and the online buffer."""

from .online_buffer import OnlineBuffer
from .rltf_config import RLTFConfig
from .rltf_trainer import RLTFTrainer


__all__ = ["OnlineBuffer", "RLTFConfig", "RLTFTrainer"]
