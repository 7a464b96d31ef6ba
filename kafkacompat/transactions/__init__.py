"""The transaction coordinator: a pure machine over the records of `__transaction_state`."""
