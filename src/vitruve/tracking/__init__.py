"""Identities over time, from predictions of the frames of a video."""
