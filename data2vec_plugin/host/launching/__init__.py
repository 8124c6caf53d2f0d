"""What must be there before fairseq imports the plugin: `fairseq-hydra-train` composes first, and then looks at
`common.user_dir`.

`data2vec_compat` loads this package by its place, without the packages around it, and arms what is listed here, also
with `DATA2VEC_COMPAT=0`. So its modules import the standard library only, and one another by `from .x import y`;
`from . import x` would import the plugin. All of it acts on configurations of ours alone (`ours.py`), and on what only
data2vec has.
"""

from typing import NamedTuple, Tuple


class Feature(NamedTuple):
    """One extension of one module of the hosts', made when that has been imported."""

    name: str
    module: str
    why: str
    place: str
    """`module:function` of this package; it takes the host's module, and says whether there was something to do."""


HYDRA = "hydra._internal.config_loader_impl"
OPTIONS = "our messages name configuration keys, which a command that takes options does not know"

FEATURES: Tuple[Feature, ...] = (
    Feature(
        "recipe batch",
        "omegaconf",
        "recipes fit update_freq to the GPUs that are there: resolvers known before hydra composes",
        "recipe_batch:register",
    ),
    Feature(
        "override errors",
        HYDRA,
        "a misspelt key of a recipe is told what was meant, not to put a + in front",
        "override_errors:say_what_was_meant",
    ),
    Feature(
        "override quotes",
        HYDRA,
        "a path with an accent ends in `LexerNoViableAltException`, without a word of quotes",
        "override_errors:advise_quotes",
    ),
    Feature(
        "main's keys",
        HYDRA,
        "recipes of data2vec 2.0 say `optimization.debug_param_names`, which the release refuses",
        "upstream:compose_without",
    ),
    Feature(
        "save folders of a sweep",
        "hydra.plugins.sweeper",
        "jobs of a sweep with one save folder go on from each other's checkpoints, or write over them",
        "sweep_folders:keep_apart",
    ),
    Feature(
        "recipe machine",
        "fairseq_cli.hydra_train",
        "a recipe for 16 GPUs and fp16 ends in an assertion, or in CUDA's error, where there are fewer or none",
        "takeover:look_first",
    ),
    Feature(
        "user_dir",
        "fairseq.utils",
        "a package name as user_dir; the plugin installed and as a checkout at once",
        "user_dir:take_package_names",
    ),
    Feature(
        "logs between jobs",
        "fairseq_cli.train",
        "curves, log lines and the best score of a sweep's first job reach into later ones; a TensorBoard folder that "
        "cannot be written ends the run at its first log, in an error that names no field",
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
        "a save folder that cannot be written ends in an error that names no field",
        "writable_folders:name_the_field",
    ),
    Feature(
        "checkpoints in Python",
        "fairseq.checkpoint_utils",
        "a checkpoint of ours ends in `Could not infer task type` where nobody has imported the plugin",
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
        "fairseq main writes 0 over criterion.wer_sil_weight",
        "upstream:keep_the_silence_weight",
    ),
)
