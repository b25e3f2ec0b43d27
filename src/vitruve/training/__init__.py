"""Training: the one LightningModule, what surrounds it, and how it goes on after an interruption."""
