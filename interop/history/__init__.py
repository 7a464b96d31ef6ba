"""Transactional producers, copiers and readers against a broker, some of them fenced, paused and killed; their history, checked afterwards."""
