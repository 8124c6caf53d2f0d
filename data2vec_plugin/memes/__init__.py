"""What a trained meme classifier does on a split: its metrics, each part alone, what it gets wrong."""

import fairseq  # noqa: F401  first of all, because everything of ours registers when it is there
