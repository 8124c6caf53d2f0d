"""Puts our models, tasks, criterions and scorers into fairseq's registries, once, and checks that they are ours."""

from importlib import import_module

from .compat import load
from .config_keys import explain_unknown_keys

MODULES = (
    "models.data2vec_audio",
    "models.data2vec_text",
    "models.data2vec_text_classification",
    "models.data2vec_vision",
    "tasks.data2vec_audio_pretraining",
    "tasks.data2vec_asr",
    "tasks.data2vec_masked_lm",
    "tasks.image_pretraining",
    "tasks.image_classification",
    "criterions.data2vec",
    "criterions.data2vec_sentence_prediction",
    "scoring.data2vec_asr",
)


def watch() -> None:
    """Let fairseq's trainer say what it is going to do, once it is imported."""
    from fairseq import trainer

    from .watch.trainer import watch_trainer

    watch_trainer(trainer)


def register_all() -> None:
    """Import everything that registers itself; harmless when done twice.

    Raises RuntimeError if fairseq holds another package's class under one of our names: fairseq `main`
    keeps the first one silently, and what ran would then not be ours.
    """
    explain_unknown_keys()
    load().after_import("fairseq.trainer", watch)
    for name in MODULES:
        import_module(f"{__package__}.{name}")
    from fairseq.criterions import CRITERION_REGISTRY
    from fairseq.models import MODEL_REGISTRY
    from fairseq.tasks import TASK_REGISTRY

    for kind, registry, names in (
        (
            "model",
            MODEL_REGISTRY,
            ("data2vec_audio", "data2vec_text", "data2vec_text_classification", "data2vec_vision"),
        ),
        ("task", TASK_REGISTRY, ("data2vec_audio_pretraining", "data2vec_asr", "data2vec_masked_lm")),
        ("task", TASK_REGISTRY, ("image_pretraining", "image_classification")),
        ("criterion", CRITERION_REGISTRY, ("data2vec", "data2vec_sentence_prediction")),
    ):
        for name in names:
            module = registry[name].__module__
            if not module.startswith(f"{__package__}."):
                raise RuntimeError(
                    f"the {kind} `{name}` in fairseq's registry comes from {module}, not from {__package__}; "
                    f"remove the other plugin from `common.user_dir` or from the Python path"
                )
