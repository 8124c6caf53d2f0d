"""The parts that classifiers add to their encoders."""
