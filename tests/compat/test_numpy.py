"""Names that NumPy has removed, and one that it never had."""

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from data2vec_compat.patches.numpy import fix

pytest.importorskip("fairseq")


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
        assert fix(module) is True
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
        assert fix(module) is False
        assert module.np is old
