"""Flights: equal requests under way share one call, in one process and across replicas."""
