"""Ways to an analyst. `make` builds those that the settings name."""

from __future__ import annotations

from sinks.alerts.channels.contract import Channel
from sinks.alerts.settings import AlertSettings


def make(settings: AlertSettings) -> list[Channel]:
    """The channels of the settings, in their order."""
    channels: list[Channel] = []
    for name in dict.fromkeys((*settings.channels, *settings.operator_channels)):
        if name == "console":
            from sinks.alerts.channels.console import ConsoleChannel

            channels.append(ConsoleChannel(json=settings.console_json))
        elif name == "atom":
            from sinks.alerts.channels.atom import AtomChannel

            channels.append(AtomChannel(settings.atom_dir))
        else:
            from sinks.alerts.channels.webhook import WebhookChannel

            assert settings.webhook_url is not None
            assert settings.webhook_secret is not None
            channels.append(
                WebhookChannel(
                    settings.webhook_url,
                    settings.webhook_secret.get_secret_value(),
                    deadline=settings.deadline,
                )
            )
    return channels
