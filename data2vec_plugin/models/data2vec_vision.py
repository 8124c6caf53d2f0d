"""The registered image model: upstream's name, keys, forward arguments and results on our core."""

from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Union

from fairseq.models import register_model
from torch import Tensor

from ..core.masks.mask import Mask
from ..core.outputs import EncoderOutput
from ..core.update_rules import UpdateRule, update_rules
from ..interop import parts
from ..interop.fairseq import vision_v1
from ..interop.parts import PartsLayout
from ..modalities.image import image_data2vec
from ._for_fairseq import CheckpointedModel, UnmaskedEncoder, mask_of_loader
from ._method_keys import IMAGE_KEYS
from .vision_config import Data2VecVisionConfig, image_config, method_config

BELOW_THE_BLOCKS = ("method.encoder.embedder.", "method.encoder.extra_tokens")
NEVER_DECAYED = ("extra_tokens", "mask_emb", "table")
"""Learned tokens and tables of relative positions, which are not matrices of linear layers."""


@register_model("data2vec_vision", dataclass=Data2VecVisionConfig)
class Data2VecVisionModel(CheckpointedModel):
    """data2vec on images for fairseq: pre-training, and the encoder of an image classifier."""

    keys = IMAGE_KEYS
    layout = PartsLayout(vision_v1, parts.IMAGE)
    fine_tuned = UnmaskedEncoder

    def __init__(self, cfg: Data2VecVisionConfig) -> None:
        image = image_config(cfg)
        super().__init__(image_data2vec(method_config(cfg), image))
        self.image = image
        self.cfg = cfg

    @classmethod
    def build_model(cls, cfg: Data2VecVisionConfig, task: Any = None) -> "Data2VecVisionModel":
        """fairseq's entry point; the task adds nothing to the model."""
        return cls(cfg)

    def forward(  # type: ignore[override]
        self,
        img: Tensor,
        mask: Union[bool, Tensor, Mapping[str, Tensor]] = True,
        layer_results: bool = False,
        mask_positions: Optional[Tensor] = None,
    ) -> Dict[str, Any]:
        """One step of pre-training on images (B, channels, size, size); features if there is no mask.

        ``mask`` is True to draw one, or one as our loader draws it (:meth:`Mask.as_dict`), or (B, rows, columns) bool
        of patches; ``mask_positions`` (N,) int64 are then its flat indices, which spare a wait for the device. With
        ``mask=False`` or ``layer_results`` the result is that of :meth:`features`.
        """
        given = mask_of_loader(mask, mask_positions)
        if isinstance(mask, Tensor):
            given = self._given_mask(mask, mask_positions)
        masked = given is not None or bool(mask)
        if layer_results or not masked:
            return self.features(img, masked, given, layer_results)
        return self.pretrained(img, mask=given)

    def _given_mask(self, mask: Tensor, positions: Optional[Tensor]) -> Mask:
        """Return the caller's mask, flattened row by row; raises ValueError for another grid than the model's."""
        if tuple(mask.shape[1:]) != self.image.grid:
            raise ValueError(
                f"`mask` has shape {tuple(mask.shape)}, expected (images, {self.image.grid[0]}, {self.image.grid[1]}): "
                f"one entry for each patch of `model.patch_size` {self.image.patch}"
            )
        return Mask.given(mask.flatten(1), positions)

    def features(self, img: Tensor, masked: bool, mask: Optional[Mask], layer_results: bool) -> Dict[str, Any]:
        """``x`` (B, N, C) without the class token; ``layer_results``, if asked for, of every layer, each (B, N, C).

        ``layer_results`` are the signal used as target, such as ``block`` or ``ffn``. Masked only if ``masked``.
        """
        tokens = self.encoder.embed(img)
        if masked and mask is None:
            mask = self.method.masks.drawn(tokens)
        signal = self.config.targets.signal
        encoded = self.encoder.encode(self.encoder.view(tokens, mask), record=(signal,) if layer_results else ())
        return {"x": encoded.x, "padding_mask": None, "layer_results": encoded.signal(signal)}

    def extract_features(self, img: Tensor, mask: bool = False, layer_results: bool = False) -> Dict[str, Any]:
        """See :meth:`features`."""
        return self.features(img, mask, None, layer_results)

    def class_token(self, img: Tensor) -> Tensor:
        """Return the encoder's output at the class token: (B, C)."""
        encoded: EncoderOutput = self.encoder(img, with_extra=True)
        return encoded.x[:, 0]

    def update_rules(self) -> Dict[str, UpdateRule]:
        """Weight decay of matrices only, as in BEiT; see :mod:`data2vec_plugin.host.training.optimizer`."""
        return image_update_rules(self.named_parameters(), len(self.encoder.transformer.layers))


def image_update_rules(
    parameters: Iterable[Tuple[str, Tensor]], layers: int, layer_decay: float = 1.0, prefix: str = ""
) -> Dict[str, UpdateRule]:
    """The rule of every parameter; the encoder's names begin with ``prefix``. See :func:`update_rules`."""
    low = [prefix + name for name in BELOW_THE_BLOCKS]
    return update_rules(parameters, layers, layer_decay, low, NEVER_DECAYED)
