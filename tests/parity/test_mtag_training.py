"""The comparison of losses, gradients and training steps, tried on cases written by an implementation of its own."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch
from parity.cases import Case, below
from parity.mtag_models import FORMS, Recorded, models_of
from parity.mtag_reference import CONFIG, losses_of, model_tensors, write_case
from parity.mtag_training import compare_training, in_name, optimizer_of
from parity.test_mtag import compare_outputs

SMALL = {**CONFIG, "graph_conv_in_dim": 8, "graph_conv_out_dim": 8, "gat_conv_num_heads": 2, "num_gat_layers": 2}
VARIANTS: Dict[str, Dict[str, Any]] = {
    "plain": {"use_loss_norm": 1},
    "heads1": {"gat_conv_num_heads": 1, "use_ffn": 1, "time_aware_edges": 0},
    "residual": {"use_residual": 1, "graph_activation": "gelu", "use_all_to_all": 1, "type_aware_edges": 0},
    "emotions": {"label_dim": 8, "use_prune": 0, "graph_activation": "lrelu"},
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Recorded]:
    """Models of one folder, by their variants' names."""
    folder = tmp_path_factory.mktemp("mm_mtag_variants")
    tensors = {
        f"{name}.{key}": value
        for name, own in VARIANTS.items()
        for key, value in model_tensors({**SMALL, **own}).items()
    }
    write_case(folder, {**SMALL, "variants": VARIANTS}, tensors)
    return {str(model).rpartition("-")[2]: model for model in models_of(Case(folder))}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VARIANTS)
def test_every_option_gives_what_the_description_says(recorded: Dict[str, Recorded], name: str, form: str) -> None:
    compared, wrong = compare_outputs(recorded[name], form)
    trained, badly = compare_training(recorded[name], form)
    assert set(compared) == {"out.logits", "out.logits_float64", "out.logits_prune_scope_graph"}
    losses = ("ce", "inverse_ce") if name == "emotions" else ("smooth_l1", "l1", "mse")
    run = f"{losses[-1]}.adamw_lr1e-3"
    assert set(trained) == {
        *(f"out.{loss}{what}" for loss in losses for what in ("", ".grad")),
        f"{run}.losses",
        f"{run} 3",
    }
    assert wrong + badly == []


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("out.mse", lambda x: x * 1.001),
        ("out.mse.grad.layers.1.att_r", lambda x: x * 1.001),
        ("mse.adamw_lr1e-3.losses", lambda x: x + torch.tensor([0, 0, 1e-3])),
        ("mse.adamw_lr1e-3.w3.vision_fc.0.weight", lambda x: x + 1e-5),
        ("out.logits", lambda x: x + 1e-4),
    ],
)
def test_what_differs_is_named(recorded: Dict[str, Recorded], key: str, change: Any) -> None:
    case = recorded["plain"]
    changed = Recorded("changed", case.config, {**case.tensors, key: change(case.tensors[key])})
    wrong = [*compare_outputs(changed, "sparse")[1], *compare_training(changed, "sparse")[1]]
    assert [line.split(": ")[0] for line in wrong] == [key]


def test_names_of_other_layouts_are_understood(recorded: Dict[str, Recorded]) -> None:
    """One model without variants; a loss that the configuration names, divided by itself; gradients and steps of it."""
    case = recorded["plain"]
    old = case.tensors
    kept = {key: value for key, value in old.items() if key.split(".")[0] in ("in", "w")}
    labels = kept.pop("in.labels")
    gradients = below("out.mse.grad.", old)
    mse = float(old["out.mse"])
    renamed = {
        **{f"w0.{key[2:]}" if key.startswith("w.") else key: value for key, value in kept.items()},
        "in.target": labels.view(2, 1, 1),
        "out.loss": old["out.mse"],
        "out.loss_normed": torch.tensor(1.0),
        **{f"grad.{name}": value / mse for name, value in gradients.items()},
        **{f"grad_norm.{name}": value.norm() / mse for name, value in gradients.items()},
        **{f"out.step3.{name}": value for name, value in below("mse.adamw_lr1e-3.w3.", old).items()},
    }
    config = {**case.config, "loss_type": "mse", "optimizer": "adamw", "global_lr": 1e-3}
    compared, wrong = compare_training(Recorded("other", config, renamed), "dense")
    assert compared == ["out.loss", "out.loss_normed", "grad", "grad_norm", "out 3"]
    assert wrong == []
    badly = {**renamed, "grad.head.4.bias": renamed["grad.head.4.bias"] * mse}
    assert compare_training(Recorded("other", config, badly), "dense")[1]


def test_weights_of_the_classes_are_those_of_the_release() -> None:
    torch.manual_seed(0)
    outputs, labels = torch.randn(5, 8).double(), torch.randint(0, 2, (5, 4))
    losses = losses_of(outputs, labels, {"label_dim": 8})
    weights = torch.tensor([[954, 1763], [338, 2379], [690, 2027], [735, 1982]]).double() / 2717
    each = [
        torch.nn.functional.cross_entropy(outputs.view(5, 4, 2)[:, place], labels[:, place], weights[place])
        for place in range(4)
    ]
    assert float(losses["inverse_ce"]) == pytest.approx(float(torch.stack(each).mean()))


def test_optimisers_are_told_by_name() -> None:
    model = torch.nn.Linear(1, 1)
    made = optimizer_of("sgd_lr1e-2_m0.9", {}, model)
    assert isinstance(made, torch.optim.SGD)
    assert (made.defaults["lr"], made.defaults["momentum"]) == (0.01, 0.9)
    made = optimizer_of("steps", {"optimizer": "adam", "global_lr": 0.5, "weight_decay": 0.25}, model)
    assert isinstance(made, torch.optim.Adam)
    assert (made.defaults["lr"], made.defaults["weight_decay"]) == (0.5, 0.25)
    made = optimizer_of("fast", {"runs": {"fast": {"optimizer": "adamw", "lr": 2.0}}}, model)
    assert (made.defaults["lr"], made.defaults["weight_decay"]) == (2.0, 1e-2)
    assert in_name("lr", "adamw_lr1e-3_wd0.1", 0) == 1e-3
