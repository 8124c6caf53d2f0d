"""Keys that fairseq's main branch has added to its own models and tasks, for the release, where they mean the same.

Configurations of data2vec 2.0 hold them. Where fairseq has a key already nothing is added.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Optional, Tuple

from ..config_keys import key

Fields = Tuple[Tuple[str, Any, Any], ...]

RECOGNITION: Fields = (
    ("drop_path", float, key(0.0, "probability to drop a residual branch of the encoder's last layer")),
    ("update_alibi", bool, key(True, "train the factor on ALiBi's biases")),
    ("zero_mask", bool, key(False, "masked frames are zero; otherwise they are noise")),
    ("load_ema", bool, key(False, "begin with the average of the weights")),
    ("layer_decay", float, key(1.0, "learning rate of a layer, in parts of that above it; 1 for all alike")),
    ("freeze_regex", Optional[str], key(None, "parameters whose whole name fits are not trained")),
)
MODELS: Dict[str, Fields] = {"wav2vec_ctc": RECOGNITION, "wav2vec_seq2seq": RECOGNITION}
TASKS: Dict[str, Fields] = {
    "sentence_prediction": (("d2v2_multi", bool, key(False, "of data2vec 2.0: batches hold `source` and its padding")),)
}


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
