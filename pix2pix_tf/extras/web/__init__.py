"""A web page that translates images in the browser."""
