"""A report that people want to read: one HTML file without a single request, or figures and Markdown."""
