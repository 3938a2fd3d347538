"""The mailboxes of the sandbox's customers, and how a customer reads a mail and follows its links."""
