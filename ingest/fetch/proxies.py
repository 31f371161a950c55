"""Asking through an operator's proxy, which makes the connections in our place.

What it connects to cannot be seen from here. Before it is asked, the address in a URL, or all that
its name means to this machine's own DNS, must be permitted. A name that this machine cannot resolve
is left to the proxy, unless it is of a kind that never means a public host.
"""

from __future__ import annotations

from yarl import URL

from ingest.fetch.addresses import RefusedAddress, Rule
from ingest.fetch.resolver import Resolver
from ingest.settings import IngestSettings
from stream.errors import UsageError

# Kept for private networks by their registries; clouds serve their metadata under the first.
_PRIVATE = (".internal", ".local", ".localhost", ".localdomain", ".lan", ".home.arpa", ".intranet")


class Proxy:
    """`url` holds the password: it is never printed."""

    def __init__(self, url: URL, rule: Rule) -> None:
        self.url = url
        self._rule, self._resolver = rule, Resolver(None)

    @classmethod
    def named(cls, settings: IngestSettings) -> Proxy | None:
        """The proxy of the settings. Raises UsageError when it cannot be one."""
        if settings.proxy is None:
            return None
        try:
            url = URL(settings.proxy.get_secret_value())
        except ValueError:
            url = URL()
        if url.scheme not in ("http", "https") or not url.host:
            raise UsageError(
                "ingest.proxy should be a URL such as http://user:password@host:3128; it is not "
                "shown here because it may hold a password"
            )
        return cls(url, Rule(settings.allow_networks, settings.refuse_networks))

    async def check(self, url: URL) -> None:
        """Raises RefusedAddress."""
        host = (url.raw_host or "").rstrip(".").lower()
        try:
            found = await self._resolver.resolve(host, url.port or 0)
        except OSError:
            if "." not in host or ":" in host or host.endswith(_PRIVATE):
                raise RefusedAddress(f"{host} is a name of a private network") from None
            return
        for each in found:
            if not self._rule.permits(each["host"]):
                raise self._rule.refusal(each["host"], host)
