"""Dashboards for Grafana, rules for Prometheus, and pictures of both: made here."""
