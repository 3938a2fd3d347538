"""Events to merchants' own endpoints, signed by Standard Webhooks (B92): what is sent, where to, when again, and the log of it."""
