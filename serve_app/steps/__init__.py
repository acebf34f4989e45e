"""Steps of the corridor that keep state for one request."""
