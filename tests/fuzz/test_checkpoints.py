"""Any configuration, any header: a result, or a ValueError that names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzz.bounds import bounded, settled
from hypothesis import given
from hypothesis import strategies as st

from data2vec_plugin.checkpoints.encoder_checkpoint import open_checkpoint
from data2vec_plugin.checkpoints.summary import summarise
from data2vec_plugin.convert.folder import read_file
from data2vec_plugin.convert.from_hf import from_hf
from data2vec_plugin.convert.modality import Given

numbers = st.one_of(st.integers(), st.integers(-3, 3), st.floats(), st.booleans(), st.none())
words = st.sampled_from(
    ["", "data2vec_audio", "wav2vec_ctc", "${a}", "${model.x}", "${oc.env:X}", "???", "12", "/x", "²"]
)
keys = st.sampled_from(
    [
        "_name",
        "model",
        "task",
        "arch",
        "w2v_args",
        "encoder_layers",
        "depth",
        "normalize",
        "w2v_path",
        "transformer",
        "data",
    ]
)
values = st.recursive(
    st.one_of(numbers, words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
KEYS_OF_HF = (
    *("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size", "image_size"),
    *(
        "patch_size",
        "conv_dim",
        "conv_kernel",
        "conv_stride",
        "architectures",
        "id2label",
        "pad_token_id",
        "hidden_act",
    ),
)
TYPES = ("data2vec-audio", "data2vec-text", "data2vec-vision", "bert", "")
BEGINNINGS = (b"", b"\x80\x02", b"PK\x03\x04", b"{", b"\x80\x04\x95", b"version https://git-lfs", b"\x08" + bytes(7))
entries = st.sampled_from(
    ["cfg", "args", "model", "optimizer_history", "task_state", "extra_state", "last_optimizer_state", "criterion"]
)


@bounded()
@given(state=st.dictionaries(entries, values), model=st.dictionaries(keys, values))
def test_states(tmp_path: Path, state: Any, model: Any) -> None:
    path = tmp_path / "made.pt"
    weights = {"encoder.layers.0.fc1.weight": torch.zeros(2), "_ema": {"x": torch.zeros(1)}}
    for each in (
        state,
        {"model": weights, **state, "cfg": {"model": {"_name": "data2vec_audio", **model}, "task": {}}},
    ):
        torch.save(each, path)
        settled(path, summarise)
        settled(path, open_checkpoint)


tensors = st.fixed_dictionaries({}, optional={"dtype": values, "shape": values, "data_offsets": values})


@bounded()
@given(header=st.dictionaries(st.text(max_size=5), st.one_of(values, tensors), max_size=3), size=st.integers(-2, 2))
def test_headers_of_safetensors(tmp_path: Path, header: Any, size: int) -> None:
    path = tmp_path / "made.safetensors"
    text = json.dumps(header).encode()
    path.write_bytes(max(len(text) + size, 0).to_bytes(8, "little") + text + bytes(16))
    settled(path, summarise)


@bounded()
@given(content=st.binary(max_size=200), first=st.sampled_from(BEGINNINGS))
def test_bytes(tmp_path: Path, content: bytes, first: bytes) -> None:
    path = tmp_path / "made.pt"
    path.write_bytes(first + content)
    settled(path, summarise)


@pytest.mark.parametrize("name", ["config.json"])
@bounded()
@given(config=values)
def test_folders(tmp_path: Path, name: str, config: Any) -> None:
    (tmp_path / name).write_text(
        json.dumps({"architectures": config, "num_hidden_layers": config, "model_type": config})
    )
    settled(tmp_path, summarise)


@bounded()
@given(config=st.dictionaries(st.sampled_from(KEYS_OF_HF), values), model_type=st.sampled_from(TYPES))
def test_folders_are_converted_or_refused(tmp_path: Path, config: Any, model_type: str) -> None:
    """Whatever config.json says; without weights nothing can come of it."""
    folder = tmp_path / "theirs"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type, **config}))
    settled(folder, lambda folder: from_hf(folder, tmp_path / "made.pt", Given()))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
@bounded()
@given(content=st.binary(max_size=200), first=st.sampled_from(BEGINNINGS))
def test_weights_of_folders(tmp_path: Path, name: str, content: bytes, first: bytes) -> None:
    (tmp_path / name).write_bytes(first + content)
    settled(tmp_path / name, read_file)
