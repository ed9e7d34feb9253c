"""tidings: event-driven systems on one SQLite file, on PostgreSQL, on Kafka."""

from tidings.clock import days, hours, minutes, seconds
from tidings.delivery.policy import Delivery, Retry, Tick
from tidings.domain.client import Client, Receipt
from tidings.domain.saga import Saga, step
from tidings.domain.service import Service
from tidings.domain.state import Aggregate, By, Delete, Row, Rows, Transaction
from tidings.errors import DefinitionError, Poison, Rejected, Stale, Temporary, TidingsError
from tidings.event.message import Cancel, Command, Event, Key, Later
from tidings.event.topic import Topic
from tidings.system import System

__all__ = [
    "Aggregate",
    "By",
    "Cancel",
    "Client",
    "Command",
    "DefinitionError",
    "Delete",
    "Delivery",
    "Event",
    "Key",
    "Later",
    "Poison",
    "Receipt",
    "Rejected",
    "Retry",
    "Row",
    "Rows",
    "Saga",
    "Service",
    "Stale",
    "System",
    "Temporary",
    "Tick",
    "TidingsError",
    "Topic",
    "Transaction",
    "days",
    "hours",
    "minutes",
    "seconds",
    "step",
]
