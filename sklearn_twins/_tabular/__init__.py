"""Tables: preprocessor, views, encoders and their record."""
