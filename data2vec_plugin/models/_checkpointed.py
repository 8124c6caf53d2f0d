"""What every data2vec model does for fairseq: the teacher follows updates, and travels in upstream's layout."""

import logging
from typing import Any, Dict, MutableMapping, Tuple

from fairseq.models import BaseFairseqModel

from ..core.model import Data2Vec
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
