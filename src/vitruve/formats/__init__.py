"""Labels on disk: one module a format, found by :mod:`vitruve.formats.hub`.

A module of this package is a format when it has ``NAME``, ``DESCRIPTION``, ``SUFFIXES``, ``KEEPS``,
``sniff``, ``read`` and ``write`` (:class:`vitruve.formats.hub.Format`); the others hold what formats share.
"""
