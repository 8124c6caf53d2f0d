"""Each patch: it mends what is broken, and nothing else."""

import dataclasses
import importlib.util
import math
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data2vec_compat.patches import ctc_silence, mutable_defaults, numpy_names
from data2vec_compat.proxy import ModuleProxy
from data2vec_compat.registry import FAILED, NOT_NEEDED, Patch

fairseq = pytest.importorskip("fairseq")


def test_every_patch_was_applied_or_not_needed(run_python: Any) -> None:
    """In an interpreter of its own: pytest has imported hydra before our finder could look."""
    done = run_python(
        "import json, data2vec_compat, fairseq, fairseq_cli.hydra_train; "
        "print(json.dumps([p for p in data2vec_compat.report() if p['state'] not in ('applied', 'not needed')]))"
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_failing_patch_is_recorded_and_breaks_nothing() -> None:
    def broken(module: ModuleType) -> bool:
        raise AttributeError("no such function")

    entry = Patch("x", "json", "test", broken)
    entry.run(dataclasses)
    assert (entry.state, entry.detail) == (FAILED, "AttributeError: no such function")


def test_a_patch_runs_once() -> None:
    calls = []
    entry = Patch("x", "json", "test", lambda module: bool(calls.append(1)))
    entry.run(dataclasses)
    entry.run(dataclasses)
    assert (len(calls), entry.state) == (1, NOT_NEEDED)


class TestMutableDefaults:
    """Python ≥ 3.11; `hydra_init` reads `field.default`, so a factory would be no mend."""

    def test_fairseqs_defaults_stay_where_hydra_init_reads_them(self) -> None:
        from fairseq.dataclass.configs import CommonConfig, FairseqConfig

        assert isinstance(FairseqConfig.__dataclass_fields__["common"].default, CommonConfig)

    def test_subclass_of_fairseq_dataclass_with_a_plain_dataclass(self) -> None:
        from fairseq.dataclass import FairseqDataclass

        @dataclasses.dataclass
        class Plain:
            size: int = 3

        @dataclasses.dataclass
        class Outer(FairseqDataclass):
            plain: Plain = Plain()  # noqa: RUF009

        assert Outer().plain == Plain(3)

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="Python accepts these defaults")
    def test_other_peoples_classes_are_refused_as_ever(self) -> None:
        @dataclasses.dataclass
        class Plain:
            size: int = 3

        with pytest.raises(ValueError, match="mutable default"):

            @dataclasses.dataclass
            class Outer:
                plain: Plain = Plain()  # noqa: RUF009

        assert Plain.__hash__ is None

    def test_lists_are_refused_as_ever(self) -> None:
        from fairseq.dataclass import FairseqDataclass

        with pytest.raises(ValueError, match="mutable default"):

            @dataclasses.dataclass
            class Outer(FairseqDataclass):
                sizes: list = []  # noqa: RUF008

    def test_nothing_to_mend(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mutable_defaults, "_python_refuses", lambda: False)
        module = SimpleNamespace(dataclass=dataclasses.dataclass)
        assert mutable_defaults.mend(module) is False
        assert module.dataclass is dataclasses.dataclass


class TestNumpyNames:
    def test_masks_without_overlap(self) -> None:
        from fairseq.data.data_utils import compute_mask_indices

        mask = compute_mask_indices((2, 60), None, 0.5, 5, no_overlap=True, min_space=1, require_same_masks=False)
        assert mask.any()

    def test_generators_asked_for_randint(self, tmp_path: Path) -> None:  # B9, in fairseq main
        path = tmp_path / "masks.py"
        path.write_text("import numpy as np\ndef draw(seed):\n    rng = np.random.default_rng(seed)\n")
        path.write_text(path.read_text() + "    return rng.randint(2, 9, size=5), rng.random()\n")
        spec = importlib.util.spec_from_file_location("masks", path)
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        assert numpy_names.mend(module) is True
        rng = np.random.default_rng(3)
        drawn, after = module.draw(3)
        assert drawn.tolist() == rng.integers(2, 9, size=5).tolist()
        assert after == rng.random()
        assert not hasattr(np.random.default_rng(), "randint")

    def test_sentence_blocks(self) -> None:
        from fairseq.data import TokenBlockDataset

        tokens = [torch.arange(3), torch.arange(2)]
        blocks = TokenBlockDataset(tokens, [3, 2], 512, pad=1, eos=2, break_mode="eos")
        assert [len(block) for block in blocks] == [3, 2]

    @pytest.mark.skipif(hasattr(np, "int"), reason="this NumPy still has the name")
    def test_numpy_itself_stays(self) -> None:
        assert not hasattr(np, "int")

    def test_nothing_to_mend(self) -> None:
        old = ModuleType("numpy")
        vars(old).update(int=int, float=float, compat=None)
        module = SimpleNamespace(np=old)
        assert numpy_names.mend(module) is False
        assert module.np is old


class TestCtcSilenceWeight:  # B11
    """What fairseq main writes into its decoder's arguments, in its order."""

    @pytest.mark.parametrize("weight", [-1.5, 0.0])
    def test_the_users_value_stays(self, weight: float) -> None:
        keys = SimpleNamespace(__dataclass_fields__={"wer_sil_weight": None})
        module = SimpleNamespace(CtcCriterionConfig=keys, Namespace=Namespace)
        assert ctc_silence.mend(module) is True
        arguments = module.Namespace()
        arguments.sil_weight = weight
        arguments.unk_weight = -math.inf
        arguments.sil_weight = 0
        assert vars(arguments) == {"sil_weight": weight, "unk_weight": -math.inf}

    def test_reaches_the_decoder(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from fairseq.criterions.ctc import CtcCriterion, CtcCriterionConfig

        if not hasattr(CtcCriterionConfig, "wer_sil_weight"):
            pytest.skip("this fairseq has no such key")
        received = []
        decoders = ModuleType("examples.speech_recognition.w2l_decoder")
        decoders.W2lKenLMDecoder = lambda arguments, dictionary: received.append(arguments)  # type: ignore[attr-defined]
        for name in ("examples", "examples.speech_recognition", decoders.__name__):
            monkeypatch.setitem(sys.modules, name, decoders)
        dictionary = fairseq.data.Dictionary()
        CtcCriterion(
            CtcCriterionConfig(wer_kenlm_model="x.bin", wer_sil_weight=-1.5),
            SimpleNamespace(target_dictionary=dictionary),
        )
        assert received[0].sil_weight == -1.5


def test_encoder_evaluates_after_loading() -> None:
    """torch ≥ 2 raised `Mask Type should be defined` in the fused path."""
    from fairseq.models.transformer.transformer_config import EncDecBaseConfig, TransformerConfig
    from fairseq.modules.transformer_layer import TransformerEncoderLayerBase

    # the encoder that TransformerConfig() comes with is one object for the whole process
    config = TransformerConfig(encoder=EncDecBaseConfig(embed_dim=8, ffn_embed_dim=8, attention_heads=2))
    layer, other = TransformerEncoderLayerBase(config), TransformerEncoderLayerBase(config)
    layer.load_state_dict(other.state_dict())
    padding = torch.tensor([[False, False, True]])
    with torch.no_grad():
        out = layer.eval()(torch.randn(3, 1, 8), padding)
    assert torch.isfinite(out[:2]).all()


@pytest.mark.parametrize(
    ("version", "shown"),
    [("2.1.0a0+29c30b1", "2.1.0"), ("2.6", "2.6.0"), ("2.11.0+cpu", None), ("2.11.0", None)],
)
def test_torch_version_with_letters(version: str, shown: str) -> None:
    from data2vec_compat.patches.encoder import plain_version

    module = SimpleNamespace(torch=ModuleType("torch"))
    module.torch.__version__ = version
    assert plain_version(module) is (shown is not None)
    assert module.torch.__version__ == (shown or version)


def test_proxy_replaces_names_for_one_module_only() -> None:
    proxy = ModuleProxy(np, int=int)
    assert proxy.int is int
    assert proxy.zeros is np.zeros
    assert {"int", "zeros"} <= set(dir(proxy))
