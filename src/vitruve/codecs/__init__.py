"""Encode and decode one representation of pose in one file each: pure functions."""
