"""What data2vec's recipes and checkpoints ask of fairseq: keys of main, and a `roberta` that takes the encoder."""

import math
import sys
from argparse import Namespace
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, Dict

import pytest
import torch
from speech import ROOT

from data2vec_compat import install
from data2vec_plugin.host.launching.upstream import (
    compose_without,
    drop_debug_names,
    drop_mains_keys,
    fit_to_release,
    keep_the_silence_weight,
)

install()
roberta = pytest.importorskip("fairseq.models.roberta.model")
from fairseq.data import Dictionary  # noqa: E402
from fairseq.optim import OPTIMIZER_DATACLASS_REGISTRY  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402

RELEASED = ROOT / "tests" / "fixtures" / "parity" / "official_style_text"


def state() -> Dict[str, Any]:
    weights: Dict[str, Any] = torch.load(RELEASED / "checkpoint.pt", map_location="cpu", weights_only=False)["model"]
    return weights


def model() -> Any:
    dictionary = Dictionary.load(str(RELEASED / "dict.txt"))
    dictionary.add_symbol("<mask>")
    sizes = {"encoder_layers": 3, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 64, "encoder_attention_heads": 4}
    args = SimpleNamespace(**sizes, max_positions=64, tokens_per_sample=64)
    return roberta.RobertaModel.build_model(args, SimpleNamespace(source_dictionary=dictionary))


@pytest.mark.parametrize("teacher", [True, False])
def test_the_encoder_is_taken(teacher: bool) -> None:
    made, weights = model(), state()
    if not teacher:
        del weights["encoder._ema"]
    expected = {name: value for name, value in weights.items() if name.startswith("encoder.sentence_encoder.")}
    made.load_state_dict(weights, strict=True)
    loaded = made.state_dict()
    assert expected
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


def test_what_is_no_data2vec_checkpoint_must_be_whole() -> None:
    made = model()
    weights = {name: value for name, value in made.state_dict().items() if "lm_head" not in name}
    with pytest.raises(RuntimeError, match="lm_head"):
        made.load_state_dict(weights, strict=True)


@pytest.mark.parametrize("known", [False, True])
def test_mains_key_goes_where_the_release_does_not_know_it(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"groups": None, **({"dynamic_groups": None} if known else {})}
    monkeypatch.setitem(OPTIMIZER_DATACLASS_REGISTRY, "composite", SimpleNamespace(__dataclass_fields__=fields))
    cfg = OmegaConf.create({"optimizer": {"_name": "composite", "dynamic_groups": True, "groups": {}}})
    OmegaConf.set_struct(cfg, True)
    drop_mains_keys(cfg)
    assert ("dynamic_groups" in cfg.optimizer) is known


@pytest.mark.parametrize("optimizer", [None, "adam", {"_name": "adam", "dynamic_groups": True}, {"_name": "composite"}])
def test_other_optimizers_stay_as_they_are(optimizer: Any) -> None:
    cfg = OmegaConf.create({"optimizer": optimizer})
    drop_mains_keys(cfg)
    assert cfg == OmegaConf.create({"optimizer": optimizer})


@pytest.mark.parametrize(
    ("task", "taken"),
    [
        ({"_name": "audio_pretraining", "precompute_mask_config": {}}, "data2vec_audio_pretraining"),
        ({"_name": "masked_lm", "d2v2_multi": True}, "data2vec_masked_lm"),
        ({"_name": "masked_lm", "d2v2_multi": False}, "masked_lm"),
        ({"_name": "audio_pretraining", "precompute_mask_config": None}, "audio_pretraining"),
        ({"_name": "audio_pretraining"}, "audio_pretraining"),
        ({"_name": "audio_finetuning", "precompute_mask_config": {}}, "audio_finetuning"),
    ],
)
def test_batches_of_data2vec_2_are_our_tasks(task: Any, taken: str) -> None:
    cfg = OmegaConf.create({"task": {**task, "data": "somewhere"}})
    OmegaConf.set_struct(cfg, True)
    fit_to_release(cfg)
    assert cfg.task == {**task, "data": "somewhere", "_name": taken}


class TestDebugNames:
    """`optimization.debug_param_names`, which main has and the release refuses."""

    RECIPE: ClassVar[Dict[str, Any]] = {"optimization": {"debug_param_names": True, "max_update": 5}}

    @pytest.fixture
    def release(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fields = SimpleNamespace(__dataclass_fields__={"max_update": None})
        monkeypatch.setattr("fairseq.dataclass.configs.OptimizationConfig", fields)

    def composed(self, overrides: Any) -> Any:
        """What a stand-in for hydra's loader reads, and whether it is itself again afterwards."""

        class Repository:
            def load_config(self, config_path: str) -> Any:
                return SimpleNamespace(config=OmegaConf.create(TestDebugNames.RECIPE))

        class Loader:
            repository = Repository()

            def load_configuration(self, config_name: Any, overrides: Any) -> Any:
                return self.repository.load_config(config_path=config_name).config

        compose_without(SimpleNamespace(ConfigLoaderImpl=Loader))  # type: ignore[arg-type]
        read = Loader().load_configuration("recipe", overrides)
        assert vars(Loader.repository) == {}
        return read

    def test_is_left_out_of_a_recipe_of_ours(self, release: None) -> None:
        assert self.composed(["common.user_dir=data2vec_plugin"]) == {"optimization": {"max_update": 5}}

    def test_stays_in_others(self, release: None) -> None:
        assert self.composed(["common.user_dir=theirs"]) == self.RECIPE

    def test_stays_where_fairseq_knows_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fields = SimpleNamespace(__dataclass_fields__={"debug_param_names": None})
        monkeypatch.setattr("fairseq.dataclass.configs.OptimizationConfig", fields)
        recipe = OmegaConf.create(self.RECIPE)
        drop_debug_names(recipe)
        assert recipe == self.RECIPE


class TestCtcSilenceWeight:  # B11
    """What fairseq main writes into its decoder's arguments, in its order."""

    @pytest.mark.parametrize("weight", [-1.5, 0.0])
    def test_the_users_value_stays(self, weight: float) -> None:
        keys = SimpleNamespace(__dataclass_fields__={"wer_sil_weight": None})
        module = SimpleNamespace(CtcCriterionConfig=keys, Namespace=Namespace)
        assert keep_the_silence_weight(module) is True
        arguments = module.Namespace()
        arguments.sil_weight = weight
        arguments.unk_weight = -math.inf
        arguments.sil_weight = 0
        assert vars(arguments) == {"sil_weight": weight, "unk_weight": -math.inf}

    def test_reaches_the_decoder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from fairseq.criterions.ctc import CtcCriterion, CtcCriterionConfig

        if not hasattr(CtcCriterionConfig, "wer_sil_weight"):
            pytest.skip("this fairseq has no such key")
        received = []
        decoders = ModuleType("examples.speech_recognition.w2l_decoder")
        decoders.W2lKenLMDecoder = lambda arguments, dictionary: received.append(arguments)  # type: ignore[attr-defined]
        for name in ("examples", "examples.speech_recognition", decoders.__name__):
            monkeypatch.setitem(sys.modules, name, decoders)
        dictionary = Dictionary()
        CtcCriterion(
            CtcCriterionConfig(wer_kenlm_model="x.bin", wer_sil_weight=-1.5),
            SimpleNamespace(target_dictionary=dictionary),
        )
        assert received[0].sil_weight == -1.5

    def test_other_projects_keep_what_main_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = SimpleNamespace(
            CtcCriterionConfig=SimpleNamespace(__dataclass_fields__={"wer_sil_weight": None}), Namespace=Namespace
        )
        keep_the_silence_weight(module)  # type: ignore[arg-type]
        monkeypatch.delitem(sys.modules, "data2vec_plugin")
        arguments = module.Namespace()
        arguments.sil_weight, arguments.sil_weight = -1.5, 0
        assert arguments.sil_weight == 0
