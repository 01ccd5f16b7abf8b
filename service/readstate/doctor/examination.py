"""All checks in their order."""

from collections.abc import Mapping

from readstate import tracing
from readstate.doctor import machine
from readstate.doctor.finding import Finding, Level, ask, ask_later
from readstate.doctor.receiver import receiver
from readstate.doctor.store import examine_store
from readstate.settings import PREFIX, Settings, SettingsError


async def examine(environ: Mapping[str, str], sockets: int) -> list[Finding]:
    """What there is to say of a deployment with these variables that expects so many sockets.

    Settings that cannot be used end the examination: the rest depends on them.
    """
    try:
        settings = Settings.from_environ(environ).resolve_existing()
    except SettingsError as error:
        return [Finding("settings", Level.WRONG, str(error))]
    given = sum(name.startswith(PREFIX) and bool(value) for name, value in environ.items())
    return [
        Finding("settings", Level.OK, f"{given} given, all of which can be used"),
        ask("user", machine.user),
        ask("data directory", lambda: machine.data_directory(settings)),
        ask("secrets", lambda: machine.secrets(settings)),
        ask("port", lambda: machine.listening(settings)),
        ask("descriptors", lambda: machine.descriptors(settings, sockets)),
        ask("memory", lambda: machine.memory(settings, sockets)),
        *await examine_store(settings),
        await ask_later("webhooks", receiver(settings)),
        ask("traces", lambda: tracing.describe(environ)),
    ]
