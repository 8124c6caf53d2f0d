"""Fine-tuning and decoding for speech recognition: fairseq's `audio_finetuning` with checks and a CTC generator."""

import logging
import os
from pathlib import Path
from typing import Any, Dict, List, Optional

from fairseq.data import AddTargetDataset, Dictionary
from fairseq.data.text_compressor import TextCompressor
from fairseq.tasks import register_task
from fairseq.tasks.audio_finetuning import AudioFinetuningTask, LabelEncoder, label_len_fn

from ..checkpoints.saved_dictionary import check_same_symbols, saved_dictionary, where_they_differ
from ..checkpoints.saved_file import read_checkpoint
from ..config_keys import errors_by_key, span_keys
from ..core.config import MOST_MASKED, SpanMaskConfig
from ..data.audio.clips import CheckedAudioDataset, LoaderMasks, MaskedAudioDataset
from ..data.audio.unlabelled import UnlabelledClips
from ..data.sample_seeds import BY_MODEL, SampleSeeds
from ..data.text.dictionary_file import load_dictionary
from ..decoding.beam_generator import GenerationBatches
from ..decoding.for_fairseq import check_decodable, ctc_generator, is_ctc, refuse_ctc_options
from ..files.text.transcripts import check_symbols, read_labels
from ..host.examining.before_runs import before_decoding, trained_on
from ..host.generation import Generation, current_generation
from ..interop.identify import MULTI, as_mapping, identify
from ..modalities.conv_spec import receptive_field
from .audio_config import AsrTaskConfig, refuse_unsupported
from .data2vec_audio_pretraining import text_compression
from .speech import SpeechTask, loader_masks, speech_models

logger = logging.getLogger(__name__)

SAVED = "target_dictionary"
"""The entry of a checkpoint's `task_state` that holds the dictionary."""
SPEECH_MODELS = ("data2vec_audio", "wav2vec2", "hubert")
"""Models from which fairseq's recognition models can start."""


def pretrained_fault(model_cfg: Any) -> str:
    """Return why a model cannot start from its checkpoint; empty if it can, or if it has none."""
    path = getattr(model_cfg, "w2v_path", None)
    if not path:
        return ""
    try:
        found = identify(read_checkpoint(path))
    except ValueError as error:
        return str(error)
    if found.model in SPEECH_MODELS or (found.model == MULTI and "speech" in found.modalities):
        return ""
    return found.message(f"recognition starts from {', '.join(SPEECH_MODELS)}, or from {MULTI} for speech")


def check_masks(model_cfg: Any) -> None:
    """Raise ValueError if the masks of fine-tuning would hide almost all frames or channels."""
    if not getattr(model_cfg, "apply_mask", False):
        return
    for kind in ("mask", "mask_channel"):
        prob, length = f"{kind}_prob", f"{kind}_length"
        share = getattr(model_cfg, prob, None) or 0  # omegaconf 2.0 returns None for a missing key
        if share > 0:
            apart = bool(getattr(model_cfg, f"no_{kind}_overlap", False))
            with errors_by_key(span_keys(kind)):
                mask = SpanMaskConfig(share, getattr(model_cfg, length, None) or 10, no_overlap=apart)
            check_visible(mask, prob, length)


def check_visible(mask: SpanMaskConfig, prob: str, length: str) -> None:
    """Raise ValueError, which names the keys, for masks that leave almost nothing to recognise."""
    share = mask.expected_share()
    if share > MOST_MASKED:
        raise ValueError(
            f"`model.{prob}` {mask.prob} with `model.{length}` {mask.length} hides {100 * share:.3g} % of the input "
            f"(`model.apply_mask`); expected at most {100 * MOST_MASKED:g} %, because words are recognised from the "
            f"rest: lower `model.{prob}`"
        )


@register_task("data2vec_asr", dataclass=AsrTaskConfig)
class Data2VecAsrTask(SpeechTask, AudioFinetuningTask):
    """Clips with transcripts; ``fairseq-generate`` decodes CTC models with our decoders, others with its own."""

    cfg: AsrTaskConfig
    # clips are never cropped: their words would be lost
    memory_knobs = "lower `dataset.max_tokens` (and raise `optimization.update_freq` to keep the batch)"

    def __init__(self, cfg: AsrTaskConfig) -> None:
        super().__init__(cfg)
        refuse_unsupported(cfg, "audio_finetuning")
        self.shortest_clip = 0
        self.masks: Optional[LoaderMasks] = None
        self.seeds = SampleSeeds(cfg.seed, of_before=BY_MODEL)
        self._of_checkpoint = False  # whether the dictionary is a checkpoint's
        self._generated: Optional[GenerationBatches] = None
        self._training: Optional[Path] = None

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model, and read the shortest possible clip and the masks from it.

        Raises ValueError if ``model.w2v_path`` is not a checkpoint of a speech model, or masks hide almost everything.
        """
        if not from_checkpoint:
            check_masks(model_cfg)
        try:
            model = super().build_model(model_cfg, from_checkpoint)
        except Exception as error:
            reason = pretrained_fault(model_cfg)
            if not reason:
                raise
            raise ValueError(f"`model.w2v_path` is {model_cfg.w2v_path}: {reason}") from error
        encoders = speech_models(model)
        self.shortest_clip = max((receptive_field(encoder.audio.conv_layers) for encoder in encoders), default=0)
        if encoders and getattr(model_cfg, "apply_mask", False) and not from_checkpoint:
            self.masks = loader_masks(encoders[0])
        return model

    def load_target_dictionary(self) -> Optional[Dictionary]:
        """Load the label dictionary, which fairseq also saves in checkpoints; raises ValueError if it is missing."""
        path = self._dictionary_path()
        if not os.path.isfile(path):
            raise ValueError(
                f"dictionary {path} does not exist; create it with `data2vec labels`, or set `task.labels` (`--labels`)"
            )
        return load_dictionary(Path(path))

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Use the dictionary of a checkpoint that is loaded to decode or to validate, since it names the model's rows.

        `fairseq-generate` gets the folder's dictionary before it reads the checkpoint, and keeps using this object, so
        its content is replaced. Raises ValueError if the dictionaries of an ensemble differ.
        """
        saved = state_dict.get(SAVED)
        if isinstance(saved, Dictionary):
            given = self.state.state_dict.get(SAVED)
            if self._of_checkpoint and where_they_differ(saved, given) is not None:
                raise ValueError(
                    "the checkpoints of `--path` were trained with different dictionaries: decode them separately"
                )
            if isinstance(given, Dictionary) and given is not saved:
                vars(given).update(vars(saved))
                state_dict = {**state_dict, SAVED: given}
            self._of_checkpoint = True
        super().load_state_dict(state_dict)

    def _tell_another_dictionary(self) -> None:
        """Warn if the folder's dictionary differs from the checkpoint's, which is used."""
        path = self._dictionary_path()
        if not self._of_checkpoint or not os.path.isfile(path):
            return
        difference = where_they_differ(self.target_dictionary, load_dictionary(Path(path)))
        if difference is not None:
            line, got, expected = difference
            logger.warning(
                f"{path}, line {line}: symbol is {got}, but the checkpoint's dictionary has {expected}; labels are "
                "encoded and decoded with the checkpoint's dictionary: create them with `data2vec labels --dict "
                "FILE`, where FILE is the dictionary of its training"
            )

    def check_checkpoint(self, path: str) -> None:
        """Raise ValueError if a checkpoint's output layer was trained with other symbols than this dictionary's."""
        saved = saved_dictionary(path)
        if saved is not None:
            check_same_symbols(saved, path, self.target_dictionary, self._dictionary_path())

    def _dictionary_path(self) -> str:
        return self.cfg.target_dictionary or os.path.join(self.cfg.data, f"dict.{self.cfg.labels}.txt")

    def load_dataset(self, split: str, task_cfg: Any = None, **kwargs: Any) -> None:
        """Read SPLIT.tsv and SPLIT.LABELS; raises ValueError, with file and line, if they do not fit together.

        ``task_cfg`` is the configuration of a checkpoint's own task, which decides whether clips are normalised.
        """
        cfg = task_cfg or self.cfg
        if task_cfg is not None:
            self._training = trained_on(task_cfg)
        manifest = os.path.join(self.cfg.data, f"{split}.tsv")
        options = {
            "sample_rate": as_mapping(cfg).get("sample_rate", self.cfg.sample_rate),
            "shortest": self.shortest_clip,
            "bad_limit": self.cfg.bad_audio_limit,
            "max_sample_size": self.cfg.max_sample_size,
            "min_sample_size": self.cfg.min_sample_size,
            "normalize": cfg.normalize,
            "text_compression_level": text_compression(self.cfg.text_compression_level),
        }
        if self.masks is not None and split == self.cfg.train_split:
            audio: CheckedAudioDataset = MaskedAudioDataset(manifest, self.seeds, self.masks, **options)
        else:
            audio = CheckedAudioDataset(manifest, pad=True, **options)
        audio.bad_files.report_at_exit()
        self.datasets[split] = self._with_labels(audio, split)

    def _with_labels(self, audio: CheckedAudioDataset, split: str) -> Any:
        path = Path(self.cfg.data) / f"{split}.{self.cfg.labels}"
        generation = current_generation()
        if generation is not None and not path.exists():
            logger.warning(f"{path} does not exist: clips are decoded without T- lines and error rates")
            generation.unlabelled = True
            return UnlabelledClips(audio)
        labels = read_labels(path, audio.manifest, audio.entries)
        dictionary = self.target_dictionary
        self._tell_another_dictionary()
        source = "the checkpoint's dictionary" if self._of_checkpoint else f"the dictionary {self._dictionary_path()}"
        check_symbols(labels, set(dictionary.symbols), path, source)
        level = text_compression(self.cfg.text_compression_level)
        compress = TextCompressor(level=level).compress
        kept = [compress(label) for i, label in enumerate(labels) if i not in audio.skipped_indices]
        return AddTargetDataset(
            audio,
            kept,
            pad=dictionary.pad(),
            eos=dictionary.eos(),
            batch_targets=True,
            process_label=LabelEncoder(dictionary),
            label_len_fn=label_len_fn,
            add_to_input=self.cfg.autoregressive,
            text_compression_level=level,
        )

    def get_batch_iterator(self, *args: Any, **kwargs: Any) -> Any:
        """The checked iterator of :class:`SpeechTask`; in ``fairseq-generate`` a generator may look ahead in it."""
        iterator = super().get_batch_iterator(*args, **kwargs)
        if current_generation() is None:
            return iterator
        self._generated = GenerationBatches(iterator)
        return self._generated

    def build_generator(self, models: List[Any], args: Any, **kwargs: Any) -> Any:
        """Return a CTC generator if the models are CTC models, else fairseq's own.

        Raises ValueError for models that are pre-trained only, and for options that do not apply.
        """
        check_decodable(models)
        before_decoding(self, models, self._training)
        if all(is_ctc(model) for model in models):
            return self._ctc_generator(args)
        refuse_ctc_options(self.cfg)
        return super().build_generator(models, args, **kwargs)

    def _ctc_generator(self, args: Any) -> Any:
        blank = self.target_dictionary.index(self.blank_symbol)
        batches = self._generated.batches if self._generated is not None else None
        generation = current_generation() or Generation()
        generator = ctc_generator(self.cfg, args, self.target_dictionary, blank, batches, generation.closing)
        generation.description = generator.summary
        logger.info(f"decoding: {generator.summary}")
        return generator
