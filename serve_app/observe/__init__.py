"""The watchtower: stands beside the flow and reads what happened."""
