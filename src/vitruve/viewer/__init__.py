"""Data sets of labels and predictions for the viewer FiftyOne."""
