"""Folders of others: tokenizers without a dictionary, and heads of other objectives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from convert.made import convert, refused
from convert.made_text import LINES, fairseq_ids, symbols
from glue_files import write_gpt2_bpe
from interop.huggingface.models import assert_agree

from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint

transformers = pytest.importorskip("transformers")


@pytest.fixture
def facebook_style(tmp_path: Path) -> Path:
    """A folder as those of the released text models: a language model's class, RoBERTa's tokenizer, no dictionary."""
    write_gpt2_bpe(tmp_path)
    pairs = json.loads((tmp_path / "encoder.json").read_text())
    names = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pairs, reverse=True), "madeupword0000", "<mask>"]
    settings = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24}
    config = transformers.Data2VecTextConfig(
        **settings, vocab_size=len(names), max_position_embeddings=66, type_vocab_size=1, layer_norm_eps=1e-5
    )
    folder = tmp_path / "theirs"
    transformers.Data2VecTextForMaskedLM(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({name: row for row, name in enumerate(names)}))
    (folder / "merges.txt").write_text((tmp_path / "vocab.bpe").read_text("utf-8"), "utf-8")
    return folder


def test_released_folders_are_read(facebook_style: Path, tmp_path: Path) -> None:
    convert(facebook_style, tmp_path / "back" / "ours.pt")
    tokenizer = transformers.RobertaTokenizer.from_pretrained(str(facebook_style))
    wanted = [tokenizer(line)["input_ids"] for line in LINES]
    assert [fairseq_ids(tmp_path / "back", "gpt2", line) for line in LINES] == wanted
    hf = transformers.Data2VecTextForMaskedLM.from_pretrained(str(facebook_style)).eval().data2vec_text
    ours = build_encoder(open_checkpoint(tmp_path / "back" / "ours.pt"), False, symbols(tmp_path / "back"))
    ids = torch.tensor([wanted[0]])
    with torch.no_grad():
        assert_agree(ours.extract_features(ids)[0], hf(ids).last_hidden_state)  # type: ignore[operator]


def test_gpt2s_own_numbers_can_be_given(facebook_style: Path, tmp_path: Path) -> None:
    convert(facebook_style, tmp_path / "back" / "ours.pt", "--gpt2-bpe", str(tmp_path))
    back = symbols(tmp_path / "back")
    assert set(back.symbols) == set(symbols(tmp_path).symbols) | {"madeupword0000"}
    names = json.loads((facebook_style / "vocab.json").read_text())
    assert back.index(str(json.loads((tmp_path / "encoder.json").read_text())["the"])) == names["the"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"<pad>": 0, "<s>": 1},
            "its vocabulary begins with <pad>, <s>, </s>, <unk>; a fairseq dictionary begins",
        ),
        ({"more": 267}, "its tokenizer has 268 symbols, but `vocab_size` is 267"),
        ({"more": 300}, "its tokenizer has no symbol for id 267"),
    ],
)
def test_vocabularies_that_are_not_fairseqs_are_refused(
    facebook_style: Path, capsys: pytest.CaptureFixture[str], change: Dict[str, Any], message: str
) -> None:
    names = json.loads((facebook_style / "vocab.json").read_text())
    (facebook_style / "vocab.json").write_text(json.dumps({**names, **change}))
    assert refused(facebook_style, facebook_style.parent / "back" / "ours.pt")
    assert message in capsys.readouterr().err
