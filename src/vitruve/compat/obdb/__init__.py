"""The programs of OBDB, under their names and with their options."""
