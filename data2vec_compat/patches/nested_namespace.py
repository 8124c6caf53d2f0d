"""A model that was fine-tuned before fairseq had hydra keeps the arguments of its pre-training in its own.

fairseq writes them out as overrides of keys that its configuration does not have, and asks hydra not to mind; hydra
from 1.1 on minds. Here the inner arguments become a configuration by themselves.
"""

import functools
from argparse import Namespace
from types import ModuleType
from typing import Any

from data2vec_compat.registry import patch

INNER = "w2v_args"


@patch(
    "arguments within arguments",
    "fairseq.dataclass.utils",
    why="hydra ≥ 1.1 adds no unknown keys: ConfigCompositionException for speech models fine-tuned before 2021",
)
def mend(module: ModuleType) -> bool:
    """Wraps the function that turns a checkpoint's arguments into a configuration."""
    import hydra

    if not hasattr(hydra, "compose"):  # before 1.1, which knows how to be lenient
        return False
    stock = module.convert_namespace_to_omegaconf

    @functools.wraps(stock)
    def convert_namespace_to_omegaconf(args: Namespace) -> Any:
        from omegaconf import OmegaConf, open_dict

        inner = getattr(args, INNER, None)
        if not isinstance(inner, Namespace):
            return stock(args)
        cfg = stock(Namespace(**{**vars(args), INNER: None}))
        if isinstance(cfg.model, Namespace):  # of a model that has no configuration class, and kept as it is
            return stock(args)
        with open_dict(cfg):
            cfg.model[INNER] = OmegaConf.to_container(convert_namespace_to_omegaconf(inner))
        return cfg

    module.convert_namespace_to_omegaconf = convert_namespace_to_omegaconf  # type: ignore[attr-defined]
    return True
