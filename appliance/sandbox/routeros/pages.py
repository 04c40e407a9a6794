"""Which of its pages the hotspot shows: those that were uploaded, or those that it came with."""

from collections.abc import Iterator, Mapping

from appliance.sandbox.routeros.config import Config
from appliance.sandbox.routeros.files import Files


class Pages(Mapping[str, str]):
    """The pages of the folder that counts now."""

    def __init__(self, files: Files, config: Config, stock: Mapping[str, str]) -> None:
        self._files = files
        self._config = config
        self._stock = stock

    def __getitem__(self, name: str) -> str:
        """Return a page; what is not in the folder is nowhere."""
        return self._folder()[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the pages."""
        return iter(self._folder())

    def __len__(self) -> int:
        """Return how many pages there are."""
        return len(self._folder())

    def _folder(self) -> Mapping[str, str]:
        """Return the folder's pages: an override that is missing or empty does not count."""
        profile = self._config.server_profile()
        for setting in ("html-directory-override", "html-directory"):
            folder = profile.get(setting)
            found = self._files.within(folder) if folder else {}
            if found:
                return found
        return self._stock
