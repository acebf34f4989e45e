"""OpenAI's Responses over chat completions: requests in, responses and their events out."""
