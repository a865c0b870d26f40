"""Replaces a cache of another layout, when no process of the other layout is connected."""

from storage.errors import LayoutInUseError, StorageUnavailableError
from storage.redis.generation import Generation, OtherLayoutError, addresses_of_other_layouts
from storage.redis.server import Server


def has_other_layout(cache: Server) -> bool:
    """Whether the cache is refused because of its layout. Raises StorageUnavailableError."""
    try:
        cache.ensure_connection()
    except StorageUnavailableError as error:
        if isinstance(error.__cause__, OtherLayoutError):
            return True
        raise
    return False


def replace_layout(cache: Server) -> bool:
    """Empty the cache and write our layout. Returns whether its clients could be listed.

    Raises LayoutInUseError, StorageUnavailableError.
    """
    clients = cache.clients()
    if addresses := addresses_of_other_layouts(clients or (), cache.database):
        raise LayoutInUseError(addresses)
    replacing = Server("cache", cache.url, check=Generation(replaces_layout=True).check)
    try:
        replacing.ensure_connection()
    finally:
        replacing.close()
    return clients is not None
