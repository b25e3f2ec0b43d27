"""Smoothing of predictions over time: an ensemble Kalman smoother (after EKS, Biderman et al. 2024)."""
