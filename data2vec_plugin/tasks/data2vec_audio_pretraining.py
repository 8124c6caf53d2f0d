"""Pre-training on speech: fairseq's `audio_pretraining` with reproducible crops and masks, and checks."""

import os
from typing import Any, Optional

from fairseq.tasks import register_task
from fairseq.tasks.audio_pretraining import AudioPretrainingTask

from ..config_keys import FRAME_KEYS, errors_by_key
from ..data.audio.clips import LoaderMasks, SeededAudioDataset
from ..data.sample_seeds import SampleSeeds
from ..interop.identify import as_mapping
from .audio_config import AudioTaskConfig, refuse_unsupported
from .multi.masks import check_trains
from .speech import SpeechTask, is_speech, loader_masks, visible_masks


@register_task("data2vec_audio_pretraining", dataclass=AudioTaskConfig)
class Data2VecAudioPretrainingTask(SpeechTask, AudioPretrainingTask):
    """Draws crops and masks in the loader from (seed, epoch, sample id), for our models of speech."""

    cfg: AudioTaskConfig
    section = "task"
    """Key of this task's configuration, for messages."""

    def __init__(self, cfg: AudioTaskConfig) -> None:
        super().__init__(cfg)
        refuse_unsupported(cfg, "audio_pretraining")
        self.masks: Optional[LoaderMasks] = None
        self.seeds = SampleSeeds(cfg.seed)

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model, and read the settings of masks from it.

        Raises ValueError for settings that cannot pre-train, unless the model is loaded from a checkpoint.
        """
        model = super().build_model(model_cfg, from_checkpoint)
        if is_speech(model) and not from_checkpoint:
            with errors_by_key({**model.keys, **FRAME_KEYS}):
                model.config.check_pretraining()
        if is_speech(model) and model.config.mask.prob > 0:
            self.masks = loader_masks(model)
        return self.learn_masks(model, check=not from_checkpoint)

    def learn_masks(self, model: Any, check: bool) -> Any:
        """Read the masks of a data2vec 2.0 model; raises ValueError for settings that cannot train, if ``check``."""
        if check:
            check_trains(model, "AUDIO")
        settings, key = self.cfg.precompute_mask_config, f"{self.section}.precompute_mask_config"
        self.masks = visible_masks(model, self.seeds, settings, key) or self.masks
        return model

    def load_dataset(self, split: str, task_cfg: Any = None, **kwargs: Any) -> None:
        """Read SPLIT.tsv; raises ValueError for a manifest that cannot be trained on."""
        cfg = task_cfg or self.cfg
        dataset = SeededAudioDataset(
            os.path.join(self.cfg.data, f"{split}.tsv"),
            sample_rate=as_mapping(cfg).get("sample_rate", self.cfg.sample_rate),
            seeds=self.seeds,
            masks=self.masks,
            bad_limit=self.cfg.bad_audio_limit,
            max_sample_size=self.cfg.max_sample_size,
            min_sample_size=self.cfg.min_sample_size,
            pad=cfg.enable_padding,
            normalize=cfg.normalize,
            text_compression_level=text_compression(self.cfg.text_compression_level),
        )
        dataset.bad_files.report_at_exit()
        self.datasets[split] = dataset


def text_compression(name: str) -> Any:
    """Return fairseq's compression level by its name."""
    from fairseq.data.text_compressor import TextCompressionLevel

    return TextCompressionLevel[str(name)]
