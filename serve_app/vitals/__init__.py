"""How every backend's models are doing: measured here, shared between replicas, read to plan."""
