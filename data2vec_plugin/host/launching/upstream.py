"""What data2vec's recipes and checkpoints expect of fairseq: keys of its main branch, and that `roberta` knows them."""

import dataclasses
import functools
from argparse import Namespace
from types import ModuleType
from typing import Any, Dict, MutableMapping, Optional, Tuple

from .ours import is_imported, node_of

TEACHER, HEAD, LANGUAGE_MODEL = "encoder._ema", "encoder.regression_head.", "encoder.lm_head."


def _key(default: Any, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": text})


Fields = Tuple[Tuple[str, Any, Any], ...]

RECOGNITION: Fields = (
    ("drop_path", float, _key(0.0, "probability to drop a residual branch of the encoder's last layer")),
    ("update_alibi", bool, _key(True, "train the factor on ALiBi's biases")),
    ("zero_mask", bool, _key(False, "masked frames are zero; otherwise they are noise")),
    ("load_ema", bool, _key(False, "begin with the average of the weights")),
    ("layer_decay", float, _key(1.0, "learning rate of a layer, in parts of that above it; 1 for all alike")),
    ("freeze_regex", Optional[str], _key(None, "parameters whose whole name fits are not trained")),
)
MODELS: Dict[str, Fields] = {"wav2vec_ctc": RECOGNITION, "wav2vec_seq2seq": RECOGNITION}
TASKS: Dict[str, Fields] = {
    "sentence_prediction": (
        ("d2v2_multi", bool, _key(False, "of data2vec 2.0: batches hold `source` and its padding")),
    )
}
"""What main has added to its own models and tasks, where it means the same for the release."""


def add_upstream_keys() -> None:
    """Add what is missing to fairseq's registries, and to hydra's store; harmless when done twice."""
    from fairseq.models import MODEL_DATACLASS_REGISTRY
    from fairseq.tasks import TASK_DATACLASS_REGISTRY

    for group, registry, wanted in (
        ("model", MODEL_DATACLASS_REGISTRY, MODELS),
        ("task", TASK_DATACLASS_REGISTRY, TASKS),
    ):
        for name, fields in wanted.items():
            if name in registry:
                registry[name] = with_fields(group, name, registry[name], fields)


def with_fields(group: str, name: str, stock: type, fields: Fields) -> type:
    """A dataclass with those of ``fields`` that it lacks, stored for hydra under its ``name``."""
    from hydra.core.config_store import ConfigStore

    held = {field.name for field in dataclasses.fields(stock)}
    missing = [field for field in fields if field[0] not in held]
    if not missing:
        return stock
    made = dataclasses.make_dataclass(stock.__name__, missing, bases=(stock,))
    node: Any = made()
    node._name = name
    ConfigStore.instance().store(name=name, group=group, node=node, provider="fairseq")
    return made


def drop_mains_keys(cfg: Any) -> None:
    """Takes `dynamic_groups` out of a composite optimizer where the release does not know the key.

    Main makes a group for each set of overrides that parameters carry. In the release they carry none, so that the
    groups by name, which it always makes, are all that there are.
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
    """Has fairseq's `roberta`, which knows a data2vec checkpoint by its teacher, know one without it.

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
    """What main's `ctc` hands to its decoder; in a process of ours the silence weight that is set first stays."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "sil_weight" or not hasattr(self, name) or not is_imported():
            super().__setattr__(name, value)


def keep_the_silence_weight(module: ModuleType) -> bool:
    """Replaces the namespace that main's criterion fills; the release has no such key, and 0 is its value."""
    if "wer_sil_weight" not in module.CtcCriterionConfig.__dataclass_fields__:
        return False
    module.Namespace = DecoderArguments  # type: ignore[attr-defined]
    return True
