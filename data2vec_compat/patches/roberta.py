"""fairseq's `roberta` takes the encoder of a data2vec checkpoint, and knows such a checkpoint by its teacher."""

import functools
from types import ModuleType
from typing import Any, MutableMapping

from data2vec_compat.registry import patch

TEACHER, HEAD, LANGUAGE_MODEL = "encoder._ema", "encoder.regression_head.", "encoder.lm_head."


@patch(
    "data2vec without teacher",
    "fairseq.models.roberta.model",
    why="roberta refuses a data2vec checkpoint that was saved without its teacher: `Missing key(s): encoder.lm_head…`",
)
def know_it_by_its_head(module: ModuleType) -> bool:
    """Gives such a checkpoint an empty teacher, which fairseq drops again once it has filled in its own head."""
    model = module.RobertaModel
    stock = model.upgrade_state_dict_named

    @functools.wraps(stock)
    def upgrade_state_dict_named(self: Any, state_dict: MutableMapping[str, Any], name: str) -> Any:
        if any(key.startswith(HEAD) for key in state_dict) and LANGUAGE_MODEL + "weight" not in state_dict:
            state_dict.setdefault(TEACHER, {})
        return stock(self, state_dict, name)

    model.upgrade_state_dict_named = upgrade_state_dict_named
    return True
