"""Settings: their schema, and how files and the command line are composed into it."""
