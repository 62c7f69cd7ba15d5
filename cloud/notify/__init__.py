"""Telling people: texts, channels, and the task that empties the outbox of alerts."""

from cloud.notify.channels import Channel, channels_from
from cloud.notify.notifier import Notifier
from cloud.notify.texts import Text, compose

__all__ = ["Channel", "Notifier", "Text", "channels_from", "compose"]
