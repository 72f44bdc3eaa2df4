"""The generation config of a model is set aside and restored."""

import pytest

from trl_rltf.generation.settings import ignoring_generation_config


def test_only_special_tokens_are_kept(model):
    model.generation_config.update(num_beams=4, repetition_penalty=2.0, eos_token_id=[2, 7])
    with ignoring_generation_config(model):
        assert model.generation_config.eos_token_id == [2, 7]
        assert model.generation_config.pad_token_id == model.config.pad_token_id
        assert model.generation_config.num_beams in (None, 1)
        assert model.generation_config.repetition_penalty in (None, 1.0)


def test_the_generation_config_is_restored_after_an_error(model):
    config = model.generation_config
    with pytest.raises(RuntimeError), ignoring_generation_config(model):  # noqa: PT012
        assert model.generation_config is not config
        raise RuntimeError
    assert model.generation_config is config
