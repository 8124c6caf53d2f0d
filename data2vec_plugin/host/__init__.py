"""Every place where fairseq is extended: its trainer, its reader of checkpoints, launching, watching."""
