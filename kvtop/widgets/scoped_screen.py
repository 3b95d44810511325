"""A screen over one stretch of time, which follows the newest samples until it is frozen."""

from __future__ import annotations

from kvtop.profile.ring import SampleRing
from kvtop.profile.scope import Scope
from kvtop.store import Store
from kvtop.widgets.profile_screen import ProfileScreen


class ScopedScreen(ProfileScreen):
    """Shows a ``scope`` of the samples; a range holds still, all else follows while ``live``.

    Not live, it starts frozen at the time ``until``, monotonic seconds, now where that is None.
    A subclass shows the scope in ``_load`` and binds keys to ``freeze`` and ``window``.
    """

    def __init__(
        self, store: Store, scope: Scope, *, live: bool = True, until: float | None = None
    ) -> None:
        super().__init__()
        self.store = store
        self.scope = scope
        self.live = live and scope.range is None
        self._frozen_at = self.ring.last_time if until is None and not self.live else until

    @property
    def ring(self) -> SampleRing:
        """The samples that are shown."""
        return self.store.ring

    @property
    def window(self) -> float:
        """Seconds that are shown."""
        return self.scope.seconds(self.until)

    @property
    def until(self) -> float | None:
        """The newest moment that is shown, monotonic seconds; None where there is no sample."""
        if self.scope.range is not None:
            return self.scope.range.last
        return self.ring.last_time if self._frozen_at is None else self._frozen_at

    def set_scope(self, scope: Scope) -> None:
        """Show another stretch of time: a range holds still, all else follows the newest."""
        self.scope = scope
        self.live = scope.range is None
        self._frozen_at = None
        self._load()

    def reload(self) -> None:
        """Another event is shown; what is frozen stays so."""
        self._load()

    def _load(self) -> None:
        """Show the scope as it is now."""
        raise NotImplementedError

    def action_freeze(self) -> None:
        """Keep what is shown, or follow again, which leaves a range."""
        self.scope = self.scope.over(None)
        self.live = not self.live
        self._frozen_at = None if self.live else self.ring.last_time
        self._load()

    def action_window(self, step: int) -> None:
        """Look further back, or less far."""
        scope = self.scope.longer() if step > 0 else self.scope.shorter()
        if self.scope.range is None:
            self.scope = scope
            self._load()
        else:
            self.set_scope(scope)
