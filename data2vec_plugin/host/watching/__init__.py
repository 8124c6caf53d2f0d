"""What a run says of itself: a plan before its first update, and the likely knob when it cannot go on."""
