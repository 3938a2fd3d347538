"""The gateway's routes besides Stripe's webhooks: tracking links, mail events, Twilio."""
