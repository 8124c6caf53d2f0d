"""Text models in `transformers` itself: the same ids, features and logits; and back, bit for bit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import forks
import pytest
import torch
from convert.made import convert, refused, saved
from convert.made_text import LINES, fairseq_ids, pretrained, symbols
from fairseq.models import build_model
from features.made import classification_checkpoint, text_checkpoint
from features.made import features as features_of
from glue_files import write_dictionary, write_gpt2_bpe
from interop.huggingface.models import assert_agree
from interop.huggingface.models import load_folder as load
from models.tiny_text import WORDS, whole
from omegaconf import OmegaConf
from parity.cases import HERE

from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint

transformers = pytest.importorskip("transformers")
KINDS = ("gpt2", "sentencepiece")
OFFICIAL = HERE / "official_style_text"


def load_base(folder: Path) -> Any:
    return load("Data2VecTextModel", folder, add_pooling_layer=False)


@pytest.fixture(scope="module", params=KINDS)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A kind of subwords, a folder with ours.pt and theirs/, and one with back.pt."""
    if request.param == "sentencepiece":
        pytest.importorskip("sentencepiece")
    folder = tmp_path_factory.mktemp(request.param)
    theirs = convert(pretrained(folder, request.param), folder / "theirs")
    back = tmp_path_factory.mktemp("back") / "back.pt"
    return SimpleNamespace(kind=request.param, folder=folder, theirs=theirs, back=convert(theirs, back).parent)


def test_ids_are_fairseqs(base: Any) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(base.theirs))
    wanted = [fairseq_ids(base.folder, base.kind, line) for line in LINES]
    assert [tokenizer(line)["input_ids"] for line in LINES] == wanted
    pair = [*wanted[0], 2, *wanted[1][1:]]  # as `sentence_prediction` joins sentences
    assert tokenizer(LINES[0], LINES[1])["input_ids"] == pair


def test_special_symbols_are_fairseqs(base: Any) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(base.theirs))
    dictionary = symbols(base.folder)
    found = tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id
    assert found == (dictionary.bos(), dictionary.pad(), dictionary.eos(), dictionary.unk())
    assert tokenizer("the <mask> boat")["input_ids"].count(dictionary.index("<mask>")) == 1
    assert tokenizer.decode(tokenizer(LINES[0])["input_ids"], skip_special_tokens=True) == LINES[0]
    assert tokenizer.model_max_length == 64


def test_features_of_padded_lines_agree(base: Any) -> None:
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(base.theirs))
    batch = tokenizer(LINES[:6], padding=True, return_tensors="pt")
    real = batch["attention_mask"].bool()
    ours = build_encoder(open_checkpoint(base.folder / "ours.pt"), False, symbols(base.folder))
    with torch.no_grad():
        answer = load_base(base.theirs)(**batch).last_hidden_state
        assert_agree(ours.extract_features(batch["input_ids"])[0][real], answer[real])  # type: ignore[operator]


def test_the_way_back_is_exact(base: Any) -> None:
    ours, back = saved(base.folder / "ours.pt"), saved(base.back / "back.pt")
    assert ours.keys() == back.keys()
    assert all(torch.equal(ours[name], back[name]) for name in ours if "regression_head" not in name)


def test_dictionary_and_subwords_come_back(base: Any) -> None:
    for line in LINES:
        assert fairseq_ids(base.back, base.kind, line) == fairseq_ids(base.folder, base.kind, line)
    assert (base.back / "dict.txt").read_bytes() == (base.folder / "dict.txt").read_bytes()


def test_features_need_nothing_but_what_came_back(base: Any, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("\n".join(LINES[:5]) + "\n", "utf-8")
    assert features_of(base.back / "back.pt", tmp_path / "lines.txt", tmp_path / "out") == 0


def test_fine_tuning_starts_from_what_came_back(base: Any) -> None:
    cfg = OmegaConf.create({"_name": "data2vec_text_classification", "model_path": str(base.back / "back.pt")})
    model = build_model(cfg, SimpleNamespace(source_dictionary=symbols(base.folder)))
    wanted = saved(base.folder / "ours.pt")["encoder.sentence_encoder.layers.0.fc1.weight"]
    assert torch.equal(model.model.encoder.transformer.layers[0].fc1.weight, wanted)


def test_stock_upstream_loads_what_comes_back(base: Any) -> None:
    """In a process of its own, without this package; the attribute is one that upstream reads and never sets."""
    if base.kind != "gpt2":
        pytest.skip("weights are the same")
    options = {"data": str(base.folder)}
    program = f"""if True:
        import fairseq.examples.data2vec.models.data2vec_text as upstream
        from fairseq.checkpoint_utils import load_model_ensemble_and_task
        upstream.Data2VecTextEncoder.target_model = None
        [model], _, _ = load_model_ensemble_and_task([{str(base.back / "back.pt")!r}], arg_overrides={options!r})
        print(isinstance(model, upstream.Data2VecTextModel))
    """
    done = forks.python(["-c", program], cwd=base.back)
    assert done.stdout.split()[-1] == "True", done.stderr


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint_fp16.pt"])
def test_official_checkpoints_convert(tmp_path: Path, name: str) -> None:
    hf = load_base(convert(OFFICIAL / name, tmp_path / "theirs"))
    ours = build_encoder(open_checkpoint(OFFICIAL / name), False, symbols(OFFICIAL)).float()
    with torch.no_grad():
        assert_agree(ours.extract_features(whole())[0], hf(whole()).last_hidden_state)  # type: ignore[operator]


def test_the_teacher_converts(tmp_path: Path) -> None:
    hf = load_base(convert(OFFICIAL / "checkpoint.pt", tmp_path / "theirs", "--teacher"))
    teacher = torch.load(OFFICIAL / "checkpoint.pt", weights_only=False)["model"]["encoder._ema"]
    assert torch.equal(hf.encoder.layer[1].intermediate.dense.weight, teacher["layers.1.fc1.weight"].float())


def test_without_subwords_there_is_no_tokenizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text_checkpoint(tmp_path / "ours.pt")
    theirs = convert(tmp_path / "ours.pt", tmp_path / "theirs")
    assert "no tokenizer was written, since no subword model was found" in capsys.readouterr().out
    assert not list(theirs.glob("*token*"))
    assert (theirs / "dict.txt").read_bytes() == (tmp_path / "dict.txt").read_bytes()


def test_without_a_dictionary_the_weights_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text_checkpoint(tmp_path / "ours.pt")
    (tmp_path / "dict.txt").unlink()
    theirs = convert(tmp_path / "ours.pt", tmp_path / "theirs")
    assert "no tokenizer was written, since dict.txt was not found" in capsys.readouterr().out
    convert(theirs, tmp_path / "back.pt")
    assert "holds no tokenizer: put its dict.txt next to the checkpoint" in capsys.readouterr().out
    assert saved(tmp_path / "back.pt").keys() == saved(tmp_path / "ours.pt").keys()


def test_a_dictionary_of_another_size_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text_checkpoint(tmp_path / "ours.pt")
    other = write_dictionary(tmp_path / "other.txt", ["one", "two"])
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs", "--dict", str(other))
    assert f"other.txt has 7 symbols (<mask> included), the checkpoint {WORDS + 5}" in capsys.readouterr().err


def test_a_dictionary_without_all_byte_pairs_gives_no_tokenizer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_gpt2_bpe(tmp_path / "pairs")
    text_checkpoint(tmp_path / "ours.pt")
    convert(tmp_path / "ours.pt", tmp_path / "theirs", "--gpt2-bpe", str(tmp_path / "pairs"))
    assert "no tokenizer was written: the dictionary lacks 248 of GPT-2's byte pairs" in capsys.readouterr().out


def fine_tuned(folder: Path, **task: Any) -> Path:
    """A classifier's checkpoint with its dictionary."""
    text_checkpoint(folder / "pretrained.pt")
    classification_checkpoint(folder / "ours.pt", folder / "pretrained.pt")
    state = torch.load(folder / "ours.pt", weights_only=False)
    state["cfg"]["task"].update(task)
    torch.save(state, folder / "ours.pt")
    return folder / "ours.pt"


def test_logits_agree_and_names_are_those_of_the_data(tmp_path: Path) -> None:
    write_dictionary_of_labels(tmp_path / "data", ["contradiction", "neutral", "entailment"])
    theirs = convert(fine_tuned(tmp_path, data=str(tmp_path / "data")), tmp_path / "theirs")
    hf = load("Data2VecTextForSequenceClassification", theirs)
    model = rebuilt(tmp_path / "ours.pt", "head")
    with torch.no_grad():
        assert_agree(model(whole(), classification_head_name="head")[0], hf(whole()).logits)
    assert hf.config.id2label == {0: "contradiction", 1: "neutral", 2: "entailment"}


def test_a_classifier_comes_back(tmp_path: Path) -> None:
    labels = tmp_path / "names.txt"
    labels.write_text("no\nmaybe\nyes\n")
    convert(fine_tuned(tmp_path), tmp_path / "theirs", "--labels", str(labels))
    convert(tmp_path / "theirs", tmp_path / "back" / "back.pt")
    name = "sentence_classification_head"
    ours, back = rebuilt(tmp_path / "ours.pt", "head"), rebuilt(tmp_path / "back" / "back.pt", name)
    with torch.no_grad():
        logits = back(whole(), classification_head_name=name)[0]
        assert torch.equal(logits, ours(whole(), classification_head_name="head")[0])
    assert (tmp_path / "back" / "labels.txt").read_text() == labels.read_text()
    task = torch.load(tmp_path / "back" / "back.pt", weights_only=False)["cfg"]["task"]
    assert (task["num_classes"], task["classification_head_name"]) == (3, name)


def rebuilt(path: Path, head: str) -> Any:
    """A fine-tuned model out of its own checkpoint, as fairseq's task builds it."""
    state = torch.load(path, weights_only=False)
    task = SimpleNamespace(source_dictionary=symbols(path.parent))
    model = build_model(OmegaConf.create(state["cfg"]["model"]), task, from_checkpoint=True)
    model.register_classification_head(head, 3)
    model.upgrade_state_dict(state["model"])
    model.load_state_dict(state["model"], strict=True)
    return model.eval()


def write_dictionary_of_labels(data: Path, names: List[str]) -> None:
    (data / "label").mkdir(parents=True)
    write_dictionary(data / "label" / "dict.txt", names)


@pytest.mark.parametrize(
    ("key", "value"),
    [("token_level", True), ("pooler_activation_fn", "relu"), ("spectral_norm_classification_head", True)],
)
def test_heads_that_theirs_are_not_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: Any
) -> None:
    state = torch.load(fine_tuned(tmp_path), weights_only=False)
    state["cfg"]["model"][key] = value
    torch.save(state, tmp_path / "ours.pt")
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs")
    assert f"`model.{key}` is {value!r}, but Hugging Face's Data2VecText supports only" in capsys.readouterr().err


def test_heads_of_a_model_without_a_wrapper_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As fairseq's `sentence_prediction` registers them on `data2vec_text` itself."""
    text_checkpoint(tmp_path / "pretrained.pt")
    state = torch.load(tmp_path / "pretrained.pt", weights_only=False)
    for name, classes in (("one", 1), ("other", 4)):
        shapes = {
            "dense.weight": (16, 16),
            "dense.bias": (16,),
            "out_proj.weight": (classes, 16),
            "out_proj.bias": (classes,),
        }
        state["model"].update({f"classification_heads.{name}.{k}": torch.ones(v) for k, v in shapes.items()})
    torch.save(state, tmp_path / "several.pt")
    assert refused(tmp_path / "several.pt", tmp_path / "theirs")
    assert "holds the heads one, other, and its task names none of them" in capsys.readouterr().err
    state["cfg"]["task"] = {"_name": "sentence_prediction", "data": "gone", "classification_head_name": "one"}
    torch.save(state, tmp_path / "ours.pt")
    hf = load("Data2VecTextForSequenceClassification", convert(tmp_path / "ours.pt", tmp_path / "theirs"))
    assert hf.config.problem_type == "regression"
    assert hf.classifier.out_proj.weight.shape == (1, 16)
