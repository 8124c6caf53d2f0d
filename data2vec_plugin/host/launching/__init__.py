"""Code that must be active before fairseq imports the plugin: `fairseq-hydra-train` composes first, and then reads
`common.user_dir`.

`data2vec_compat` loads this package by its path, without its parent packages, and activates the patches listed here,
also with `DATA2VEC_COMPAT=0`. So its modules import only the standard library, and each other with `from .x import y`;
`from . import x` would import the plugin. All patches act only on data2vec configurations (`ours.py`), and on features
that only data2vec has.
"""

from typing import NamedTuple, Tuple


class Feature(NamedTuple):
    """An extension of a module of fairseq, hydra or omegaconf, applied when that has been imported."""

    name: str
    module: str
    why: str
    place: str
    """`module:function` of this package; it receives the extended module, and returns whether it changed anything."""


HYDRA = "hydra._internal.config_loader_impl"
OPTIONS = "the plugin's messages name configuration keys, which commands with options do not have"

FEATURES: Tuple[Feature, ...] = (
    Feature(
        "recipe batch",
        "omegaconf",
        "recipes adapt update_freq to the available GPUs: their resolvers must exist before hydra composes",
        "recipe_batch:register",
    ),
    Feature(
        "override errors",
        HYDRA,
        "for a misspelt key of a recipe, similar keys are suggested, not a + in front",
        "override_errors:say_what_was_meant",
    ),
    Feature(
        "override quotes",
        HYDRA,
        "a path with an accent raises `LexerNoViableAltException`, which does not mention quotes",
        "override_errors:advise_quotes",
    ),
    Feature(
        "main's keys",
        HYDRA,
        "data2vec 2.0 recipes set `optimization.debug_param_names`, which the release refuses",
        "upstream:compose_without",
    ),
    Feature(
        "save folders of a sweep",
        "hydra.plugins.sweeper",
        "jobs of a sweep with one save folder resume from each other's checkpoints, or overwrite them",
        "sweep_folders:keep_apart",
    ),
    Feature(
        "recipe machine",
        "fairseq_cli.hydra_train",
        "a recipe for 16 GPUs and fp16 fails with an assertion or a CUDA error if there are fewer or none",
        "takeover:look_first",
    ),
    Feature(
        "user_dir",
        "fairseq.utils",
        "a package name as user_dir; the plugin both installed and as a checkout",
        "user_dir:take_package_names",
    ),
    Feature(
        "logs between jobs",
        "fairseq_cli.train",
        "curves, log lines and the best score of a sweep's first job reach into later ones; a TensorBoard folder "
        "that cannot be written fails the run at its first log, with an error that names no key",
        "training:surround",
    ),
    Feature(
        "options of fairseq-generate",
        "fairseq_cli.generate",
        OPTIONS,
        "option_names:name_options",
    ),
    Feature(
        "options of fairseq-validate",
        "fairseq_cli.validate",
        OPTIONS,
        "option_names:name_options",
    ),
    Feature(
        "save folder",
        "fairseq.checkpoint_utils",
        "a save folder that cannot be written raises an error that names no key",
        "writable_folders:name_the_field",
    ),
    Feature(
        "checkpoints in Python",
        "fairseq.checkpoint_utils",
        "loading a data2vec checkpoint raises `Could not infer task type` if the plugin has not been imported",
        "python_loading:import_for_checkpoints",
    ),
    Feature(
        "data2vec without teacher",
        "fairseq.models.roberta.model",
        "roberta refuses a data2vec checkpoint that was saved without its teacher: `Missing key(s): encoder.lm_head…`",
        "upstream:know_it_by_its_head",
    ),
    Feature(
        "CTC silence weight",
        "fairseq.criterions.ctc",
        "fairseq main overwrites criterion.wer_sil_weight with 0",
        "upstream:keep_the_silence_weight",
    ),
)
