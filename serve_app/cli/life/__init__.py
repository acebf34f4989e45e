"""The life of one gateway on this machine: how it starts, is watched, and ends whole."""
