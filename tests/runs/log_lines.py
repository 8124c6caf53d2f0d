"""A log as trainings write it."""

import json


def log_lines(updates: int, **metrics: float) -> str:
    lines = []
    for update in range(10, updates + 1, 10):
        stats = {name: str(value / update) for name, value in metrics.items()}
        lines.append(json.dumps({**stats, "num_updates": str(update)}))
        valid = {f"valid_{name}": value for name, value in stats.items()}
        lines.append(json.dumps({**valid, "valid_num_updates": str(update)}))
    return "\n".join(f"2026-01-01 10:00:00 | INFO | x | {line}" for line in lines) + "\n"
