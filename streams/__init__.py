"""The Faust worker: facts in, one transaction per batch, rows, events and effects out."""
