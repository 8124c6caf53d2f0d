"""What of a data2vec 2.0 decays, and which of its parameters are the decoders'."""

from __future__ import annotations

import pytest
from models.tiny_multi import tiny_multi

from data2vec_plugin.models.multi.multi_config import DecoderKeys


def test_matrices_decay_and_nothing_else_does() -> None:  # B29
    model = tiny_multi("audio", of={"audio": {"learned_alibi_scale_per_head": True, "num_extra_tokens": 2}})
    rules = model.update_rules()
    parameters = dict(model.named_parameters())
    assert rules.keys() == parameters.keys()
    assert {rule.lr_scale for rule in rules.values()} == {1.0}
    kept = {name for name, rule in rules.items() if not rule.decays}
    vectors = {name for name, value in parameters.items() if value.dim() == 1}
    assert vectors < kept
    assert {name.rpartition(".")[2] for name in kept - vectors} == {"alibi_scale", "extra_tokens"}
    assert any(name.endswith("bias") for name in kept)
    decayed = {name.rpartition(".")[2] for name in rules if name not in kept}
    assert decayed == {"weight"}


@pytest.mark.parametrize("grouped", [False, True])
def test_decoders_may_be_a_group_of_their_own(grouped: bool) -> None:
    shared = DecoderKeys(decoder_dim=16, decoder_groups=4, decoder_layers=1)
    model = tiny_multi("image", decoder_group=grouped, shared_decoder=shared)
    found = {name for name, value in model.named_parameters() if getattr(value, "param_group", "") == "decoder"}
    expected = {name for name, _ in model.named_parameters() if ".predictor." in name}
    assert found == (expected if grouped else set())
    assert expected
