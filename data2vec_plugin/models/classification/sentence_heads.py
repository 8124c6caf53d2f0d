"""Classification heads of text models: RoBERTa's, registered by fairseq's task, kept or dropped on loading."""

import logging
from typing import Any, Dict, MutableMapping, Optional, Tuple

from fairseq.models.roberta.model import RobertaClassificationHead
from torch import Tensor, nn

logger = logging.getLogger(__name__)

NAME = "classification_heads"


class TokenClassificationHead(RobertaClassificationHead):
    """RoBERTa's two layers at every token, for tagging: (B, T, C) -> (B, T, classes)."""

    def forward(self, features: Tensor, **kwargs: Any) -> Tensor:
        """(B, T, C) -> (B, T, classes)."""
        rows: Tensor = super().forward(features.reshape(-1, 1, features.size(-1)), **kwargs)
        return rows.view(*features.shape[:2], -1)


class ClassificationHeads(nn.ModuleDict):
    """Heads by name, on features (B, T, C); ``options`` are passed to every new head."""

    def __init__(self, dim: int, token_level: bool = False, **options: Any) -> None:
        super().__init__()
        self.dim = dim
        self.kind = TokenClassificationHead if token_level else RobertaClassificationHead
        self.options: Dict[str, Any] = {"activation_fn": "tanh", "pooler_dropout": 0.0, **options}

    def register(self, name: str, num_classes: int, inner_dim: Optional[int] = None) -> None:
        """Add a head, or replace one of the same name with a warning."""
        if name in self:
            logger.warning(f"classification head `{name}` is replaced by one with {num_classes} classes")
        inner = inner_dim or self.dim
        self[name] = self.kind(input_dim=self.dim, inner_dim=inner, num_classes=num_classes, **self.options)

    def shape(self, name: str) -> Tuple[int, int]:
        """(classes, inner channels) of a head."""
        head: Any = self[name]
        return head.out_proj.out_features, head.out_proj.in_features

    def reconcile(self, state: MutableMapping[str, Any], prefix: str, adopt: bool) -> None:
        """Match the heads in ``state`` to this model's, in place: heads that it lacks, or of another size, are dropped.

        With ``adopt`` a head that only the checkpoint has is registered. A head that only the model has is unchanged.
        """
        below = prefix + NAME + "."
        names = {key[len(below) :].split(".")[0] for key in state if key.startswith(below)}
        for name in sorted(names):
            # from the biases, because spectral norm keeps the weight under another name
            shape = len(state[f"{below}{name}.out_proj.bias"]), len(state[f"{below}{name}.dense.bias"])
            if name not in self and adopt:
                self.register(name, *shape)
            if name not in self or self.shape(name) != shape:
                logger.warning(f"classification head `{name}` {shape} of the checkpoint is not in this model, skipped")
                for key in [key for key in state if key.startswith(f"{below}{name}.")]:
                    del state[key]
        for key, value in self.state_dict().items():
            state.setdefault(below + key, value)
