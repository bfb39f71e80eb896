"""The site's ordinary views: the demo page, the health check, and the command that seeds demo data."""
