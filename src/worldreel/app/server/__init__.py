"""The HTTP server: OpenAI's Videos API on durable jobs."""
