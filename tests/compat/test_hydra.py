"""Old arguments become a configuration, also where they hold those of a pre-training."""

from argparse import Namespace

import pytest

utils = pytest.importorskip("fairseq.dataclass.utils")

FLAT = {"arch": "wav2vec2", "task": "audio_pretraining", "data": "gone", "encoder_layers": 2, "normalize": True}


def test_flat_arguments_go_fairseqs_own_way() -> None:
    cfg = utils.convert_namespace_to_omegaconf(Namespace(**FLAT))
    assert (cfg.model._name, cfg.model.encoder_layers, cfg.task.normalize) == ("wav2vec2", 2, True)
    assert cfg.model.encoder_embed_dim == 768  # hydra fills in what is not there


def test_arguments_within_arguments() -> None:
    args = Namespace(
        arch="wav2vec_ctc", task="audio_finetuning", data="gone", apply_mask=True, w2v_args=Namespace(**FLAT)
    )
    cfg = utils.convert_namespace_to_omegaconf(args)
    assert (cfg.model._name, cfg.model.apply_mask, cfg.task._name) == ("wav2vec_ctc", True, "audio_finetuning")
    assert (cfg.model.w2v_args.model.encoder_layers, cfg.model.w2v_args.task.normalize) == (2, True)
    assert args.w2v_args.arch == "wav2vec2"  # as it was
