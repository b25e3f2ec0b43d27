"""Networks that know their targets; one folder each, found by looking at the folders."""
