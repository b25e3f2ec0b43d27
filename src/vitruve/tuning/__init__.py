"""Search for the settings that train best."""
