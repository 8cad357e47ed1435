"""The one door to a PostgreSQL server: our own connection, and the client's programs. It knows no backup."""
