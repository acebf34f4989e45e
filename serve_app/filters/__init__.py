"""The security desk, used at the entrance and at the exit."""
