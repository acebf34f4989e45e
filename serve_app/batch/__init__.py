"""The batch program: every row of a file answered, through the gateway or straight on vLLM."""
