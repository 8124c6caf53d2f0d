"""Models that start from the checkpoint of another one."""
