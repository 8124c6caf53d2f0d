"""What classifiers add to their encoders."""
