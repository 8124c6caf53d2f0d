"""What data2vec's recipes and checkpoints expect of fairseq: main's keys, and a `roberta` that recognises them."""

import dataclasses
import functools
import logging
import sys
from argparse import Namespace
from types import ModuleType
from typing import Any, Dict, MutableMapping, Optional, Tuple

from .ours import has_keys, is_imported, node_of
from .override_errors import recipe_is_ours

logger = logging.getLogger(__name__)

TEACHER, HEAD, LANGUAGE_MODEL = "encoder._ema", "encoder.regression_head.", "encoder.lm_head."


OF_DATA2VEC_2 = {
    "audio_pretraining": ("precompute_mask_config", "data2vec_audio_pretraining"),
    "masked_lm": ("d2v2_multi", "data2vec_masked_lm"),
}
"""By fairseq's task: the key with which main's makes batches for data2vec 2.0, and our task that supports it."""


def fit_to_release(cfg: Any) -> None:
    """Makes a configuration for fairseq's main branch valid for any fairseq, in place."""
    drop_mains_keys(cfg)
    take_our_task(cfg)


def take_our_task(cfg: Any) -> None:
    """Uses this plugin's task instead of fairseq's if a recipe requests data2vec 2.0's batches.

    The release does not support them; main does, but a resumed run draws other masks than an uninterrupted one.
    """
    from omegaconf import open_dict

    task = node_of(cfg, "task")
    key, ours = OF_DATA2VEC_2.get(task["_name"] if task is not None and "_name" in task else "", ("", ""))
    if not key or key not in task or task[key] in (None, False):
        return
    logger.info(
        f"`task._name` is {task['_name']} with `{key}`: using {ours}, which makes these batches with the same keys"
    )
    with open_dict(task):
        task["_name"] = ours


def compose_without(module: ModuleType) -> bool:
    """Lets hydra compose a data2vec recipe without `optimization.debug_param_names` on the release.

    Main uses it to log an optimizer's parameters; the release has no such key, so hydra refuses it.
    """
    loader = module.ConfigLoaderImpl  # type: ignore[attr-defined]
    stock = loader.load_configuration

    @functools.wraps(stock)
    def load_configuration(self: Any, config_name: Any, overrides: Any, *args: Any, **kwargs: Any) -> Any:
        if not recipe_is_ours(self, config_name, overrides):
            return stock(self, config_name, overrides, *args, **kwargs)
        read = self.repository.load_config

        @functools.wraps(read)  # hydra 1.0's parameters, which `recipe_is_ours` asks for, stay visible
        def load_config(*path: Any, **options: Any) -> Any:
            found = read(*path, **options)
            if found is not None and has_keys(found.config):
                drop_debug_names(found.config)
            return found

        self.repository.load_config = load_config
        try:
            return stock(self, config_name, overrides, *args, **kwargs)
        finally:
            vars(self.repository).pop("load_config", None)

    loader.load_configuration = load_configuration
    return True


def drop_debug_names(recipe: Any) -> None:
    """Removes that key from a recipe as it was read, if fairseq is imported and does not have it."""
    optimization = node_of(recipe, "optimization")
    if optimization is None or "debug_param_names" not in optimization or "fairseq" not in sys.modules:
        return
    from fairseq.dataclass.configs import OptimizationConfig
    from omegaconf import open_dict

    if "debug_param_names" not in OptimizationConfig.__dataclass_fields__:
        with open_dict(optimization):
            del optimization["debug_param_names"]


def _key(default: Any, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": text})


Fields = Tuple[Tuple[str, Any, Any], ...]

RECOGNITION: Fields = (
    ("drop_path", float, _key(0.0, "probability to drop a residual branch of the encoder's last layer")),
    ("update_alibi", bool, _key(True, "train the factor on ALiBi's biases")),
    ("zero_mask", bool, _key(False, "masked frames are zero; otherwise noise")),
    ("load_ema", bool, _key(False, "start from the average of the weights")),
    ("layer_decay", float, _key(1.0, "learning rate of a layer relative to the layer above it; 1: the same for all")),
    ("freeze_regex", Optional[str], _key(None, "parameters whose full name matches are not trained")),
)
MODELS: Dict[str, Fields] = {"wav2vec_ctc": RECOGNITION, "wav2vec_seq2seq": RECOGNITION}
TASKS: Dict[str, Fields] = {
    "sentence_prediction": (("d2v2_multi", bool, _key(False, "data2vec 2.0: batches hold `source` and its padding")),)
}
"""Keys that main has added to its own models and tasks, and that mean the same for the release."""


def add_upstream_keys() -> None:
    """Add missing keys to fairseq's registries, and to hydra's store; safe to call twice."""
    from fairseq.models import MODEL_DATACLASS_REGISTRY
    from fairseq.tasks import TASK_DATACLASS_REGISTRY

    for group, registry, wanted in (
        ("model", MODEL_DATACLASS_REGISTRY, MODELS),
        ("task", TASK_DATACLASS_REGISTRY, TASKS),
    ):
        for name, fields in wanted.items():
            if name in registry:
                add_fields(group, name, registry[name], fields)


def add_fields(group: str, name: str, stock: Any, fields: Fields) -> None:
    """Give a dataclass those of ``fields`` that it lacks, and store it for hydra under its ``name``."""
    from hydra.core.config_store import ConfigStore

    held = {field.name for field in dataclasses.fields(stock)}
    missing = [field for field in fields if field[0] not in held]
    if not missing:
        return
    made: Any = dataclasses.make_dataclass(stock.__name__, missing, bases=(stock,))
    for key, kind, field in missing:  # to the class itself, since others hold it
        stock.__annotations__[key] = kind
        setattr(stock, key, field.default)
    for part in ("__dataclass_fields__", "__init__", "__repr__", "__eq__"):
        setattr(stock, part, getattr(made, part))
    node: Any = stock()
    node._name = name
    ConfigStore.instance().store(name=name, group=group, node=node, provider="fairseq")


def drop_mains_keys(cfg: Any) -> None:
    """Removes `dynamic_groups` from a composite optimizer where the release does not have the key.

    Main makes a group for each set of overrides that parameters carry. In the release they carry none, so the groups by
    name, which it always makes, are the only ones.
    """
    from fairseq.optim import OPTIMIZER_DATACLASS_REGISTRY
    from omegaconf import open_dict

    optimizer = node_of(cfg, "optimizer")
    if optimizer is None or "dynamic_groups" not in optimizer or optimizer["_name"] != "composite":
        return
    if "dynamic_groups" not in OPTIMIZER_DATACLASS_REGISTRY["composite"].__dataclass_fields__:
        with open_dict(optimizer):
            del optimizer["dynamic_groups"]


def know_it_by_its_head(module: ModuleType) -> bool:
    """Makes fairseq's `roberta`, which recognises a data2vec checkpoint by its teacher, recognise one without it.

    Such a checkpoint is given an empty teacher, which fairseq drops again once it has filled in its own head.
    """
    model = module.RobertaModel
    stock = model.upgrade_state_dict_named

    @functools.wraps(stock)
    def upgrade_state_dict_named(self: Any, state_dict: MutableMapping[str, Any], name: str) -> Any:
        if any(key.startswith(HEAD) for key in state_dict) and LANGUAGE_MODEL + "weight" not in state_dict:
            state_dict.setdefault(TEACHER, {})
        return stock(self, state_dict, name)

    model.upgrade_state_dict_named = upgrade_state_dict_named
    return True


class DecoderArguments(Namespace):
    """The settings that main's `ctc` passes to its decoder; processes of this plugin keep the set silence weight."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "sil_weight" or not hasattr(self, name) or not is_imported():
            super().__setattr__(name, value)


def keep_the_silence_weight(module: ModuleType) -> bool:
    """Replaces the namespace that main's criterion fills; the release has no such key, and 0 is its value."""
    if "wer_sil_weight" not in module.CtcCriterionConfig.__dataclass_fields__:
        return False
    module.Namespace = DecoderArguments  # type: ignore[attr-defined]
    return True
