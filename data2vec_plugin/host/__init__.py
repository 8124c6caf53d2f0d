"""Every place where fairseq is extended: its trainer, its reader of checkpoints, launching, watching."""

from . import launching as launching  # may have been loaded before this package, which then lacks the attribute
