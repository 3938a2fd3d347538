"""The structs of facts by subject: commands, contacts, messages, outcomes, and the parts that they share."""
