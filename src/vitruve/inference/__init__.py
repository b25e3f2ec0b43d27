"""Inference: the predictor, its runtimes and what it writes."""
