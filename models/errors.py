"""The error that models and estimators raise: a message for the user, never a traceback."""


class ModelError(Exception):
    """Weights, features or settings do not fit the model; the message says what was found and what is wanted."""
