"""A misspelt key, wherever it stands, is told by name and with what was meant; nothing is accepted without effect."""

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest

from data2vec_compat.registry import ARMED
from data2vec_plugin.host.launching import takeover
from data2vec_plugin.host.launching.unknown_keys import UnknownKeyError

hydra_init = pytest.importorskip("fairseq.dataclass.initialize").hydra_init
hydra_loader = pytest.importorskip("hydra._internal.config_loader_impl")
hydra = pytest.importorskip("hydra")
api = hydra if hasattr(hydra, "compose") else pytest.importorskip("hydra.experimental")  # hydra 1.0
GlobalHydra = pytest.importorskip("hydra.core.global_hydra").GlobalHydra
ConfigCompositionException = pytest.importorskip("hydra.errors").ConfigCompositionException
HydraException = pytest.importorskip("hydra.errors").HydraException
OverrideParseException = pytest.importorskip("hydra.errors").OverrideParseException

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


@pytest.fixture(autouse=True, scope="module")
def explained() -> None:
    """pytest imports hydra by a loader of its own, out of the finder's sight; a patch runs but once."""
    for entry in ARMED:
        if entry.module == hydra_loader.__name__:
            entry.run(hydra_loader)


def composed(recipe: str, *overrides: str, folder: Path = CONFIGS) -> Any:
    """What hydra makes of a recipe and its overrides, as in `fairseq-hydra-train`."""
    GlobalHydra.instance().clear()
    hydra_init(recipe)
    with api.initialize_config_dir(config_dir=str(folder)):
        return api.compose(config_name=recipe, overrides=["task.data=x", "+run=cpu", *overrides])


def taken_over(cfg: Any) -> List[Any]:
    """What reaches fairseq's `_hydra_main`."""
    seen: List[Any] = []
    module: Any = SimpleNamespace(_hydra_main=seen.append)
    takeover.look_first(module)
    module._hydra_main(cfg)
    return seen


@pytest.mark.parametrize(
    ("recipe", "override", "meant"),
    [
        ("audio_base", "model.mask_prop=0.5", "`model.mask_prob`"),
        ("audio_base", "model.channel_mask_prob=0.5", "`model.mask_channel_prob`"),
        ("audio_base", "task.dataa=x", "`task.data`"),
        ("audio_base", "optimization.max_updates=5", "`optimization.max_update`"),
        ("asr_base_10h", "model.freeze_finetune_update=5", "`model.freeze_finetune_updates`"),
    ],
)
def test_an_override_without_plus_is_told_what_was_meant(recipe: str, override: str, meant: str) -> None:
    with pytest.raises(ConfigCompositionException, match=f"did you mean {meant}") as told:
        composed(recipe, override)
    assert str(told.value).startswith(f"Could not override '{override.split('=')[0]}'.\n")
    assert "To append" not in str(told.value)


@pytest.mark.parametrize("path", ["/tmp/données", "/tmp/数据", "/tmp/d'été", "/data/a#1", "/data/run(2)", "/data/lr=1"])
def test_a_path_that_hydras_grammar_does_not_know_is_told_of_quotes(path: str) -> None:
    with pytest.raises(OverrideParseException, match="Quote the value") as told:
        composed("audio_base", f"dataset.train_subset={path}")
    command = str(told.value).splitlines()[-1].partition("for the shell: ")[2]
    assert composed("audio_base", *shlex.split(command)).dataset.train_subset == path


@pytest.mark.parametrize("override", ["optimization.lr=[0.1", "=é", 'task.data="é'])
def test_quotes_are_not_advised_where_they_would_not_do(override: str) -> None:
    with pytest.raises(OverrideParseException) as told:
        composed("audio_base", override)
    assert "quotes" not in str(told.value)


def test_a_key_that_the_recipe_merely_lacks_keeps_hydras_advice() -> None:
    with pytest.raises(ConfigCompositionException, match=r"use \+model.mask_channel_prob=0.5"):
        composed("audio_base", "model.mask_channel_prob=0.5")


def test_another_plugins_configuration_keeps_hydras_words() -> None:
    with pytest.raises(ConfigCompositionException, match=r"use \+model.mask_prop=0.5"):
        composed("audio_base", "common.user_dir=theirs", "model.mask_prop=0.5")


def test_a_misspelt_key_in_a_recipe_is_told_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("common: {user_dir: data2vec_plugin}\noptimization: {max_updates: 5}\n")
    GlobalHydra.instance().clear()
    hydra_init("own")
    message = "did you mean `optimization.max_update`"
    with api.initialize_config_dir(config_dir=str(tmp_path)), pytest.raises(ConfigCompositionException, match=message):
        api.compose(config_name="own")


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("optimization.max_updates=5", r"`optimization.max_updates` \(did you mean `optimization.max_update`\?\)"),
        ("dataset.max_token=3", "did you mean `dataset.max_tokens`"),
        ("common.seeds=3", "did you mean `common.seed`"),
        ("checkpoint.save_dirs=x", "did you mean `checkpoint.save_dir`"),
        ("distributed_training.ddp_backends=x", "did you mean `distributed_training.ddp_backend`"),
        ("ema.qqq=3", "`ema` has no key `ema.qqq`; correct"),
        ("optimizer.adam_beta=x", "optimizer `adam` has no key .*did you mean `optimizer.adam_betas`"),
        ("model.freeze_finetune_update=5", "model `wav2vec_ctc`.*did you mean `model.freeze_finetune_updates`"),
        ("optimisation.max_update=5", r"no section `optimisation` \(did you mean `optimization`\?\)"),
    ],
)
def test_an_appended_key_that_nobody_reads_is_refused(override: str, meant: str) -> None:
    with pytest.raises((UnknownKeyError, ConfigCompositionException), match=meant):
        taken_over(composed("asr_base_10h", f"+{override}"))


def test_all_that_is_wrong_is_told_at_once() -> None:
    cfg = composed("asr_base_10h", "+optimizer.adam_beta=x", "+model.freeze_finetune_update=5")
    with pytest.raises(UnknownKeyError, match=r"`model\.freeze_finetune_update` .*`optimizer\.adam_beta` "):
        taken_over(cfg)


@pytest.mark.source
@pytest.mark.parametrize("recipe", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_recipe_passes(recipe: str) -> None:
    assert taken_over(composed(recipe))


def test_other_sections_and_other_plugins_pass() -> None:
    assert taken_over(composed("audio_base", "+decoding.beam=5"))
    assert taken_over(composed("audio_base", "common.user_dir=theirs", "+optimizer.adam_beta=x"))


def test_words_about_others_are_hydras_own(tmp_path: Path) -> None:
    """A recipe without our plugin: its own misspelt keys, and values that hydra cannot read, are told as ever."""
    (tmp_path / "own.yaml").write_text("common: {seed: 1}\n")
    (tmp_path / "wrong.yaml").write_text("optimization: {max_updates: 5}\n")
    for recipe, overrides in (("own", ["optimization.max_updates=5"]), ("own", ["common.seed=é"]), ("wrong", [])):
        GlobalHydra.instance().clear()
        hydra_init(recipe)
        with api.initialize_config_dir(config_dir=str(tmp_path)), pytest.raises(HydraException) as told:
            api.compose(config_name=recipe, overrides=overrides)
        assert "did you mean" not in str(told.value)
        assert "quotes" not in str(told.value)


def test_our_plugin_may_be_named_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("common: {seed: 1}\n")
    for wrong, told in (("optimization.max_updates=5", "did you mean"), ("common.seed=é", "Quote the value")):
        GlobalHydra.instance().clear()
        hydra_init("own")
        with api.initialize_config_dir(config_dir=str(tmp_path)), pytest.raises(HydraException, match=told):
            api.compose(config_name="own", overrides=["common.user_dir=data2vec_plugin", wrong])
