"""The only place that decodes and encodes pixels: images, videos, and the files a user names as a source."""
