"""Notifications: mails to customers."""

from shop.notifications.letters import Letters
from shop.notifications.mails import Mailer, notifications

__all__ = ["Letters", "Mailer", "notifications"]
