"""Pictures that show whether to trust a prediction."""
