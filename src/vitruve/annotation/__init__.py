"""Annotation servers and stores: what is drawn there, brought here and back, and proposals for it."""
