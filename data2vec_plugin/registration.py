"""Puts our models, tasks, criterions and scorers into fairseq's registries, once, and checks that they are ours."""

from importlib import import_module

from .compat import load
from .config_keys import explain_unknown_keys

MODULES = (
    "models.data2vec_audio",
    "models.data2vec_text",
    "models.data2vec_text_classification",
    "models.data2vec_vision",
    "models.data2vec_image_classification",
    "tasks.data2vec_audio_pretraining",
    "tasks.data2vec_asr",
    "tasks.data2vec_masked_lm",
    "tasks.image_pretraining",
    "tasks.image_classification",
    "criterions.data2vec",
    "criterions.data2vec_sentence_prediction",
    "criterions.data2vec_image_classification",
    "scoring.data2vec_asr",
)

NAMES = {
    "model": (
        "data2vec_audio",
        "data2vec_text",
        "data2vec_text_classification",
        "data2vec_vision",
        "data2vec_image_classification",
    ),
    "task": (
        "data2vec_audio_pretraining",
        "data2vec_asr",
        "data2vec_masked_lm",
        "image_pretraining",
        "image_classification",
    ),
    "criterion": ("data2vec", "data2vec_sentence_prediction", "data2vec_image_classification"),
}
"""What must be ours in fairseq's registries."""


def wrap_trainer() -> None:
    """Let fairseq's trainer go on from others' checkpoints, say what it does, and follow a model's update rules."""
    from fairseq import checkpoint_utils, trainer

    from .host.checkpoints.adapted import adapt_checkpoints
    from .host.optimizer import group_parameters
    from .host.trainer import watch_trainer

    adapt_checkpoints(trainer, checkpoint_utils)
    watch_trainer(trainer)
    group_parameters(trainer)


def wrap_loading() -> None:
    """Let fairseq's commands evaluate averaged weights where training did, and say what it is that they cannot load."""
    from fairseq import checkpoint_utils

    from .host.checkpoints.averaged_weights import evaluate_average
    from .host.checkpoints.explained_models import explain_models

    evaluate_average(checkpoint_utils)
    explain_models(checkpoint_utils)


def wrap_training() -> None:
    """Let a training that stops by itself save what it has computed."""
    from fairseq_cli import train

    from .host.watching.stop import save_when_stopped

    save_when_stopped(train)


def wrap_fine_tuning() -> None:
    """Let fairseq's speech models say where a recipe contradicts the checkpoint, once they are imported."""
    from fairseq.models.wav2vec import wav2vec2_asr

    from .host.checkpoints.contradictions import name_contradictions

    name_contradictions(wav2vec2_asr)


def register_all() -> None:
    """Import everything that registers itself; harmless when done twice.

    Raises RuntimeError if fairseq holds another package's class under one of our names: fairseq `main`
    keeps the first one silently, and what ran would then not be ours.
    """
    explain_unknown_keys()
    load().after_import("fairseq.trainer", wrap_trainer)
    load().after_import("fairseq.checkpoint_utils", wrap_loading)
    load().after_import("fairseq_cli.train", wrap_training)
    load().after_import("fairseq.models.wav2vec.wav2vec2_asr", wrap_fine_tuning)
    for name in MODULES:
        import_module(f"{__package__}.{name}")
    from fairseq.criterions import CRITERION_REGISTRY
    from fairseq.models import MODEL_REGISTRY
    from fairseq.tasks import TASK_REGISTRY

    for kind, registry in (("model", MODEL_REGISTRY), ("task", TASK_REGISTRY), ("criterion", CRITERION_REGISTRY)):
        for name in NAMES[kind]:
            module = registry[name].__module__
            if not module.startswith(f"{__package__}."):
                raise RuntimeError(
                    f"the {kind} `{name}` in fairseq's registry comes from {module}, not from {__package__}; "
                    f"remove the other plugin from `common.user_dir` or from the Python path"
                )
