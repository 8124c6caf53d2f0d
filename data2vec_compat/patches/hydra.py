"""Old checkpoints hold flat arguments, and for fine-tuned models nested in them those of the pre-training.

fairseq converts them into a configuration through hydra's overrides, which cannot hold nested arguments: hydra ≥ 1.1
refuses them.
"""

import functools
from argparse import Namespace
from types import ModuleType
from typing import Any, Dict

from data2vec_compat.registry import patch


@patch(
    "nested arguments",
    "fairseq.dataclass.utils",
    why="old fine-tuned checkpoints hold nested arguments, which hydra ≥ 1.1 refuses as overrides",
)
def fix(module: ModuleType) -> bool:
    """Copies the model's keys unchanged if arguments are nested; everything else is left to fairseq."""
    stock = module.convert_namespace_to_omegaconf

    @functools.wraps(stock)
    def convert_namespace_to_omegaconf(args: Namespace) -> Any:
        values = vars(args)
        nested = {name for name, value in values.items() if _is_nested(value)}
        keys = _model_keys(values.get("arch"))
        if not nested or not keys:
            return stock(args)
        cfg = stock(Namespace(**{name: value for name, value in values.items() if name not in {*nested, "arch"}}))
        own = {name: _converted(values[name], convert_namespace_to_omegaconf) for name in keys if name in values}
        _put(cfg, {**own, "_name": values["arch"]}, {name: values[name] for name in nested - set(keys)})
        return cfg

    module.convert_namespace_to_omegaconf = convert_namespace_to_omegaconf  # type: ignore[attr-defined]
    return True


def _is_nested(value: Any) -> bool:
    return isinstance(value, Namespace) or hasattr(value, "keys")


def _model_keys(arch: Any) -> Dict[str, Any]:
    from fairseq.models import MODEL_DATACLASS_REGISTRY

    return getattr(MODEL_DATACLASS_REGISTRY.get(arch), "__dataclass_fields__", {})


def _converted(value: Any, convert: Any) -> Any:
    from omegaconf import OmegaConf

    if not isinstance(value, Namespace):
        return value
    # plain, since a DictConfig would bring its own flags, which omegaconf 2.0 does not drop
    return OmegaConf.to_container(convert(value)) if hasattr(value, "arch") else vars(value)


def _put(cfg: Any, model: Dict[str, Any], others: Dict[str, Any]) -> None:
    from omegaconf import open_dict

    with open_dict(cfg):
        cfg.model = model
        for name in others:
            if cfg.task is not None and name in cfg.task:
                cfg.task[name] = others[name]
