"""Puts our models, tasks, criterions and scorers into fairseq's registries, once, and checks that they are ours."""

from importlib import import_module
from typing import Any, Dict

from .host.extensions import extend_fairseq
from .host.launching.upstream import add_upstream_keys
from .host.watching.console import quiet_console

REGISTERED = {
    "models": (
        "data2vec_audio",
        "data2vec_text",
        "data2vec_text_classification",
        "data2vec_vision",
        "data2vec_image_classification",
        "multi.data2vec_multi",
        "multi.mae_image_classification",
        "mtag",
        "meme_classifier",
    ),
    "tasks": (
        "data2vec_audio_pretraining",
        "data2vec_asr",
        "data2vec_masked_lm",
        "image_pretraining",
        "image_classification",
        "multi.mae_image_pretraining",
        "multi.multimodal_pretraining",
        "multi.mae_image_classification",
        "unaligned_multimodal",
        "meme_classification",
    ),
    "criterions": (
        "data2vec",
        "data2vec_sentence_prediction",
        "data2vec_image_classification",
        "multimodal_regression",
        "multimodal_emotion",
        "meme_score",
    ),
    "scoring": ("data2vec_asr",),
}
"""Folder → what is registered out of it, each by the module of its name, which may lie deeper."""


def register_all() -> None:
    """Extend fairseq, and import everything that registers itself; harmless when done twice.

    Raises RuntimeError if fairseq holds another package's class under one of our names: fairseq `main`
    keeps the first one silently, and what ran would then not be ours.
    """
    extend_fairseq()
    quiet_console()
    add_upstream_keys()
    for folder, names in REGISTERED.items():
        for name in names:
            import_module(f"{__package__}.{folder}.{name}")
    for folder, registry in registries().items():
        for name in (path.rpartition(".")[2] for path in REGISTERED[folder]):
            module = registry[name].__module__
            if not module.startswith(f"{__package__}."):
                raise RuntimeError(
                    f"the {folder.rstrip('s')} `{name}` in fairseq's registry comes from {module}, not from "
                    f"{__package__}; remove the other plugin from `common.user_dir` or from the Python path"
                )


def registries() -> Dict[str, Any]:
    """fairseq's registries by our folders."""
    from fairseq.criterions import CRITERION_REGISTRY
    from fairseq.models import MODEL_REGISTRY
    from fairseq.scoring import SCORER_REGISTRY
    from fairseq.tasks import TASK_REGISTRY

    return {
        "models": MODEL_REGISTRY,
        "tasks": TASK_REGISTRY,
        "criterions": CRITERION_REGISTRY,
        "scoring": SCORER_REGISTRY,
    }
