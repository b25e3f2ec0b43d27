"""Points and pixels under 3x3 matrices."""
