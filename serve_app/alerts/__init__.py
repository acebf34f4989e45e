"""Alerts inside the service: rules over its own metrics, one evaluator, delivery to channels."""
