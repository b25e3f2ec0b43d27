"""Annotations on a CVAT server: read, compared, changed, without loss."""
