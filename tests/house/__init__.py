"""Rules of the house that no linter knows: files, names, layers, documentation, the public face."""
