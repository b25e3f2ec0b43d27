"""From labels on disk to batches: splits, one dataset, augmentation, loaders."""
