"""Applies a model's update rules to the optimizer that fairseq builds from bare parameters, in every precision.

A model with rules has ``update_rules()``: parameter name -> :class:`UpdateRule`, or an encoder within it has
``layer_rules()``. All of fairseq's optimizers and schedules can be used, also its composite optimizer. The optimizers
of other models are not changed.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Dict, Iterator, List, Tuple

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from ...core.update_rules import ORDINARY, UpdateRule
from .parameter_groups import regroup

Rules = Dict[int, UpdateRule]
"""By the identity of the parameter that an optimizer holds."""


def group_parameters(trainer: Any) -> None:
    """Regroup a trainer's optimizer, once it is built, by the rules of its model, if it has any.

    Raises ValueError where a process does not hold whole parameters.
    """
    model = trainer.get_model()
    if rules_of(model):
        check_unsharded(trainer.cfg, "learning rates by layer and weight decay by parameter need")
        follow_rules(trainer._optimizer, rules_by_parameter(model))


def rules_by_parameter(model: Any) -> Rules:
    """Return the rules of a model by the identity of its parameters; a shared parameter has its first name's rule."""
    rules = rules_of(model)
    return {id(parameter): rules[name] for name, parameter in model.named_parameters() if name in rules}


def rules_of(model: Any) -> Dict[str, UpdateRule]:
    """Return a model's own rules, or the layer-wise rules of a data2vec encoder in a fairseq model; may be empty."""
    if hasattr(model, "update_rules"):
        own: Dict[str, UpdateRule] = model.update_rules()
        return own
    inside = [(name, module) for name, module in model.named_modules() if hasattr(module, "layer_rules")]
    return {f"{name}.{inner}": rule for name, module in inside for inner, rule in module.layer_rules().items()}


def follow_rules(optimizer: Any, rules: Rules) -> None:
    """Regroup every torch optimizer inside one of fairseq's."""
    rules = {**rules, **rules_of_copies(optimizer, rules)}
    for inner in torch_optimizers(optimizer):
        regroup(inner, lambda parameter: rules.get(id(parameter), ORDINARY))


def rules_of_copies(optimizer: Any, rules: Rules) -> Rules:
    """Return the rules of the fp32 copies that fairseq updates instead of a model's fp16 or bf16 parameters."""
    originals: List[Parameter] = getattr(optimizer, "fp16_params", [])
    copies: Any = getattr(optimizer, "fp32_params", [])
    if isinstance(copies, dict):
        return cut_up(
            optimizer, [(rules.get(id(original), ORDINARY), original.numel()) for original in originals], copies
        )
    return {id(copy): rules.get(id(original), ORDINARY) for original, copy in zip(originals, copies)}


def cut_up(optimizer: Any, sizes: List[Tuple[UpdateRule, int]], flat: Dict[Any, Parameter]) -> Rules:
    """Split fp16's single flat parameter into views, one for each run of parameters with one rule; return their rules.

    ``sizes`` holds the rule and the size of every parameter, in the order of the model. Values and gradients are not
    moved: fairseq still copies gradients into the flat buffer and weights out of it. Raises ValueError if there are
    several such buffers.
    """
    inner = list(torch_optimizers(optimizer))
    if len(flat) != 1 or len(inner) != 1:
        raise ValueError(
            f"layer-wise learning rates require one flat buffer and one optimizer, but there are {len(flat)} and "
            f"{len(inner)}; set `common.fp16_no_flatten_grads=true`"
        )
    stretches = [(rule, sum(size for _, size in run)) for rule, run in groupby(sizes, key=lambda entry: entry[0])]
    whole: Any = next(iter(flat.values()))
    values, gradients = (torch.split(part, [size for _, size in stretches]) for part in (whole.data, whole.grad))
    views = [Parameter(stretch) for stretch in values]
    for view, gradient in zip(views, gradients):
        view.grad = gradient
    inner[0].param_groups[0]["params"] = views
    return {id(view): rule for view, (rule, _) in zip(views, stretches)}


def torch_optimizers(optimizer: Any) -> Iterator[Optimizer]:
    """Yield the torch optimizers inside fairseq's."""
    for wrapper in wrappers(optimizer):
        yield wrapper.optimizer


def wrappers(optimizer: Any) -> Iterator[Any]:
    """Yield fairseq's optimizers that hold one of torch's, inside its wrappers for precision and its composite one."""
    for name in ("fp32_optimizer", "wrapped_optimizer"):
        optimizer = getattr(optimizer, name, optimizer)
    yield from getattr(optimizer, "optimizers", {"": optimizer}).values()


def check_unsharded(cfg: Any, purpose: str) -> None:
    """Raise ValueError where a process does not hold whole parameters, or another optimizer does the steps.

    ``purpose``, the beginning of a sentence, states what needs them.
    """
    settings = cfg.distributed_training
    refused = {
        "distributed_training.ddp_backend": (settings.ddp_backend, ("fully_sharded", "slowmo")),
        "distributed_training.zero_sharding": (settings.zero_sharding, ("os",)),
        "optimization.use_bmuf": (cfg.optimization.use_bmuf, (True,)),
    }
    for name, (value, wrong) in refused.items():
        if value in wrong:
            raise ValueError(
                f"`{name}` is {value}: {purpose} an optimizer over whole parameters; leave it at its default"
            )
