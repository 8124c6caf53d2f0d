"""The interface of every data2vec model to fairseq.

The teacher follows updates and is saved in upstream's layout; results become the dicts that fairseq's criterions and
wrappers read.
"""

from typing import Any, Dict, Mapping, MutableMapping, Optional, Tuple, Union

import torch
from fairseq.models import BaseFairseqModel
from torch import Tensor, nn

from ..config_keys import errors_by_key
from ..core.encoder import Encoder
from ..core.masks.mask import Mask
from ..core.model import Data2Vec
from ..core.objective.loss import mean_deviation
from ..core.outputs import Data2VecOutput, EncoderOutput
from ..core.teacher import Teacher
from ..core.view import PlainView
from ..interop.layout import SameNames
from ..interop.parts import PartsLayout


class EncoderAlone(nn.Module):
    """The part of the method that fine-tuning keeps: the encoder and its masks."""

    teacher: Optional[Teacher] = None
    without: Tuple[str, ...] = ("_ema", "method.predictor.")
    """Prefixes of the weights that are removed."""

    def __init__(self, method: Any) -> None:
        super().__init__()
        self.encoder: Encoder = method.encoder
        self.masks = method.masks

    def forward(self, *args: Any, **kwargs: Any) -> Data2VecOutput:
        """Raises ValueError."""
        raise ValueError("this model was built for fine-tuning, without a prediction head: it cannot pre-train")

    def follow(self, num_updates: int) -> None:
        """Nothing to do: there is no teacher."""

    def restore_teacher(self, entry: Optional[Mapping[str, Any]]) -> None:
        """Nothing to do: there is no teacher."""


class HeadedEncoder(EncoderAlone):
    """The same with the prediction head, which upstream's fine-tuned text models keep."""

    without = ("_ema",)

    def __init__(self, method: Any) -> None:
        super().__init__(method)
        self.predictor: nn.Module = method.predictor


class UnmaskedEncoder(EncoderAlone):
    """The same without masks and final norm, for image classifiers, which have their own norm."""

    without = (*EncoderAlone.without, "method.encoder.view.", "method.encoder.transformer.layer_norm.")

    def __init__(self, method: Any) -> None:
        super().__init__(method)
        self.encoder.view = PlainView()
        self.encoder.transformer.layer_norm = None


class CheckpointedModel(BaseFairseqModel):
    """Holds the ``method`` or, in fine-tuning, its encoder; ``layout`` converts names from and to upstream's."""

    layout = PartsLayout(SameNames(), ())
    keys: Mapping[str, str] = {}
    """The key from which each field of the method's settings was read."""
    fine_tuned = EncoderAlone
    """The class that replaces the method in fine-tuning."""

    def __init__(self, method: Data2Vec) -> None:
        super().__init__()
        self.config = method.config
        self.method: Union[Data2Vec, EncoderAlone] = method
        self._saved_teacher: Optional[Dict[str, Any]] = None
        self.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]

    @property
    def encoder(self) -> Encoder:
        """Raw input -> contextualised tokens."""
        return self.method.encoder

    @property
    def taught(self) -> Any:
        """The method, with a teacher; raises AttributeError once it is reduced to its encoder."""
        self.method.ensure_teacher()  # type: ignore[union-attr, operator]
        return self.method

    def remove_pretraining_modules(self, last_layer: Optional[int] = None) -> None:
        """Keep only the encoder, without the layers above ``last_layer`` (0-based), before fine-tuning."""
        self.method = self.fine_tuned(self.method)
        if last_layer is not None:
            self.encoder.transformer.keep_layers(last_layer)

    def pretrained(self, *args: Any, **kwargs: Any) -> Dict[str, Any]:
        """Run one step of pre-training; errors about a setting name its key."""
        with errors_by_key(self.keys):
            output: Data2VecOutput = self.method(*args, **kwargs)
        return training_result(output, self.method)

    def set_num_updates(self, num_updates: int) -> None:
        """fairseq calls this with the count of finished updates; in training the teacher follows."""
        super().set_num_updates(num_updates)
        self.method.follow(num_updates)

    def state_dict(self, *args: Any, **kwargs: Any) -> Dict[str, Any]:  # type: ignore[override]
        """Return the state in upstream's layout, with the fp32 teacher as a nested dict."""
        prefix = kwargs.get("prefix", args[1] if len(args) > 1 else "")
        state: Dict[str, Any] = super().state_dict(*args, **kwargs)
        self.layout.to_upstream(state, prefix)
        if self.method.teacher is not None:
            state[prefix + self.layout.TEACHER] = entry = self.method.teacher.state_dict()
            self.layout.teacher_to_upstream(entry)
        return state

    def upgrade_state_dict_named(self, state_dict: MutableMapping[str, Any], name: str) -> None:
        """Accept upstream's layout and ours; fairseq calls this on every loading path.

        Weights of modules that were removed before fine-tuning are dropped.
        """
        self._to_ours(state_dict, name + "." if name else "")

    def _to_ours(self, state_dict: MutableMapping[str, Any], prefix: str) -> None:
        """Convert to our names and drop weights of removed modules, in place."""
        self.layout.from_upstream(state_dict, prefix)
        gone = tuple(prefix + part for part in self.method.without)
        for key in [key for key in state_dict if key.startswith(gone)]:
            del state_dict[key]

    def _load_from_state_dict(self, state_dict: Dict[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        """Set the teacher's entry aside until the student is loaded."""
        self._to_ours(state_dict, prefix)
        self._saved_teacher = state_dict.pop(prefix + "_ema", None)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _loaded(model: CheckpointedModel, keys: Any) -> None:
    """Called when the student is loaded: loads the teacher, and reports mismatches by their plain names."""
    for names in (keys.missing_keys, keys.unexpected_keys):
        names[:] = map(model.layout.plain_name, names)
    entry, model._saved_teacher = model._saved_teacher, None
    if entry is not None:
        entry = dict(entry)
        model.layout.teacher_from_upstream(entry)
    model.method.restore_teacher(entry)


def training_result(output: Data2VecOutput, method: Any) -> Dict[str, Any]:
    """Return upstream's keys for the `model` criterion, and the rows from which ours computes variances.

    ``ema_decay`` is logged times 1000, as upstream does; the deviations are those of the first term, for this batch on
    this rank.
    """
    several = [name for name in output.terms if "_regression_" in name]
    deviations = {f"pred_var_{i}": mean_deviation(output.terms[name].predictions) for i, name in enumerate(several)}
    if output.mask.visible is not None:
        deviations["masked_pct"] = torch.tensor(1 - output.mask.visible.size(1) / output.mask.indices.size(1))
    return {
        **deviations,
        "losses": {name: term.loss for name, term in output.terms.items()},
        "sample_size": output.sample_size,
        "num_updates": method.num_updates,
        "ema_decay": method.ensure_teacher().decay * 1000,
        "target_var": mean_deviation(output.targets.detach()),
        "pred_var": mean_deviation(output.predictions.detach()),
        "targets": output.targets,
        "predictions": output.predictions.detach(),
        "mask_indices": output.mask.indices,
        "local": output.local,
    }


def mask_of_loader(mask: Any, *parts: Optional[Tensor]) -> Optional[Mask]:
    """The mask in ``mask`` if it is a dict, as drawn by this plugin's loader; None if it only says whether to mask.

    Raises ValueError for a dict that is not a mask, and for one together with the ``parts`` in which upstream passes a
    mask.
    """
    if not isinstance(mask, Mapping):
        return None
    if any(part is not None for part in parts):
        raise ValueError(
            "`mask` holds a complete mask, but other arguments hold parts of a mask; pass one or the other"
        )
    return Mask.of(mask)


def features_result(encoded: EncoderOutput, padding_mask: Optional[Tensor]) -> Dict[str, Any]:
    """Upstream's feature keys; ``layer_results`` holds (output, None, feed-forward) of every layer as (T, B, C)."""
    layers = [(layer["block"].transpose(0, 1), None, layer["ffn"].transpose(0, 1)) for layer in encoded.layers]
    return {"x": encoded.x, "padding_mask": padding_mask, "layer_results": layers}


def if_padded(padding_mask: Tensor) -> Optional[Tensor]:
    """Return None for a mask (B, T) that hides nothing, so that attention needs none; masks on a GPU are not read."""
    return padding_mask if padding_mask.is_cuda or bool(padding_mask.any()) else None
