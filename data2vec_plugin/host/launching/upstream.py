"""What data2vec's recipes and checkpoints expect of fairseq: keys of its main branch, and that `roberta` knows them."""

import functools
import logging
from argparse import Namespace
from types import ModuleType
from typing import Any, MutableMapping

from .ours import is_imported, node_of

logger = logging.getLogger(__name__)

TEACHER, HEAD, LANGUAGE_MODEL = "encoder._ema", "encoder.regression_head.", "encoder.lm_head."


OF_DATA2VEC_2 = {
    "audio_pretraining": ("precompute_mask_config", "data2vec_audio_pretraining"),
    "masked_lm": ("d2v2_multi", "data2vec_masked_lm"),
}
"""Of a task of fairseq's the key by which main's makes batches for data2vec 2.0, and our task, which knows it."""


def fit_to_release(cfg: Any) -> None:
    """Makes a configuration of main's one that any fairseq takes, in place."""
    drop_mains_keys(cfg)
    take_our_task(cfg)


def take_our_task(cfg: Any) -> None:
    """Has our task in the place of fairseq's where a recipe of data2vec 2.0 asks for its batches.

    The release cannot make them; main can, but draws other masks after a resumption than it would have without.
    """
    from omegaconf import open_dict

    task = node_of(cfg, "task")
    key, ours = OF_DATA2VEC_2.get(task["_name"] if task is not None and "_name" in task else "", ("", ""))
    if not key or key not in task or task[key] in (None, False):
        return
    logger.info(f"`task._name` is {task['_name']} with `{key}`: {ours} makes these batches, by the same keys")
    with open_dict(task):
        task["_name"] = ours


def drop_mains_keys(cfg: Any) -> None:
    """Takes out what the release does not know, and can do without.

    `dynamic_groups` of a composite optimizer: main makes a group for each set of overrides that parameters carry. In
    the release they carry none, so that the groups by name, which it always makes, are all that there are.
    `debug_param_names` has main log an optimizer's parameters.
    """
    from fairseq.dataclass.configs import OptimizationConfig
    from fairseq.optim import OPTIMIZER_DATACLASS_REGISTRY
    from omegaconf import open_dict

    optimization = node_of(cfg, "optimization")
    if optimization is not None and "debug_param_names" not in OptimizationConfig.__dataclass_fields__:
        with open_dict(optimization):
            optimization.pop("debug_param_names", None)
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
