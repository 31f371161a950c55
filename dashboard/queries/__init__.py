"""What the desk asks the database. Every function takes an open connection and only reads."""
