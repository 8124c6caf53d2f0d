"""Fine-tuning and decoding through the real fairseq-hydra-train and fairseq-generate."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from convert.made import convert
from end_to_end_commands import finetune_command, pretrain_command
from forked_commands import run
from printed_commands import follow

from data2vec_plugin.runs.training_log import read_training_log

pytestmark = pytest.mark.xdist_group("speech")


@pytest.fixture(scope="module")
def finetuned(speech_data: Path, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finetuned")
    settings = ("model.freeze_finetune_updates=1", "model.mask_channel_length=16")
    command = finetune_command(speech_data, folder, pretrained / "checkpoint_last.pt", *settings)
    (folder / "train.log").write_text(run(command, cwd=folder))
    return folder


def generate(data: Path, model: Path, results: Path, *options: str, expect: int = 0) -> str:
    return run(
        [
            *(
                "fairseq-generate",
                str(data),
                "--user-dir",
                "data2vec_plugin",
                "--task",
                "data2vec_asr",
            ),
            *("--path", str(model / "checkpoint_last.pt"), "--scoring", "data2vec_asr", "--cpu"),
            *(
                "--gen-subset",
                "valid",
                "--max-tokens",
                "100000",
                "--results-path",
                str(results),
                *options,
            ),
        ],
        expect=expect,
    )


def test_generate_gives_the_criterions_own_error_rate(speech_data: Path, finetuned: Path, tmp_path: Path) -> None:  # B1
    generate(speech_data, finetuned, tmp_path)
    printed = (tmp_path / "generate-valid.txt").read_text()
    for kind in "THDP":
        assert len(re.findall(rf"^{kind}-\d+\t", printed, re.M)) == 4
    last = read_training_log(finetuned / "train.log")
    rates = re.search(r"WER ([\d.]+) % .* CER ([\d.]+) % \(\d+ errors in (\d+) ", printed)
    wer, cer, characters = map(float, rates.groups())  # type: ignore[union-attr]
    assert wer == pytest.approx(last["valid/wer"].values[-1], abs=0.006)
    # a model of two updates may say `</s>`, which the criterion counts, and fairseq scores and does not print
    said, scored = (re.findall(rf"^{kind}-\d+\t(.*)", printed, re.M) for kind in "DP")
    unprinted = sum(len(p.split()) - len(d.split("\t")[1].split()) for d, p in zip(said, scored))
    assert cer == pytest.approx(last["valid/uer"].values[-1], abs=0.006 + 100 * unprinted / characters)
    assert re.findall(r"^Generate valid with greedy decoding: WER .* 4 utterances$", printed, re.M)


def test_generate_prints_words_when_asked_for(speech_data: Path, finetuned: Path, tmp_path: Path) -> None:
    generate(speech_data, finetuned, tmp_path, "--post-process", "letter")
    printed = (tmp_path / "generate-valid.txt").read_text()
    references = re.findall(r"^T-(\d+)\t(.*)", printed, re.M)
    words = (speech_data / "valid.wrd").read_text().splitlines()
    assert {text for _, text in references} == set(words)


def test_generate_searches_with_a_lexicon_and_a_language_model(
    speech_data: Path, finetuned: Path, tmp_path: Path
) -> None:
    """The last line says so, and what is read are words of the lexicon; without labels there are no error rates."""
    pytest.importorskip("flashlight.lib.text.decoder")
    for path in ("valid.tsv", "dict.ltr.txt"):
        shutil.copy(speech_data / path, tmp_path)
    words = str(speech_data / "train-labelled.wrd")
    run(["data2vec", "lm", "lexicon", words, "--dict", str(tmp_path / "dict.ltr.txt")], cwd=tmp_path)
    run(["data2vec", "lm", "build", words, "--no-lmplz"], cwd=tmp_path)
    options = (
        *("--lexicon", str(tmp_path / "lexicon.txt"), "--lm-model", str(tmp_path / "lm.arpa"), "--lm-weight", "1.5"),
        *("--beam", "10", "--nbest", "2", "--decoding-processes", "2", "--post-process", "letter"),
    )
    generate(speech_data, finetuned, tmp_path / "labelled", *options)
    printed = (tmp_path / "labelled" / "generate-valid.txt").read_text()
    assert len(re.findall(r"^T-", printed, re.M)) == 4
    assert 4 <= len(re.findall(r"^H-", printed, re.M)) <= 8
    known = {line.split()[0] for line in (tmp_path / "lexicon.txt").read_text().splitlines()}
    said = re.findall(r"^D-\d+\t\S+\t(.*)", printed, re.M)
    assert {word for text in said for word in text.split()} <= known
    start = "Generate valid with beam=10, lexicon=lexicon.txt, lm_model=lm.arpa, lm_weight=1.5, word_score=-1: WER "
    assert printed.splitlines()[-1].startswith(start)
    generate(tmp_path, finetuned, tmp_path / "bare", *options)
    bare = (tmp_path / "bare" / "generate-valid.txt").read_text()
    assert "T-" not in bare
    assert re.findall(r"^H-.*", bare, re.M) == re.findall(r"^H-.*", printed, re.M)
    assert bare.splitlines()[-1] == f"{start[:-5]} no labels, so no error rates"


def test_checkpoint_decides_about_normalisation(speech_data: Path, finetuned: Path, tmp_path: Path) -> None:
    generate(speech_data, finetuned, tmp_path / "default")
    generate(speech_data, finetuned, tmp_path / "flag", "--normalize")
    default, flag = ((tmp_path / name / "generate-valid.txt").read_text() for name in ("default", "flag"))
    assert sorted(re.findall(r"^H-.*", default, re.M)) == sorted(re.findall(r"^H-.*", flag, re.M))


def test_labels_out_of_step_and_outside_the_dictionary_stop_the_run(
    speech_data: Path, pretrained: Path, tmp_path: Path
) -> None:
    for path in speech_data.iterdir():
        shutil.copy(path, tmp_path)
    labels = (tmp_path / "valid.ltr").read_text().splitlines()
    command = finetune_command(tmp_path, tmp_path / "out", pretrained / "checkpoint_last.pt")
    (tmp_path / "valid.ltr").write_text("\n".join(labels[:-1]) + "\n")
    assert "valid.ltr: has 3 lines, but" in run(command, expect=1, cwd=tmp_path)
    labels[1] = "? |"
    (tmp_path / "valid.ltr").write_text("\n".join(labels) + "\n")
    assert "valid.ltr, line 2: symbol '?' is not in the dictionary" in run(command, expect=1, cwd=tmp_path)


def test_features_of_the_fine_tuned_encoder(
    speech_data: Path, finetuned: Path, pretrained: Path, tmp_path: Path
) -> None:
    """A checkpoint as the trainer writes it, whose pre-trained one is no longer asked for."""
    for name, folder in (("finetuned", finetuned), ("pretrained", pretrained)):
        words = ["--input", str(speech_data / "valid.tsv"), "--out", str(tmp_path / name), "--device=cpu"]
        told = run(["data2vec", "features", str(folder / "checkpoint_last.pt"), *words, "--pool=mean"], cwd=tmp_path)
        assert "4 of 4 items (0 already there, 0 skipped)" in told
    tuned, before = (np.load(tmp_path / name / "features.npy") for name in ("finetuned", "pretrained"))
    assert tuned.shape == before.shape
    assert np.isfinite(tuned).all()
    assert not np.array_equal(tuned, before)


def test_a_recogniser_that_went_through_hugging_face_says_the_same(
    speech_data: Path, finetuned: Path, tmp_path: Path
) -> None:
    folder = convert(finetuned / "checkpoint_last.pt", tmp_path / "theirs")
    convert(folder, tmp_path / "back" / "checkpoint_last.pt")
    for name, model in (("before", finetuned), ("after", tmp_path / "back")):
        generate(speech_data, model, tmp_path / name)
    before, after = ((tmp_path / name / "generate-valid.txt").read_text() for name in ("before", "after"))
    assert sorted(re.findall(r"^[HP]-.*", after, re.M)) == sorted(re.findall(r"^[HP]-.*", before, re.M))


SUBSETS = ("dataset.train_subset=train-labelled", "dataset.valid_subset=valid")


def recording(data: Path) -> Path:
    """The first clip of the valid split."""
    root, first = (data / "valid.tsv").read_text().splitlines()[:2]
    return Path(root) / first.split("\t")[0]


def test_what_inspect_prints_is_what_to_do(
    speech_data: Path, finetuned: Path, pretrained: Path, tmp_path: Path
) -> None:
    filled = {
        "CLIPS": speech_data / "valid.tsv",
        "DATA": speech_data,
        "SPLIT": "valid",
        "RECORDINGS": recording(speech_data),
    }
    narrow = ("model.mask_channel_length=16",)
    _, trained = follow(pretrained / "checkpoint_last.pt", filled, tmp_path / "a", *SUBSETS, *narrow)
    assert "valid_loss" in trained
    _, decoded, _ = follow(finetuned / "checkpoint_last.pt", filled, tmp_path / "b")
    words = (speech_data / "valid.wrd").read_text().splitlines()
    assert set(re.findall(r"^T-\d+\t(.*)", decoded, re.M)) == set(words)


def test_so_it_is_for_labels_of_another_name_without_word_ends(
    speech_data: Path, finetuned: Path, tmp_path: Path
) -> None:
    for path in speech_data.glob("*.tsv"):
        shutil.copy(path, tmp_path)
    shutil.copy(speech_data / "dict.ltr.txt", tmp_path / "dict.phn.txt")
    labels = (speech_data / "valid.ltr").read_text()
    (tmp_path / "valid.phn").write_text(labels)
    state = torch.load(finetuned / "checkpoint_last.pt", weights_only=False)
    state["cfg"]["task"]["labels"] = "phn"
    dictionary = state["task_state"]["target_dictionary"]
    dictionary.symbols = ["ʔ" if symbol == "|" else symbol for symbol in dictionary.symbols]
    dictionary.indices = {symbol: index for index, symbol in enumerate(dictionary.symbols)}
    torch.save(state, tmp_path / "phonemes.pt")
    (tmp_path / "dict.phn.txt").write_text((tmp_path / "dict.phn.txt").read_text().replace("|", "ʔ"))
    (tmp_path / "valid.phn").write_text(labels.replace("|", "ʔ"))
    filled = {"DATA": tmp_path, "SPLIT": "valid", "CLIPS": tmp_path / "valid.tsv", "RECORDINGS": recording(speech_data)}
    _, decoded, _ = follow(tmp_path / "phonemes.pt", filled, tmp_path)
    assert set(re.findall(r"^T-\d+\t(.*)", decoded, re.M)) == set(labels.replace("|", "ʔ").splitlines())


def test_pretraining_goes_on_from_what_came_back_from_hugging_face(
    speech_data: Path, pretrained: Path, tmp_path: Path
) -> None:
    back = convert(convert(pretrained / "checkpoint_last.pt", tmp_path / "theirs"), tmp_path / "back.pt")
    command = pretrain_command(speech_data, tmp_path / "out", 1, f"checkpoint.finetune_from_model={back}")
    run(command, cwd=tmp_path)
    assert (tmp_path / "out" / "checkpoint_last.pt").is_file()
