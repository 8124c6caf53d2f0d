"""README.md of a converted model: what the checkpoint says of itself, and how to load it; no claims."""

from __future__ import annotations

from typing import Sequence


def model_card(name: str, architecture: str, model_type: str, command: str, facts: Sequence[str]) -> str:
    """The card of the folder called ``name``, made by ``command``; ``facts`` are a line each."""
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            f"tags: [{model_type}]",
            "---",
            f"# {name}",
            "",
            f"Made from a checkpoint of fairseq's: `{command}`",
            "",
            *(f"- {fact}" for fact in facts),
            "",
            "```python",
            f"from transformers import {architecture}",
            "",
            f'model = {architecture}.from_pretrained("{name}")',
            "```",
            "",
            "The checkpoint does not say what it was trained on, what it scores or how it is licensed.",
            "",
        ]
    )
