"""The HTTP gateway: Stripe's webhooks and what customers and providers send back."""
