"""tidings: event-driven systems on one SQLite file, on PostgreSQL, on Kafka."""
