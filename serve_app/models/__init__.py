"""The larder: model files that the local backend runs on, made ready once."""
