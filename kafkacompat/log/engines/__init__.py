"""Engines that keep the bytes of partitions: see `log.store` for what each must do."""
