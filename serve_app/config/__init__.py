"""House rules: the settings' schema and how files become settings."""
