"""An imaginary Stripe with merchants, customers, banks and inboxes, and the keeper of the clock. Knows nothing of Dunlin."""
