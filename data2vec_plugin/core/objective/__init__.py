"""The loss: targets from the teacher, and the terms that compare predictions with them."""
