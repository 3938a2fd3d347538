"""HTTP/1.1 for the gateway under uvicorn, within limits."""
