"""fairseq tasks whose samples are not tokens: they have no dictionaries, and no sample is too long."""

from typing import Any

from fairseq.tasks import FairseqTask


class TaskWithoutTokens(FairseqTask):
    """Base of tasks on pictures, memes and sequences of features."""

    @classmethod
    def setup_task(cls, cfg: Any, **unused: Any) -> Any:
        """fairseq's entry point; its main branch says when it evaluates a checkpoint, which makes no difference."""
        return cls(cfg)

    def max_positions(self) -> None:
        """No sample is too long."""

    @property
    def source_dictionary(self) -> None:
        """There is none."""

    @property
    def target_dictionary(self) -> None:
        """There is none."""
