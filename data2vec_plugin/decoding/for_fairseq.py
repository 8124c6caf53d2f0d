"""How ``fairseq-generate`` decodes CTC models: greedily, or by beam search if an option asks for it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List, Optional

from fairseq.data import Dictionary
from fairseq.dataclass.configs import GenerationConfig

from .beam_generator import BatchesAhead, BeamCtcGenerator
from .greedy import GreedyCtcGenerator
from .options import BeamOptions, beam_options, build_decoder
from .processes import DecodingProcesses

OF_TASK = ("lexicon", "lm_model", "word_score", "sil_weight", "beam_threshold", "beam_size_token", "decoding")
"""Options that fairseq-generate does not have, and that ask for beam search."""
PATHS = ("lexicon", "lm_model", "decoding")
OF_GENERATION = ("beam", "nbest", "lm_weight")
"""Options that it has: each asks for beam search if its value is not fairseq's default."""


def is_ctc(model: Any) -> bool:
    """Whether a model outputs one symbol per frame."""
    return hasattr(model, "get_logits")


def check_decodable(models: List[Any]) -> None:
    """Raise ValueError for a model without CTC output or decoder: one that is only pre-trained."""
    for model in models:
        if not is_ctc(model) and not hasattr(model, "decoder"):
            raise ValueError(
                f"`--path` holds a {type(model).__name__}, which has no output symbols; expected a model fine-tuned "
                f"on transcripts, as recipes of task `data2vec_asr` do"
            )


def refuse_ctc_options(task: Any) -> None:
    """Raise ValueError for an option of CTC beam search if the model has a decoder, which would ignore it."""
    for name in OF_TASK:
        if getattr(task, name, None) is not None:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"`{option}` is for CTC models, and `--path` holds one with a decoder: leave it out")


def given_options(task: Any, generation: Any) -> Dict[str, Any]:
    """Options of beam search that were given, by name; a value equal to fairseq's default counts as not given."""
    given: Dict[str, Any] = {}
    for name in OF_TASK:
        value = getattr(task, name, None)
        if value is not None:
            given[name] = Path(value) if name in PATHS else value
    default = GenerationConfig()
    for name in OF_GENERATION:
        value = getattr(generation, name)
        if value != getattr(default, name):
            given[name] = value
    return given


def asked_options(task: Any, generation: Any) -> Optional[BeamOptions]:
    """Options of the requested beam search, or None for greedy decoding.

    Raises ValueError for options that contradict each other or have no effect, such as a language model of weight 0.
    """
    if generation is None:
        return None
    if generation.lm_path is not None:
        raise ValueError(
            f"`--lm-path` {generation.lm_path} is for models with a decoder; for CTC, give an n-gram: `--lm-model`"
        )
    given = given_options(task, generation)
    if not given or given == {"beam": 1}:
        return None
    if "lm_model" in given and not {"lm_weight", "decoding"} & set(given):
        raise ValueError(
            f"`--lm-model` is {given['lm_model']}, but `--lm-weight` is 0 (fairseq-generate's default), so that it "
            f"would have no effect: give a weight, such as 2, or the one that `data2vec lm tune` finds"
        )
    return beam_options(given if "decoding" in given else {"beam": generation.beam, **given})


def ctc_generator(
    task: Any, generation: Any, dictionary: Dictionary, blank: int, batches: Optional[BatchesAhead], closing: ExitStack
) -> Any:
    """The requested generator, whose processes end with ``closing``.

    Raises ValueError for unusable options and files.
    """
    options = asked_options(task, generation)
    if options is None:
        return GreedyCtcGenerator(dictionary, blank)
    decoder = build_decoder(options, dictionary.symbols, blank)
    processes = closing.enter_context(DecodingProcesses(decoder, getattr(task, "decoding_processes", None)))
    return BeamCtcGenerator(dictionary, processes, blank, options.summary(), batches)
