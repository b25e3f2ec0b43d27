"""Cameras from recordings of a board: where they stand, and what their lenses do."""
