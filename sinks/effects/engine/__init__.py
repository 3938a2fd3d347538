"""The engine of the effects sink: ledger, queue, worker pools, dispatcher, redrive and kill switches."""
