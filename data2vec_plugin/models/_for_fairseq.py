"""What every data2vec model does for fairseq.

The teacher follows updates and travels in upstream's layout; results become the dicts that fairseq's criterions and
wrappers read.
"""

import logging
from typing import Any, Dict, Mapping, MutableMapping, Optional, Tuple

from fairseq.models import BaseFairseqModel
from torch import Tensor

from ..core.loss import mean_deviation
from ..core.model import Data2Vec
from ..core.outputs import Data2VecOutput, EncoderOutput, Mask
from ..interop.layout import Layout

logger = logging.getLogger(__name__)


class CheckpointedModel(Data2Vec, BaseFairseqModel):
    """Mixed in before :class:`Data2Vec`'s modality; ``layout`` is the module that knows upstream's layout."""

    layout: Layout

    def set_num_updates(self, num_updates: int) -> None:
        """fairseq calls this with the count of finished updates; in training the teacher follows."""
        super().set_num_updates(num_updates)
        if self.final_proj is not None:
            self.follow(num_updates)

    def state_dict(self, *args: Any, **kwargs: Any) -> Dict[str, Any]:  # type: ignore[override]
        """Upstream's layout, the fp32 teacher included as a dict of its own."""
        prefix = kwargs.get("prefix", args[1] if len(args) > 1 else "")
        state: Dict[str, Any] = super().state_dict(*args, **kwargs)
        self.layout.to_upstream(state, prefix)
        if self.teacher is not None:
            state[prefix + self.layout.TEACHER] = entry = self.teacher.state_dict()
            self.layout.teacher_to_upstream(entry)
        return state

    def upgrade_state_dict_named(self, state_dict: MutableMapping[str, Any], name: str) -> None:
        """Accept upstream's layout and ours; fairseq calls this on every loading path.

        What was removed before fine-tuning is left out of a checkpoint of pre-training.
        """
        prefix = name + "." if name else ""
        self.layout.from_upstream(state_dict, prefix)
        removed = tuple(prefix + part for part in self.removed_parts())
        for key in [key for key in state_dict if key.startswith(removed)]:
            del state_dict[key]

    def removed_parts(self) -> Tuple[str, ...]:
        """How the names begin of what this model has no more."""
        return ("final_proj.", "_ema") if self.final_proj is None else ()

    def _load_from_state_dict(self, state_dict: Dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        """Take the teacher out of the state; without one, it starts again from the loaded student."""
        self.layout.from_upstream(state_dict, prefix)
        saved = state_dict.pop(prefix + "_ema", None)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self.teacher = None
        if self.final_proj is None:
            return
        if saved is None:
            logger.info("the checkpoint holds no teacher (`_ema`): it starts from the loaded student")
        else:
            entry = dict(saved)
            self.layout.teacher_from_upstream(entry)
            self.ensure_teacher().load_state_dict(entry, fallback_updates=max(self.num_updates - 1, 0))


def mask_of_loader(mask: Any, *parts: Optional[Tensor]) -> Optional[Mask]:
    """The mask that ``mask`` holds as a dict, which our loader draws; None where it says only whether to mask.

    Raises ValueError for a dict that is no mask, and for one beside the ``parts`` in which upstream gives a mask.
    """
    if not isinstance(mask, Mapping):
        return None
    if any(part is not None for part in parts):
        raise ValueError("`mask` holds a whole mask, and further arguments parts of one; expected one or the other")
    return Mask.of(mask)


def training_result(output: Data2VecOutput, decay: float, num_updates: int, loss: str = "regression") -> Dict[str, Any]:
    """Upstream's keys for the `model` criterion, and the rows that ours takes its variances from.

    ``loss`` is the name that upstream has for it. ``ema_decay`` is logged times 1000, as upstream does; the
    deviations are those of this batch on this rank.
    """
    return {
        "losses": {loss: output.loss},
        "sample_size": output.sample_size,
        "num_updates": num_updates,
        "ema_decay": decay * 1000,
        "target_var": mean_deviation(output.targets.detach()),
        "pred_var": mean_deviation(output.predictions.detach()),
        "targets": output.targets,
        "predictions": output.predictions.detach(),
        "mask_indices": output.mask.indices,
    }


def features_result(encoded: EncoderOutput, padding_mask: Optional[Tensor]) -> Dict[str, Any]:
    """Upstream's feature keys; ``layer_results`` holds (output, None, feed-forward) of every layer as (T, B, C)."""
    layers = [(layer["block"].transpose(0, 1), None, layer["ffn"].transpose(0, 1)) for layer in encoded.layers]
    return {"x": encoded.x, "padding_mask": padding_mask, "layer_results": layers}


def if_padded(padding_mask: Tensor) -> Optional[Tensor]:
    """Drop a mask (B, T) that hides nothing, which frees attention from it; looked at on the host only."""
    return padding_mask if padding_mask.is_cuda or bool(padding_mask.any()) else None
