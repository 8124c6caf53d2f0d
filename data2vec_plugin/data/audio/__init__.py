"""Speech: clips, crops and masks."""
