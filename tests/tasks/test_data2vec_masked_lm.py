"""The text task: raw text and binaries alike, masks by its keys, and settings that cannot train told by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf
from text import as_lists, lines, write_binaries, write_subwords, write_text, write_words_dictionary

from data2vec_plugin.data.text.subwords import SentencePiece
from data2vec_plugin.tasks.data2vec_masked_lm import Data2VecMaskedLMTask
from data2vec_plugin.tasks.text_config import MaskedTextConfig

# what fairseq's masked_lm has in the release and in `main`
STOCK: Dict[str, Any] = {
    "sample_break_mode": "none",
    "tokens_per_sample": 1024,
    "mask_prob": 0.15,
    "leave_unmasked_prob": 0.1,
    "random_token_prob": 0.1,
    "freq_weighted_replacement": False,
    "mask_whole_words": False,
    "mask_multiple_length": 1,
    "mask_stdev": 0.0,
    "shorten_method": "none",
    "shorten_data_split_list": "",
    "include_index": True,
    "skip_masking": False,
    "d2v2_multi": False,
}


def make_task(data: Path | str, **settings: Any) -> Data2VecMaskedLMTask:
    # as fairseq does before a task is set up: common.* is there to be interpolated
    root = OmegaConf.create({"common": {"seed": 1}})
    values = {"data": str(data), "tokens_per_sample": 24, "encode_workers": 0, **settings}
    root.task = OmegaConf.merge(OmegaConf.structured(MaskedTextConfig), values)
    task: Data2VecMaskedLMTask = Data2VecMaskedLMTask.setup_task(root.task)
    return task


def loaded(data: Path | str, epoch: int = 1, **settings: Any) -> Any:
    task = make_task(data, **settings)
    task.load_dataset("train", epoch)
    return task.dataset("train")


def batch(dataset: Any, count: int = 6) -> Dict[str, Any]:
    inputs: Dict[str, Any] = dataset.collater([dataset[index] for index in range(count)])["net_input"]
    return inputs


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """Raw text of words, with their dictionary."""
    write_words_dictionary(tmp_path, lines())
    write_text(tmp_path / "train.txt", lines())
    return tmp_path


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw text with a SentencePiece model and its dictionary, which SentencePiece's counts are not in."""
    pytest.importorskip("sentencepiece")
    folder = write_subwords(tmp_path_factory.mktemp("pieces"), "sentencepiece")
    write_text(folder / "train.txt", lines())
    return folder


def test_registered_under_its_name() -> None:
    assert TASK_REGISTRY["data2vec_masked_lm"] is Data2VecMaskedLMTask


@pytest.mark.parametrize("mode", ["none", "complete", "eos"])
def test_binaries_and_raw_text_give_the_same_batches(words: Path, tmp_path: Path, mode: str) -> None:
    binaries = tmp_path / "binaries"
    dictionary = write_words_dictionary(binaries, lines())
    write_binaries(binaries / "train", lines(), dictionary)
    left, right = (batch(loaded(folder, sample_break_mode=mode)) for folder in (words, binaries))
    for key, value in {**left, **left["mask"]}.items():
        if key != "mask":
            assert torch.equal(torch.as_tensor(value), torch.as_tensor({**right, **right["mask"]}[key])), key
    assert int(left["mask"]["indices"].sum()) == len(left["mask"]["positions"]) > 0


@pytest.mark.parametrize("kind", ["sentencepiece", "gpt2"])
def test_subwords_lie_beside_the_text(tmp_path: Path, kind: str) -> None:
    write_subwords(tmp_path, kind)
    write_text(tmp_path / "train.txt", lines())
    dataset = loaded(tmp_path, bpe=kind, sample_break_mode="eos", tokens_per_sample=100)
    task = make_task(tmp_path, bpe=kind)
    subwords = task.subwords(tmp_path)
    assert as_lists(dataset.blocks)[3] == [
        task.source_dictionary.bos(),
        *(task.source_dictionary.index(symbol) for symbol in subwords.encode(lines()[3])),
        task.source_dictionary.eos(),
    ]
    assert len(dataset) == len(lines())


def test_subwords_and_binaries_may_lie_elsewhere(pieces: Path, tmp_path: Path) -> None:
    write_text(tmp_path / "train.txt", lines())
    (tmp_path / "dict.txt").write_bytes((pieces / "dict.txt").read_bytes())
    places = {"sentencepiece_model": str(pieces / "spm.model"), "binarised_dir": str(tmp_path / "made")}
    loaded(tmp_path, bpe="sentencepiece", **places)
    assert sorted(path.suffix for path in (tmp_path / "made").glob("train*")) == [".bin", ".idx"]
    with pytest.raises(ValueError, match=r"spm\.model"):
        loaded(tmp_path, bpe="sentencepiece")


def test_a_new_subword_model_makes_new_binaries(pieces: Path, tmp_path: Path) -> None:
    for name in ("spm.model", "dict.txt", "train.txt"):
        (tmp_path / name).write_bytes((pieces / name).read_bytes())
    for _ in range(2):
        loaded(tmp_path, bpe="sentencepiece")
    assert len(list((tmp_path / "binarised").glob("*.bin"))) == 1
    os.utime(tmp_path / "spm.model", ns=(1, 1))  # which does not make it another one
    loaded(tmp_path, bpe="sentencepiece")
    assert len(list((tmp_path / "binarised").glob("*.bin"))) == 1
    with (tmp_path / "spm.model").open("ab") as model:
        model.write(b"\x22\x00")  # an empty section more
    loaded(tmp_path, bpe="sentencepiece")
    assert len(list((tmp_path / "binarised").glob("*.bin"))) == 2


def test_whole_words_are_masked(pieces: Path) -> None:
    dataset = loaded(pieces, bpe="sentencepiece", mask_whole_words=True, mask_prob=0.3)
    dictionary = make_task(pieces).source_dictionary
    subwords = SentencePiece(pieces / "spm.model")
    inputs = batch(dataset, 10)
    begins = torch.zeros_like(inputs["mask"]["indices"])
    for row, ids in enumerate(inputs["target_tokens"].tolist()):
        starts = [index < dictionary.nspecial or subwords.starts_word(dictionary[index]) for index in ids]
        begins[row] = torch.tensor(starts)
    hidden = inputs["mask"]["indices"]
    inside = ~begins[:, 1:] & inputs["target_tokens"][:, 1:].ne(1)
    assert inside.any()
    assert not (hidden[:, 1:] != hidden[:, :-1])[inside].any()
    assert 0.15 < hidden.float().mean() < 0.45


def test_spans_as_published_mask_all_they_hide(words: Path) -> None:
    keys = {"mask_prob": 0.35, "mask_multiple_length": 4, "leave_unmasked_prob": 0.0, "random_token_prob": 0.0}
    task = make_task(words, **keys)
    task.load_dataset("train")
    inputs = batch(task.dataset("train"), 15)
    assert torch.equal(inputs["src_tokens"].eq(task.mask_idx), inputs["mask"]["indices"])
    assert 0.2 < inputs["mask"]["indices"].float().mean() < 0.45


def test_words_of_berts_masks_are_real_ones(words: Path) -> None:
    task = make_task(words, random_token_prob=1.0, leave_unmasked_prob=0.0, mask_prob=0.5)
    task.load_dataset("train")
    inputs = batch(task.dataset("train"), 15)
    drawn = inputs["src_tokens"][inputs["mask"]["indices"]]
    assert int(drawn.min()) >= task.source_dictionary.nspecial
    assert task.mask_idx not in drawn.tolist()


def test_frequent_words_replace_more_often_if_asked_to(words: Path) -> None:
    alike, weighted = (make_task(words, freq_weighted_replacement=flag).replacements() for flag in (False, True))
    dictionary = make_task(words).source_dictionary
    assert set(alike[dictionary.nspecial : -1]) == {1}
    assert weighted[dictionary.nspecial : -1].tolist() == dictionary.count[dictionary.nspecial : -1]
    for odds in (alike, weighted):
        assert (odds[: dictionary.nspecial] == 0).all()
        assert odds[dictionary.index("<mask>")] == 0


def test_counts_that_let_no_symbol_replace_another_are_told(words: Path) -> None:
    symbols = [line.split()[0] for line in (words / "dict.txt").read_text().splitlines()]
    (words / "dict.txt").write_text("".join(f"{symbol} 0\n" for symbol in symbols))
    with pytest.raises(ValueError, match=r"all counts in dict\.txt are 0.*freq_weighted_replacement"):
        loaded(words, freq_weighted_replacement=True)
    loaded(words, freq_weighted_replacement=True, random_token_prob=0.0)


def test_several_folders_take_turns(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, rows in zip(folders, (lines(20), lines()[20:])):
        write_words_dictionary(folder, lines())
        write_text(folder / "train.txt", rows)
    data = os.pathsep.join(map(str, folders))
    first, second, third = (as_lists(loaded(data, epoch).blocks) for epoch in (1, 2, 3))
    assert first == third != second
    assert first == as_lists(loaded(folders[0]).blocks)
    assert second == as_lists(loaded(folders[1]).blocks)


def test_a_run_on_several_folders_resumes_at_the_next(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, rows in zip(folders, (lines(20), lines()[20:])):
        write_words_dictionary(folder, lines())
        write_text(folder / "train.txt", rows)
    task = make_task(os.pathsep.join(map(str, folders)))

    def iterator(epoch: int) -> Any:
        task.load_dataset("train", epoch)
        return task.get_batch_iterator(task.dataset("train"), max_sentences=2, epoch=epoch)

    finished = iterator(1)
    assert list(finished.next_epoch_itr(shuffle=False))
    saved = finished.state_dict()
    resumed = iterator(saved["epoch"])
    resumed.load_state_dict(saved)
    assert resumed.next_epoch_idx == 2


@pytest.mark.parametrize("finished", [False, True])
def test_another_text_is_refused_within_an_epoch_and_after_it(words: Path, finished: bool) -> None:
    def iterator() -> Any:
        task = make_task(words)
        task.load_dataset("train")
        return task.get_batch_iterator(task.dataset("train"), max_sentences=2)

    begun = iterator()
    batches = begun.next_epoch_itr(shuffle=False)
    assert list(batches) if finished else next(batches)
    saved = begun.state_dict()
    iterator().load_state_dict(saved)
    write_text(words / "train.txt", lines(40))
    with pytest.raises(ValueError, match=r"`checkpoint\.reset_dataloader=true`"):
        iterator().load_state_dict(saved)


def test_extent_is_counted_in_tokens(words: Path) -> None:
    task = make_task(words, sample_break_mode="eos")
    task.load_dataset("train")
    extent = task.extent(task.dataset("train"), np.arange(len(lines())))
    assert extent.amount == sum(len(line.split()) + 2 for line in lines())
    assert (extent.unit, extent.items) == ("tokens", len(lines()))
    assert task.extent(task.dataset("train"), np.array([1])).amount == len(lines()[1].split()) + 2


def test_a_missing_dictionary_says_what_writes_one(words: Path) -> None:
    (words / "dict.txt").unlink()
    message = r"dict\.txt does not exist; create it with `fairseq-preprocess` .*`data2vec subwords` for raw text"
    with pytest.raises(ValueError, match=message):
        make_task(words)


def test_a_missing_split_is_told(words: Path) -> None:
    with pytest.raises(ValueError, match=r"valid is neither binarised .* nor raw text"):
        make_task(words).load_dataset("valid")


def test_keys_and_defaults_are_fairseqs(words: Path) -> None:
    cfg = OmegaConf.structured(MaskedTextConfig)
    assert {name: str(cfg[name]) if name.endswith(("mode", "method")) else cfg[name] for name in STOCK} == STOCK
    make_task(words, include_target_tokens=True, include_index=True, seed=3)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("skip_masking", True, r"`task\.skip_masking` is true, .*`task\.d2v2_multi: true`"),
        ("tokens_per_sample", 1, r"`task\.tokens_per_sample` is 1; expected at least 2"),
        ("bpe", "wordpiece", r"`task\.bpe` is 'wordpiece'; expected one of none, sentencepiece, gpt2"),
        ("mask_prob", 0.0, r"`task\.mask_prob` is 0\.0, .* hides 0 % of the input"),
        ("mask_prob", 1.0, r"`task\.mask_prob` is 1\.0, which with `task\.mask_multiple_length` 1 hides 100 % of"),
        ("leave_unmasked_prob", 0.95, r"`task\.leave_unmasked_prob` is 0\.95 and `task\.random_token_prob` 0\.1"),
    ],
)
def test_settings_that_cannot_train_are_refused(words: Path, key: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_task(words, **{key: value})


def test_models_that_cannot_pretrain_are_refused(words: Path) -> None:
    encoder = {"embed_dim": 8, "ffn_embed_dim": 8, "layers": 2, "attention_heads": 2}
    section = {
        "_name": "data2vec_text",
        "max_positions": 24,
        "ema_anneal_end_step": 5,
        "transformer": {"encoder": encoder},
    }
    with pytest.raises(ValueError, match=r"`average_top_k_layers` is 8, but the encoder has .* 2"):
        make_task(words).build_model(OmegaConf.create(section))
    with pytest.raises(ValueError, match=r"`task\.d2v2_multi` is true, but the model is not data2vec_multi"):
        make_task(words, d2v2_multi=True).build_model(OmegaConf.create({**section, "average_top_k_layers": 2}))


def test_our_criterion_trains_a_model_on_the_task(words: Path) -> None:  # B12
    """The host's `masked_lm` criterion reads `self.args`; with criterion `data2vec` nobody asks it."""
    from data2vec_plugin.criterions.data2vec import Data2VecCriterion, Data2VecCriterionConfig

    encoder = {"embed_dim": 8, "ffn_embed_dim": 8, "layers": 2, "attention_heads": 2}
    section = {"_name": "data2vec_text", "max_positions": 24, "ema_anneal_end_step": 5, "average_top_k_layers": 2}
    task = make_task(words)
    model = task.build_model(OmegaConf.create({**section, "transformer": {"encoder": encoder}}))
    criterion = Data2VecCriterion(Data2VecCriterionConfig(min_target_var=0.1, min_pred_var=0.01), task)
    task.load_dataset("train")
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    dataset, losses = task.dataset("train"), []
    for update in range(30):
        model.set_num_updates(update)
        dataset.set_epoch(update + 1)
        rows = [dataset[index] for index in range(12)]
        loss, count, _ = criterion(model.train(), dataset.collater(rows))
        optimizer.zero_grad()
        (loss / count).backward()
        optimizer.step()
        losses.append(float(loss.detach()) / count)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
