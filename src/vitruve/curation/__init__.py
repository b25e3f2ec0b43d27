"""What a data set holds: maps of its images, splits that do not leak, what to label next."""
