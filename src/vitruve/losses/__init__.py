"""Training losses: supervised ones as functions, unsupervised ones one term a file."""
