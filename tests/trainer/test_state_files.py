"""Files of a checkpoint: written, read, and refused where they are damaged."""

import pyarrow.parquet as pq
import pytest
import torch

from trl_rltf.trainer.state_files import (
    has_any,
    load,
    random_state,
    save,
    saved_processes,
    set_random_state,
)


SETTINGS = {"num_processes": 1, "seed": 3}
STATE = {"step": 4, "note": "here"}


def sample(first):
    return {
        "prompt_ids": torch.tensor([first, 6], dtype=torch.int32),
        "completion_ids": torch.tensor([first + 1], dtype=torch.int32),
        "completion_mask": torch.ones(1, dtype=torch.int8),
        "advantages": torch.tensor([0.1 * first]),
        "old_per_token_logps": torch.tensor([-1.5], dtype=torch.bfloat16),
    }


@pytest.fixture
def saved(tmp_path, tokenizer):
    """A checkpoint with two samples and no batches."""
    save(str(tmp_path), 0, SETTINGS, STATE, [(0, sample(10)), (2, sample(20))], None, tokenizer)
    return tmp_path


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert torch.equal(found[key], value)
        assert found[key].dtype == value.dtype


def test_samples_are_read_to_the_last_bit(saved):
    state, samples, batches = load(str(saved), 0, SETTINGS)
    assert state == STATE
    assert batches is None
    assert [step for step, _ in samples] == [0, 2]
    for (_, found), first in zip(samples, (10, 20), strict=True):
        assert_same(found, sample(first))


def test_batches_are_read_to_the_last_bit(tmp_path, tokenizer):
    batches = [{"advantages": torch.rand(2, 3), "num_items_in_batch": torch.tensor(number)} for number in range(3)]
    save(str(tmp_path), 0, SETTINGS, STATE, None, batches, tokenizer)
    _, samples, found = load(str(tmp_path), 0, SETTINGS)
    assert samples is None
    for one, other in zip(found, batches, strict=True):
        assert_same(one, other)


def test_an_empty_buffer_is_read_as_one(tmp_path, tokenizer):
    save(str(tmp_path), 0, SETTINGS, STATE, [], None, tokenizer)
    assert load(str(tmp_path), 0, SETTINGS)[1] == []


def test_the_buffer_is_a_parquet_file_that_people_can_read(saved, tokenizer):
    table = pq.read_table(saved / "rltf" / "online_buffer-rank0.parquet")
    assert set(table.column_names) == {"step", "prompt", "completion", *sample(0)}
    assert table["step"].to_pylist() == [0, 2]
    assert table["completion"].to_pylist() == [tokenizer.decode([11]), tokenizer.decode([21])]


def flip_a_byte(folder):
    file = folder / "online_buffer-rank0.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "online_buffer-rank0.parquet").write_bytes(b"no"), "other content than was written"),
        (lambda folder: (folder / "online_buffer-rank0.parquet").unlink(), "online_buffer-rank0.parquet is missing"),
        (lambda folder: (folder / "state-rank0.json").write_text("{"), "state-rank0.json cannot be read"),
        (lambda folder: (folder / "state-rank0.json").write_text("[]"), "state-rank0.json cannot be read"),
        (
            lambda folder: (folder / "state-rank0.json").write_text('{"format": 9}'),
            "it has format 9, and this .* reads",
        ),
        (flip_a_byte, "other content than was written"),
        (
            lambda folder: (folder / "state-rank0.json").rename(folder / "state-rank1.json"),
            "state-rank0.json is missing",  # and the state of another process is not read in its place
        ),
    ],
)
def test_damage_is_found_and_named(saved, damage, message):
    damage(saved / "rltf")
    with pytest.raises(ValueError, match=rf"(?s)checkpoint.*damaged.*{message}.*Resume from an earlier one"):
        load(str(saved), 0, SETTINGS)


def test_a_checkpoint_without_a_state_is_of_another_trainer(tmp_path):
    with pytest.raises(ValueError, match=r"no state of an RLTF run \(no rltf/state-rank0.json\)"):
        load(str(tmp_path), 0, SETTINGS)


def test_settings_that_differ_are_named(saved):
    with pytest.raises(ValueError, match=r"`num_processes` was 1 and is 2; `seed` was 3 and is None"):
        load(str(saved), 0, {"num_processes": 2})


def test_saving_again_replaces_the_state(saved, tokenizer):
    save(str(saved), 0, SETTINGS, {"step": 5}, None, None, tokenizer)
    assert load(str(saved), 0, SETTINGS) == ({"step": 5}, None, None)


def test_the_states_of_processes_are_counted(saved, tmp_path, tokenizer):
    assert has_any(str(saved))
    save(str(saved), 1, {"num_processes": 2}, STATE, None, None, tokenizer)
    save(str(saved), 0, {"num_processes": 2}, STATE, None, None, tokenizer)
    assert saved_processes(str(saved)) == (2, 2)
    assert saved_processes(str(tmp_path / "nothing")) == (0, 0)
    assert not has_any(str(tmp_path / "nothing"))


def test_a_generator_continues_from_its_state():
    generator = torch.Generator().manual_seed(7)
    torch.rand(3, generator=generator)
    state = random_state(generator)
    expected = torch.rand(5, generator=generator)
    other = torch.Generator()
    set_random_state(other, state)
    assert torch.equal(torch.rand(5, generator=other), expected)
