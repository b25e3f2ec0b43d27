"""Predictions as the app begins, watches and shows them."""
