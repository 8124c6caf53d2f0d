"""fairseq's `roberta` on data2vec checkpoints, with and without the teacher."""

from types import SimpleNamespace
from typing import Any, Dict

import pytest
import torch
from speech import ROOT

from data2vec_compat import install

install()
roberta = pytest.importorskip("fairseq.models.roberta.model")
from fairseq.data import Dictionary  # noqa: E402

RELEASED = ROOT / "tests" / "fixtures" / "parity" / "official_style_text"


def state() -> Dict[str, Any]:
    weights: Dict[str, Any] = torch.load(RELEASED / "checkpoint.pt", map_location="cpu", weights_only=False)["model"]
    return weights


def model() -> Any:
    dictionary = Dictionary.load(str(RELEASED / "dict.txt"))
    dictionary.add_symbol("<mask>")
    sizes = {"encoder_layers": 3, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 64, "encoder_attention_heads": 4}
    args = SimpleNamespace(**sizes, max_positions=64, tokens_per_sample=64)
    return roberta.RobertaModel.build_model(args, SimpleNamespace(source_dictionary=dictionary))


@pytest.mark.parametrize("teacher", [True, False])
def test_the_encoder_is_taken(teacher: bool) -> None:
    made, weights = model(), state()
    if not teacher:
        del weights["encoder._ema"]
    expected = {name: value for name, value in weights.items() if name.startswith("encoder.sentence_encoder.")}
    made.load_state_dict(weights, strict=True)
    loaded = made.state_dict()
    assert expected
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


def test_what_is_no_data2vec_checkpoint_must_be_whole() -> None:
    made = model()
    weights = {name: value for name, value in made.state_dict().items() if "lm_head" not in name}
    with pytest.raises(RuntimeError, match="lm_head"):
        made.load_state_dict(weights, strict=True)
