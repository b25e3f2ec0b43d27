"""What the pages show of labels and of predictions in space, without widgets."""
