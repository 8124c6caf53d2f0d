"""Where the core's results become the dicts that fairseq's criterions and wrappers read."""

from typing import Any, Dict, Optional

from torch import Tensor

from ..core.loss import mean_deviation
from ..core.outputs import Data2VecOutput, EncoderOutput


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
