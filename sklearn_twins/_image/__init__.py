"""Images: preprocessor, views, encoders and their record."""
