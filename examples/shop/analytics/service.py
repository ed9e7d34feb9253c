"""The service alone: each projection of it is a group of its own, and stands in a module of its own."""

from tidings import Service

analytics = Service("analytics")
