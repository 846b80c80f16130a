"""The panels of a report, each drawn on one matplotlib `Axes`."""
