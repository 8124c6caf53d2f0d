"""Speech models in `transformers` itself: the same features, outputs and text; and back, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import forks
import huggingface
import pytest
import torch
from convert.made import LETTERS, convert, encoder, letters, recogniser, refused, saved
from fairseq.checkpoint_utils import load_model_ensemble_and_task
from fairseq.data.data_utils import post_process
from fairseq.models.wav2vec.wav2vec2_asr import Wav2Vec2CtcConfig, Wav2VecCtc
from features.made import clips, features, speech_checkpoint
from parity.cases import FORWARD, HERE, error
from torch import Tensor

from data2vec_plugin.decoding.greedy import GreedyCtcGenerator

transformers = huggingface.transformers()
OFFICIAL = HERE / "official_style_audio", HERE / "official_style_audio_ctc"
LENGTHS = (2000, 1300, 500)


class Fixed(torch.nn.Module):
    """A model that says the same of whatever it hears: scores (T, B, V)."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = scores

    def forward(self) -> Dict[str, Any]:
        return {"padding_mask": None}

    def get_normalized_probs(self, output: Any, log_probs: bool) -> Tensor:
        return self.scores


def waves(samples: int = 2000) -> Tensor:
    return torch.randn(len(LENGTHS), samples, generator=torch.Generator().manual_seed(2))


def load(name: str, folder: Path) -> Any:
    """A model of theirs, into which every weight of the folder went and no other."""
    model, report = getattr(transformers, name).from_pretrained(str(folder), output_loading_info=True)
    assert not any(report.values()), report
    return model.eval()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ours.pt, theirs/ and back.pt."""
    folder = tmp_path_factory.mktemp("base")
    speech_checkpoint(folder / "ours.pt")
    convert(convert(folder / "ours.pt", folder / "theirs"), folder / "back.pt")
    return folder


@pytest.fixture(scope="module")
def ctc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for a recogniser."""
    folder = tmp_path_factory.mktemp("ctc")
    recogniser(folder / "ours.pt")
    convert(convert(folder / "ours.pt", folder / "theirs"), folder / "back.pt")
    return folder


@torch.no_grad()
def test_features_are_the_same(base: Path) -> None:
    ours = encoder(base / "ours.pt").extract_features(waves())["x"]
    theirs = load("Data2VecAudioModel", base / "theirs")(waves()).last_hidden_state
    assert error(theirs, ours) <= FORWARD


@torch.no_grad()
def test_every_layer_is_the_same(base: Path) -> None:
    result = load("Data2VecAudioModel", base / "theirs")(waves(), output_hidden_states=True)
    for layer, theirs in enumerate(result.hidden_states[1:]):
        ours = encoder(base / "ours.pt").extract_features(waves(), layer=layer)["x"]
        assert error(theirs, ours) <= FORWARD


@torch.no_grad()
def test_padding_leaks_in_theirs_as_it_does_upstream(base: Path) -> None:
    """Theirs and `reference_compat` agree on a padded batch; each row alone is what ours gives in any batch."""
    padding = torch.arange(2000) >= torch.tensor(LENGTHS).unsqueeze(1)
    source = waves().masked_fill(padding, 0)
    model = load("Data2VecAudioModel", base / "theirs")
    theirs = model(source, attention_mask=(~padding).long()).last_hidden_state
    leaky = encoder(base / "ours.pt", reference_compat=True).extract_features(source, padding)
    frames = ~leaky["padding_mask"]
    assert error(theirs[frames], leaky["x"][frames]) <= FORWARD
    safe = encoder(base / "ours.pt").extract_features(source, padding)["x"]
    for row, length in enumerate(LENGTHS):
        alone = model(source[row : row + 1, :length]).last_hidden_state[0]
        assert error(alone, safe[row, : len(alone)]) <= FORWARD


def test_the_way_back_is_bit_exact(base: Path) -> None:
    ours, back = saved(base / "ours.pt"), saved(base / "back.pt")
    assert ours.keys() == back.keys()
    assert {name for name in ours if not torch.equal(ours[name], back[name])} == {
        "final_proj.weight",
        "final_proj.bias",
    }


def test_the_way_back_of_a_recogniser_is_bit_exact(ctc: Path) -> None:
    ours, back = saved(ctc / "ours.pt"), saved(ctc / "back.pt")
    assert ours.keys() == back.keys()
    assert all(torch.equal(ours[name], back[name]) for name in ours)


@torch.no_grad()
def test_a_recogniser_gives_the_same_outputs_through_fairseqs_loader(ctc: Path) -> None:
    theirs = load("Data2VecAudioForCTC", ctc / "theirs")(waves()).logits
    for name in ("ours.pt", "back.pt"):
        data = {"data": str(ctc)}
        (ctc / "dict.ltr.txt").write_text("".join(f"{letter} 1\n" for letter in LETTERS))
        [model], _, task = load_model_ensemble_and_task([str(ctc / name)], arg_overrides=data)
        ours = model.eval()(source=waves(), padding_mask=None)["encoder_out"].transpose(0, 1)
        assert error(theirs, ours) <= FORWARD
        assert task.target_dictionary.symbols == letters().symbols


def test_text_is_decoded_alike(ctc: Path) -> None:
    processor = transformers.AutoProcessor.from_pretrained(str(ctc / "theirs"))
    best = torch.tensor([0, 5, 5, 0, 5, 6, 4, 0, 4, 7, 8, 8, 0])
    scores = torch.nn.functional.one_hot(best, len(letters())).float()
    [[ours]] = GreedyCtcGenerator(letters(), blank=0).generate([Fixed(scores.unsqueeze(1))], {"net_input": {}})
    assert processor.batch_decode(best.unsqueeze(0)) == [post_process(letters().string(ours["tokens"]), "letter")]


def test_their_processor_normalises_as_the_task_did(ctc: Path, base: Path, tmp_path: Path) -> None:
    wave = waves(1000)[0] + 1
    extractor = transformers.AutoFeatureExtractor.from_pretrained(str(base / "theirs"))
    [theirs] = extractor(wave.numpy(), sampling_rate=16_000, return_tensors="pt").input_values
    assert error(theirs, torch.nn.functional.layer_norm(wave, wave.shape)) <= FORWARD
    speech_checkpoint(tmp_path / "raw.pt", normalize=False)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(str(convert(tmp_path / "raw.pt", tmp_path / "raw")))
    assert not extractor.do_normalize


def test_their_processor_makes_quiet_clips_louder(base: Path) -> None:
    """What a conversion warns of."""
    wave = waves(1000)[0] / 300
    extractor = transformers.AutoFeatureExtractor.from_pretrained(str(base / "theirs"))
    [theirs] = extractor(wave.numpy(), sampling_rate=16_000, return_tensors="pt").input_values
    assert error(theirs, torch.nn.functional.layer_norm(wave, wave.shape, eps=1e-7)) <= 10 * FORWARD
    assert error(theirs, torch.nn.functional.layer_norm(wave, wave.shape)) > 0.1


def test_the_teacher_instead_of_the_student(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = convert(base / "ours.pt", tmp_path / "theirs", "--teacher")
    teacher = torch.load(base / "ours.pt", weights_only=False)["model"]["_ema"]
    theirs, student = (load_file(path / "model.safetensors") for path in (folder, base / "theirs"))
    name = "encoder.layers.1.feed_forward.output_dense.weight"
    assert torch.equal(theirs[name], teacher["layers.1.fc2.weight"])
    assert not torch.equal(theirs[name], student[name])
    assert torch.equal(theirs["feature_projection.projection.bias"], student["feature_projection.projection.bias"])


@pytest.mark.parametrize("case", OFFICIAL, ids=str)
@torch.no_grad()
def test_official_checkpoints_give_the_recorded_outputs(case: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    inputs, expected = load_file(case / "inputs.safetensors"), load_file(case / "expected.safetensors")
    folder = convert(case / "checkpoint.pt", tmp_path / "theirs", *dictionary(case))
    if not dictionary(case):
        theirs = load("Data2VecAudioModel", folder)(inputs["source"]).last_hidden_state
        assert error(theirs, expected["features.x"]) <= FORWARD
    else:
        theirs = load("Data2VecAudioForCTC", folder)(inputs["source"]).logits
        assert error(theirs, expected["logits"].transpose(0, 1)) <= FORWARD


@pytest.mark.parametrize("case", OFFICIAL, ids=str)
def test_half_precision_becomes_single(case: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    folder = convert(case / "checkpoint_fp16.pt", tmp_path / "theirs", *dictionary(case))
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {torch.float32}
    half = saved(case / "checkpoint_fp16.pt")
    back = saved(convert(folder, tmp_path / "back.pt"))
    assert all(torch.equal(half[name].float(), back[name]) for name in half if not name.startswith("final_proj."))


def dictionary(case: Path) -> tuple[str, ...]:
    path = case / "dict.ltr.txt"
    return ("--dict", str(path)) if path.exists() else ()


def test_a_model_that_transformers_saved(tmp_path: Path) -> None:
    """Symbols in the order of their own tutorial, the blank last; no output for the beginning and the end."""
    vocab = {"e": 0, "t": 1, "|": 2, "[UNK]": 3, "[PAD]": 4}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"), unk_token="[UNK]", pad_token="[PAD]")
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=False, sampling_rate=8000)
    transformers.Wav2Vec2Processor(extractor, tokenizer).save_pretrained(str(tmp_path / "theirs"))
    sizes = {"hidden_size": 16, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    convolutions = {"conv_dim": [8, 8], "conv_kernel": [10, 3], "conv_stride": [5, 2]}
    config = transformers.Data2VecAudioConfig(**sizes, **convolutions, vocab_size=5, pad_token_id=4)
    theirs = transformers.Data2VecAudioForCTC(config).eval()
    theirs.save_pretrained(str(tmp_path / "theirs"))
    path = convert(tmp_path / "theirs", tmp_path / "new" / "back.pt")
    [model], _, task = load_model_ensemble_and_task([str(path)], arg_overrides={"data": str(path.parent)})
    assert task.target_dictionary.symbols == ["<s>", "<pad>", "</s>", "<unk>", "e", "t", "|"]
    assert (task.cfg.normalize, task.cfg.sample_rate) == (False, 8000)
    with torch.no_grad():
        ours = model.eval()(source=waves(), padding_mask=None)["encoder_out"].transpose(0, 1)
        assert error(ours[..., [4, 5, 6, 3, 0]], theirs(waves()).logits) <= FORWARD
    assert ours.argmax(-1).ne(1).all()


def test_stock_upstream_loads_what_comes_back(base: Path) -> None:
    """In a process of its own, without this package."""
    program = f"""if True:
        import fairseq.examples.data2vec.models.data2vec_audio as upstream
        from fairseq.checkpoint_utils import load_model_ensemble_and_task
        [model], _, _ = load_model_ensemble_and_task([{str(base / "back.pt")!r}])
        print(isinstance(model, upstream.Data2VecAudioModel))
    """
    done = forks.python(["-c", program], cwd=base)
    assert done.stdout.split()[-1] == "True", done.stderr


def test_features_and_fine_tuning_take_what_comes_back(base: Path, tmp_path: Path) -> None:
    assert features(base / "back.pt", clips(tmp_path / "clips"), tmp_path / "out") == 0
    cfg = Wav2Vec2CtcConfig(w2v_path=str(base / "back.pt"), normalize=True, data=str(tmp_path))
    cfg.conv_feature_layers = cfg.encoder_embed_dim = None
    model = Wav2VecCtc.build_model(cfg, SimpleNamespace(target_dictionary=letters()))
    kept = saved(base / "ours.pt")["encoder.layers.0.fc1.weight"]
    assert torch.equal(model.w2v_encoder.w2v_model.encoder.transformer.layers[0].fc1.weight, kept)


def test_labels_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recogniser(tmp_path / "ours.pt")
    state = torch.load(tmp_path / "ours.pt", weights_only=False)
    torch.save({**state, "task_state": {}}, tmp_path / "ours.pt")
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs") == 1
    assert "holds no dictionary; give the one of its labels with `--dict FILE`" in capsys.readouterr().err
    (tmp_path / "dict.txt").write_text("a 1\n")
    assert refused(tmp_path / "ours.pt", tmp_path / "theirs", "--dict", str(tmp_path / "dict.txt")) == 1
    assert "has 5 symbols" in capsys.readouterr().err
    assert not (tmp_path / "theirs").exists()
