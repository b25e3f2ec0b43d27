"""What the verbs do, step by step, on top of training, inference and evaluation."""
