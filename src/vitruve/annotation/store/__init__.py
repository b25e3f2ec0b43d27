"""Annotations kept in SQLite or MongoDB, synchronised with servers, and versions of data sets made of them."""
