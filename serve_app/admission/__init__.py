"""The porter: who is calling, and may they."""
