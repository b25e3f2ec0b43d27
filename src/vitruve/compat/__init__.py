"""The names under which users of other systems know what this package does."""
