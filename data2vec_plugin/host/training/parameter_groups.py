"""A torch optimizer whose parameters are sorted into groups by their update rules, in place."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from torch.nn import Parameter
from torch.optim import Optimizer

from ...core.update_rules import UpdateRule

SCALE = "lr_scale"
"""Key of every group, and so of every checkpoint: the factor on its learning rate in a step."""

Group = Dict[str, Any]


def regroup(optimizer: Optimizer, rule_of: Callable[[Parameter], UpdateRule]) -> None:
    """Split every group by the rules of its parameters, in the order in which these first appear.

    Hence the same model has the same groups, and the state of one run can be loaded by the next. A group's ``lr`` stays
    the schedule's, so that it is logged, saved and set as usual; the scale is applied during a step only.
    """
    optimizer.param_groups[:] = [part for group in optimizer.param_groups for part in split(group, rule_of)]
    optimizer.register_step_pre_hook(scale_rates)
    optimizer.register_step_post_hook(restore_rates)


def split(group: Group, rule_of: Callable[[Parameter], UpdateRule]) -> List[Group]:
    """Return one group for each rule among a group's parameters."""
    members: Dict[UpdateRule, List[Parameter]] = {}
    for parameter in group["params"]:
        members.setdefault(rule_of(parameter), []).append(parameter)
    return [{**group, "params": params, **settings(group, rule)} for rule, params in members.items()]


def settings(group: Group, rule: UpdateRule) -> Group:
    """Return the settings that a rule changes in a group."""
    return {SCALE: rule.lr_scale, "weight_decay": group.get("weight_decay", 0.0) if rule.decays else 0.0}


def scale_rates(optimizer: Optimizer, *unused: Any) -> None:
    """Multiply the learning rate of every group by its scale, before a step."""
    for group in optimizer.param_groups:
        group["_lr"] = group["lr"]
        group["lr"] = group["lr"] * group[SCALE]


def restore_rates(optimizer: Optimizer, *unused: Any) -> None:
    """Restore the schedule's learning rate in every group, after a step."""
    for group in optimizer.param_groups:
        group["lr"] = group.pop("_lr")
