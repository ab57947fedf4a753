"""Audio: log-mel spectrograms, views, the encoder and their record."""
