"""The registered speech model: upstream's name, keys, forward arguments and results on our core."""

from typing import Any, Dict, Mapping, Optional, Union

from fairseq.models import register_model
from torch import Tensor

from ..core.masks.mask import Mask
from ..core.masks.masking import batch_generators
from ..data.brought_mask import brought
from ..interop import parts
from ..interop.fairseq import audio_v1
from ..interop.parts import PartsLayout
from ..modalities.audio import audio_data2vec
from ..modalities.conv_spec import output_length
from ._for_fairseq import CheckpointedModel, features_result, if_padded, mask_of_loader
from ._method_keys import AUDIO_KEYS
from .audio_config import Data2VecAudioConfig, audio_config, method_config
from .starting.begun_speech import begin_with


@register_model("data2vec_audio", dataclass=Data2VecAudioConfig)
class Data2VecAudioModel(CheckpointedModel):
    """data2vec on speech for fairseq: pre-training, and the encoder of ``wav2vec_ctc`` in fine-tuning."""

    keys = AUDIO_KEYS
    layout = PartsLayout(audio_v1, parts.AUDIO)

    def __init__(self, cfg: Data2VecAudioConfig) -> None:
        audio = audio_config(cfg)
        super().__init__(audio_data2vec(method_config(cfg), audio))
        self.audio = audio
        self.cfg = cfg

    @classmethod
    def build_model(cls, cfg: Data2VecAudioConfig, task: Any = None) -> "Data2VecAudioModel":
        """fairseq's entry point; the task adds nothing to the model."""
        return cls(cfg)

    def forward(  # type: ignore[override]
        self,
        source: Tensor,
        padding_mask: Optional[Tensor] = None,
        mask: Union[bool, Mapping[str, Tensor]] = True,
        features_only: bool = False,
        layer: Optional[int] = None,
        mask_indices: Optional[Tensor] = None,
        mask_channel_indices: Optional[Tensor] = None,
        padding_count: Optional[int] = None,
        mask_positions: Optional[Tensor] = None,
    ) -> Dict[str, Any]:
        """One step of pre-training, or features.

        ``source`` (B, samples); ``padding_mask`` (B, samples), True where padded; ``mask`` says whether to mask, or is
        a complete mask as drawn by this plugin's loader (:meth:`Mask.as_dict`). Alternatively, ``mask_indices`` (B, T)
        bool and ``mask_channel_indices`` (B, C) or (B, T, C) bool each replace the mask that would be drawn;
        ``mask_positions`` (N,) are the flat indices of ``mask_indices``, which avoid a device synchronisation.
        ``layer`` stops after that layer (0-based). ``padding_count`` is upstream's and not used. Raises ValueError
        for ``mask=False`` without ``features_only``: pre-training regresses what is masked.
        """
        if not (mask or features_only):
            raise ValueError("`mask` is False, but pre-training regresses masked frames: add `features_only=True`")
        padding_mask = None if padding_mask is None else if_padded(padding_mask)
        given = mask_of_loader(mask, mask_indices, mask_positions, mask_channel_indices)
        if mask and given is None and mask_indices is None and mask_channel_indices is not None:
            mask_indices = self._drawn_frames(source, padding_mask)
        if mask_indices is not None:
            given = self._given_mask(mask_indices, mask_positions, mask_channel_indices)
        if features_only:
            return self.features(source, padding_mask, bool(mask), given, layer)
        return self.pretrained(source, padding_mask, given)

    def _drawn_frames(self, source: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """Draw a time mask (B, T) bool to go with the caller's masked channels, as upstream does."""
        batch, samples = source.shape
        lengths = [samples] * batch if padding_mask is None else (~padding_mask).sum(1).tolist()
        sizes = [max(output_length(length, self.audio.conv_layers), 1) for length in lengths]
        width = output_length(samples, self.audio.conv_layers)
        return self.method.masks.masker.draw(sizes, batch_generators(batch), width=width).indices.to(source.device)

    def _given_mask(self, indices: Tensor, positions: Optional[Tensor], channels: Optional[Tensor]) -> Mask:
        """The caller's time mask, with channels drawn where they are configured and not given."""
        if channels is None:
            drawn = self.method.masks.drawn_channels(len(indices))
            channels = None if drawn is None else drawn.to(indices.device, non_blocking=True)
        return Mask.given(indices, positions, channels)

    def features(
        self,
        source: Tensor,
        padding_mask: Optional[Tensor],
        masked: bool,
        mask: Optional[Mask],
        layer: Optional[int],
    ) -> Dict[str, Any]:
        """``x`` (B, T, C), ``padding_mask`` (B, T) or None, ``layer_results``; masked only if ``masked``."""
        tokens = self.encoder.embed(source, padding_mask)
        if masked and mask is None:
            mask = self.method.masks.drawn(tokens)
        seen = self.encoder.view(tokens, mask if masked else None)
        encoded = self.encoder.encode(seen, record=("block", "ffn"), last=layer)
        return features_result(encoded, tokens.padding_mask)

    def extract_features(
        self,
        source: Tensor,
        padding_mask: Optional[Tensor] = None,
        mask: bool = False,
        layer: Optional[int] = None,
        **kwargs: Any,
    ) -> Dict[str, Any]:
        """Called by ``wav2vec_ctc``; see :meth:`features`."""
        return self.forward(source, padding_mask, mask=brought(mask), features_only=True, layer=layer, **kwargs)

    def begin_with(self, path: str, checkpoint: Dict[str, Any], anew: bool) -> None:
        """Called before the trainer loads a checkpoint: a new run may start from wav2vec 2.0 or HuBERT."""
        begin_with(path, checkpoint, anew, self.cfg, self.state_dict())
