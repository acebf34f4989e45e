"""Where alerts are sent: one file a kind of receiver."""
