"""What the pages of training show and start."""
