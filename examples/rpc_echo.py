"""A service and its caller: many calls under way on one connection, answered in any order.

python examples/rpc_echo.py
"""

from __future__ import annotations

import asyncio

from kvtop.workload.rpc.channel import CallFailed, Channel, DeadlineExceeded
from kvtop.workload.rpc.provider import Call, Provider


class EchoService:
    """Answers at once, late, or never."""

    def register(self, provider: Provider) -> None:
        """Offer the methods."""
        provider.register("echo", lambda call: call.reply(call.body))
        provider.register("echo later", self._echo_later)
        provider.register("never", lambda call: None)

    def _echo_later(self, call: Call) -> None:
        # The shorter the text, the sooner the answer: replies overtake each other.
        delay = len(call.body) / 1000
        asyncio.get_running_loop().call_later(delay, call.reply, call.body)


async def main() -> list[str]:
    """Call every method; what happened, in order."""
    told: list[str] = []
    provider = Provider()
    EchoService().register(provider)
    await provider.start("127.0.0.1", 0)
    channel = Channel("127.0.0.1", provider.port)
    await channel.wait_connected(5.0)

    told.append((await channel.call("echo", b"hello", 5.0)).decode())

    async def later(text: bytes) -> None:
        told.append((await channel.call("echo later", text, 5.0)).decode())

    await asyncio.gather(later(b"long" * 25), later(b"short"))
    for method in ("never", "unknown"):
        try:
            await channel.call(method, b"", 0.1)
        except DeadlineExceeded:
            told.append("no answer within 0.1 s")
        except CallFailed as error:
            told.append(f"failed: {error}")
    await channel.close()
    await provider.stop()
    return told


if __name__ == "__main__":
    print("\n".join(asyncio.run(main())))
