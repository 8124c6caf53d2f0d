"""Fine-tuning for text: sizes and weights from the checkpoint, heads, and what does not fit told by name."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from fairseq.checkpoint_utils import load_model_ensemble_and_task
from fairseq.criterions.sentence_prediction import SentencePredictionConfig, SentencePredictionCriterion
from fairseq.dataclass.utils import merge_with_parent
from fairseq.models import MODEL_REGISTRY, build_model
from fairseq.tasks.sentence_prediction import SentencePredictionConfig as TaskConfig
from fairseq.tasks.sentence_prediction import SentencePredictionTask
from models.tiny import assert_same, drift
from models.tiny_text import DIM, LAYERS, T, dictionary, tiny_text, trainer_state, whole, write_checkpoint
from omegaconf import OmegaConf

from data2vec_plugin.models.data2vec_text_classification import Data2VecTextClassificationModel

HEAD = "sentence_classification_head"


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pretrained") / "checkpoint.pt"
    write_checkpoint(path)
    return path


def task(words: int = 20, **settings: Any) -> SentencePredictionTask:
    """fairseq's own task, with a dictionary to which it has added the mask symbol."""
    values = {"data": "none", "num_classes": 3, "classification_head_name": HEAD, "max_positions": 32}
    cfg = TaskConfig(**{**values, **settings})
    return SentencePredictionTask(cfg, dictionary(words), dictionary(3))


def section(path: Path | str, **settings: Any) -> Any:
    return OmegaConf.create({"_name": "data2vec_text_classification", "model_path": str(path), **settings})


def built(path: Path | str, words: int = 20, **settings: Any) -> Any:
    """The model that the task builds, its head registered."""
    torch.manual_seed(0)
    return task(words).build_model(section(path, **settings))


def test_registered_under_upstreams_name() -> None:
    assert MODEL_REGISTRY["data2vec_text_classification"] is Data2VecTextClassificationModel


def test_sizes_and_weights_come_from_the_checkpoint(pretrained: Path) -> None:
    model = built(pretrained)
    state = torch.load(pretrained, weights_only=False)["model"]
    assert (model.model.config.transformer.dim, len(model.model.encoder.transformer.layers)) == (DIM, LAYERS)
    assert torch.equal(
        model.model.encoder.transformer.layers[1].fc1.weight, state["encoder.sentence_encoder.layers.1.fc1.weight"]
    )
    assert model.model.method.teacher is None
    assert model.max_positions() == 32
    assert not [name for name in model.state_dict() if "regression_head" in name or "_ema" in name]


def test_features_are_those_of_the_pretrained_model(pretrained: Path) -> None:
    encoder = tiny_text().eval()
    state = torch.load(pretrained, weights_only=False)["model"]
    encoder.upgrade_state_dict(state)
    encoder.load_state_dict(state)
    ours, _ = built(pretrained).eval()(whole())
    assert torch.equal(ours, encoder.extract_features(whole())[0])


def test_layers_are_returned_to_fairseqs_hub_interface(pretrained: Path) -> None:
    x, extra = built(pretrained).eval()(whole(), features_only=True, return_all_hiddens=True)
    assert len(extra["inner_states"]) == LAYERS + 1
    assert torch.equal(extra["inner_states"][-1].transpose(0, 1), x)


def test_without_its_weights_only_the_sizes_are_taken(pretrained: Path) -> None:
    model, other = built(pretrained, no_pretrained_weights=True), built(pretrained)
    left, right = (made.model.encoder.transformer.layers[0].fc1.weight for made in (model, other))
    assert left.shape == right.shape
    assert not torch.equal(left, right)
    assert float(left.detach().std()) == pytest.approx(0.02, rel=0.2)  # BERT's initialisation


@pytest.mark.parametrize("name", ["dropout", "attention_dropout", "activation_dropout"])
def test_dropout_keys_override_the_checkpoints(pretrained: Path, name: str) -> None:
    assert getattr(built(pretrained).model.config.transformer, name) == 0
    model = built(pretrained, **{name: 0.3}).train()
    assert getattr(model.model.config.transformer, name) == 0.3
    assert not torch.equal(model(whole())[0], model(whole())[0])


def test_another_dictionary_is_refused(pretrained: Path) -> None:
    message = r"checkpoint\.pt: it was trained with a dictionary of 25 symbols, but the data's dictionary has 26 "
    with pytest.raises(ValueError, match=message):
        built(pretrained, words=21)


@pytest.mark.parametrize(
    ("cfg", "words"),
    [
        ({"model": {"_name": "roberta"}}, r"of model `roberta` \(RoBERTa\); fine-tuning starts from `data2vec_text`"),
        (
            {"model": {"_name": "data2vec_audio"}},
            r"of model `data2vec_audio` \(data2vec for speech\); fine-tuning starts from `data2vec_text`",
        ),
        (
            {"model": {"_name": "data2vec_multi", "supported_modality": "AUDIO"}},
            r"of model `data2vec_multi` \(data2vec 2\.0 for speech\); .*, or from `data2vec_multi` for text",
        ),
        ({}, "a saved dictionary of `args`, `cfg`, `model` and 4 more, not a checkpoint"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, cfg: Dict[str, Any], words: str) -> None:
    path = tmp_path / "other.pt"
    torch.save(trainer_state(cfg, {}), path)
    with pytest.raises(ValueError, match=rf"`model\.model_path` is .*other\.pt: it is {words}"):
        built(path)


def test_quantisation_noise_is_refused(pretrained: Path) -> None:
    with pytest.raises(ValueError, match=r"`model\.quant_noise_pq` is 1; this model supports 0 only"):
        built(pretrained, quant_noise_pq=1)


def test_head_reads_the_first_symbol(pretrained: Path) -> None:
    model = built(pretrained).eval()
    logits, _ = model(whole(), classification_head_name=HEAD)
    features, _ = model(whole())
    head = model.classification_heads[HEAD]
    wanted = head.out_proj(torch.tanh(head.dense(features[:, 0])))
    torch.testing.assert_close(logits, wanted)
    assert logits.shape == (2, 3)
    log_probs = model.get_normalized_probs((logits, {}), log_probs=True)
    torch.testing.assert_close(log_probs.exp(), model.get_normalized_probs((logits, {}), log_probs=False))


def test_head_at_every_token(pretrained: Path) -> None:
    model = built(pretrained, token_level=True).eval()
    logits, _ = model(whole(), classification_head_name=HEAD)
    assert logits.shape == (2, T, 3)
    features, _ = model(whole())
    head = model.classification_heads[HEAD]
    torch.testing.assert_close(logits[1, 4], head.out_proj(torch.tanh(head.dense(features[1, 4]))))


def test_options_of_the_head(pretrained: Path) -> None:
    model = built(pretrained, pooler_activation_fn="relu", pooler_dropout=0.5, spectral_norm_classification_head=True)
    head = model.classification_heads[HEAD]
    assert head.dropout.p == 0.5
    assert head.activation_fn(torch.tensor(-1.0)) == 0
    assert hasattr(head.out_proj, "weight_orig")


def test_an_unknown_head_is_told(pretrained: Path) -> None:
    with pytest.raises(ValueError, match=f"no classification head `topic`; registered: {HEAD}"):
        built(pretrained)(whole(), classification_head_name="topic")


@pytest.mark.parametrize("spectral", [False, True])
def test_round_trip_with_heads(pretrained: Path, spectral: bool) -> None:
    settings = {"spectral_norm_classification_head": spectral}
    saved, loaded = built(pretrained, **settings), built(pretrained, **settings)
    drift(saved, 7)
    state = copy.deepcopy(saved.state_dict())
    given = copy.deepcopy(state)
    loaded.upgrade_state_dict(given)
    loaded.load_state_dict(given, strict=True)
    assert_same(loaded.state_dict(), state)
    assert {"model.encoder.sentence_encoder.version", f"classification_heads.{HEAD}.dense.weight"} <= set(state)


def test_a_head_of_another_task_is_left_out(pretrained: Path, caplog: pytest.LogCaptureFixture) -> None:
    saved, loaded = built(pretrained), built(pretrained)
    saved.register_classification_head(HEAD, num_classes=7)
    before = loaded.classification_heads[HEAD].out_proj.weight.clone()
    state = saved.state_dict()
    loaded.upgrade_state_dict(state)
    loaded.load_state_dict(state, strict=True)
    assert f"classification head `{HEAD}` (7, {DIM}) of the checkpoint is not in this model, skipped" in caplog.text
    assert torch.equal(loaded.classification_heads[HEAD].out_proj.weight, before)


def test_a_fine_tuned_checkpoint_needs_the_pretrained_one_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "pretrained.pt"
    write_checkpoint(path)
    model = built(path, dropout=0.2)
    path.unlink()
    cfg = OmegaConf.to_container(model.cfg, resolve=True)  # as the trainer saves it
    rebuilt = build_model(OmegaConf.create(cfg), task(), from_checkpoint=True)
    rebuilt.register_classification_head(HEAD, num_classes=3)
    assert rebuilt.model.config.transformer.dropout == 0.2
    state = model.state_dict()
    rebuilt.upgrade_state_dict(state)
    rebuilt.load_state_dict(state, strict=True)
    torch.testing.assert_close(rebuilt.eval()(whole())[0], model.eval()(whole())[0])


def test_fairseq_loads_a_fine_tuned_checkpoint_by_itself(tmp_path: Path) -> None:
    """The path of `fairseq-validate`: task and model from what the trainer saved."""
    write_checkpoint(tmp_path / "pretrained.pt")
    model = built(tmp_path / "pretrained.pt")
    (tmp_path / "pretrained.pt").unlink()
    data = tmp_path / "data"
    for folder in ("input0", "label"):
        (data / folder).mkdir(parents=True)
    dictionary().save(str(data / "input0" / "dict.txt"))  # less <mask>, which the task adds
    (data / "label" / "dict.txt").write_text("0 2\n1 1\n2 1\n")
    lines = (data / "input0" / "dict.txt").read_text().splitlines()
    (data / "input0" / "dict.txt").write_text("".join(f"{line}\n" for line in lines if "<mask>" not in line))
    cfg = {
        "model": OmegaConf.to_container(model.cfg, resolve=True),
        "task": {"_name": "sentence_prediction", "data": str(data), "num_classes": 3, "max_positions": 32},
        "criterion": {"_name": "sentence_prediction", "regression_target": False, "classification_head_name": HEAD},
    }
    torch.save(trainer_state(cfg, model.state_dict()), tmp_path / "tuned.pt")
    (loaded,), _, _ = load_model_ensemble_and_task([str(tmp_path / "tuned.pt")])
    ours = loaded.eval()(whole(), classification_head_name=HEAD)[0]
    torch.testing.assert_close(ours, model.eval()(whole(), classification_head_name=HEAD)[0])


@pytest.mark.parametrize("kind", ["data2vec_text_classification", "data2vec_text"])
@pytest.mark.parametrize("regression", [False, True])
def test_stock_criterion_runs_on_our_models(pretrained: Path, kind: str, regression: bool) -> None:  # host faults 5, 6
    model = built(pretrained) if kind.endswith("classification") else tiny_text()
    classes = 1 if regression else 3
    model.register_classification_head(HEAD, num_classes=classes)
    criterion = SentencePredictionCriterion(
        SentencePredictionConfig(classification_head_name=HEAD, regression_target=regression), task()
    )
    target = torch.tensor([[0.5], [1.0]]) if regression else torch.tensor([[0], [2]])
    sample = {"net_input": {"src_tokens": whole(), "src_lengths": torch.tensor([T, T])}, "target": target, "ntokens": 9}
    loss, count, log = criterion(model, sample)
    loss.backward()
    assert count == 2
    assert ("ncorrect" in log) != regression
    assert model.args is not None


def test_keys_of_robertas_recipes_are_accepted(pretrained: Path) -> None:
    from data2vec_plugin.models.text_classification_config import Data2VecTextClassificationConfig

    recipe = section(pretrained, dropout=0.1, attention_dropout=0.1)
    cfg = merge_with_parent(Data2VecTextClassificationConfig(), recipe)
    assert (cfg.dropout, cfg.attention_dropout) == (0.1, 0.1)
