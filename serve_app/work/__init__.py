"""Work that nobody waits for: jobs carried out in process, and the workers that take them."""
