"""Load tools: a wrk script, and raw asyncio clients for what wrk cannot measure."""
