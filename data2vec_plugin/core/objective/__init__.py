"""The loss: what the teacher gives as targets, and the terms that compare predictions with them."""
