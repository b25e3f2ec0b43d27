"""How good predictions are: metrics as pure functions, and reports that people read."""
