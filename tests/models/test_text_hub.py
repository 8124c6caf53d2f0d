"""Text models in Python, through fairseq's own entry points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.models.roberta import RobertaModel
from models.tiny_text import section, tiny_text, trainer_state
from text import lines, write_subwords

from data2vec_plugin.data.text.subwords import Gpt2Bpe, SentencePiece, Subwords
from data2vec_plugin.models.data2vec_text import Data2VecTextModel

SENTENCE = " ".join(lines()[0].split()[:3])


def subwords(folder: Path, kind: str) -> Subwords:
    if kind == "sentencepiece":
        return SentencePiece(folder / "spm.model")
    return Gpt2Bpe(folder / "encoder.json", folder / "vocab.bpe")


def saved(folder: Path, kind: str, task: str = "data2vec_masked_lm") -> Path:
    """A folder with a pre-trained checkpoint, its dictionary and what cuts its text; its training's paths are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    write_subwords(folder, kind)
    dictionary = Dictionary()
    for line in lines():
        for symbol in subwords(folder, kind).encode(line):
            dictionary.add_symbol(symbol)
    dictionary.save(str(folder / "dict.txt"))
    dictionary.add_symbol("<mask>")
    keys = {"_name": task, "data": "gone", "tokens_per_sample": 32}
    if task == "data2vec_masked_lm":
        keys.update(bpe=kind, sentencepiece_model="gone/spm.model" if kind == "sentencepiece" else None)
    cfg = {"model": section(), "task": keys, "bpe": None}
    torch.save(trainer_state(cfg, tiny_text(dictionary).state_dict()), folder / "model.pt")
    return folder


def options(folder: Path, kind: str) -> dict[str, Any]:
    """How fairseq's README names the subwords of a model of one's own."""
    if kind == "sentencepiece":
        return {"bpe": kind, "sentencepiece_model": str(folder / "spm.model")}
    files = {"gpt2_encoder_json": str(folder / "encoder.json"), "gpt2_vocab_bpe": str(folder / "vocab.bpe")}
    return {"bpe": kind, **files}


@pytest.mark.parametrize("kind", ["sentencepiece", "gpt2"])
@pytest.mark.parametrize("model", [RobertaModel, Data2VecTextModel])
def test_subwords_are_given_as_fairseqs_readme_has_it(tmp_path: Path, model: Any, kind: str) -> None:
    folder = saved(tmp_path, kind)
    hub = model.from_pretrained(str(folder), "model.pt", str(folder), **options(folder, kind))
    check(hub, folder, kind)


@pytest.mark.parametrize("kind", ["sentencepiece", "gpt2"])
def test_without_them_text_is_cut_as_in_training(tmp_path: Path, kind: str) -> None:
    folder = saved(tmp_path, kind)
    hub = Data2VecTextModel.from_pretrained(str(folder), "model.pt", str(folder))
    check(hub, folder, kind)
    assert hub.models[0] is hub.model


def check(hub: Any, folder: Path, kind: str) -> None:
    ids = hub.encode(SENTENCE)
    dictionary = hub.task.source_dictionary
    symbols = subwords(folder, kind).encode(SENTENCE)
    assert ids.tolist() == [dictionary.bos(), *map(dictionary.index, symbols), dictionary.eos()]
    assert dictionary.unk() not in ids
    assert hub.decode(ids) == SENTENCE
    assert hub.extract_features(ids).shape == (1, len(ids), 16)
    assert len(hub.extract_features(ids, return_all_hiddens=True)) == 4


def test_a_task_that_does_not_know_how_text_is_cut_asks_for_it(tmp_path: Path) -> None:
    folder = saved(tmp_path, "sentencepiece", task="masked_lm")
    with pytest.raises(ValueError, match=r"task `masked_lm` does not define how .*: pass `bpe`"):
        Data2VecTextModel.from_pretrained(str(folder), "model.pt", str(folder))
    hub = Data2VecTextModel.from_pretrained(str(folder), "model.pt", str(folder), **options(folder, "sentencepiece"))
    assert hub.task.source_dictionary.unk() not in hub.encode(SENTENCE)
