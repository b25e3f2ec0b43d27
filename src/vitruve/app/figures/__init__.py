"""Figures that answer to the pointer: data in, a figure out."""
