"""``kvtop kv``: single operations on a running cluster."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

from kvtop.workload.clerk import Clerk, ClerkError, Cluster
from kvtop.workload.commands.targets import (
    VARIABLE,
    TargetError,
    add_target_arguments,
    fail,
    find_cluster,
    integer,
)
from kvtop.workload.peers import Address
from kvtop.workload.rpc.channel import Channel, RpcError
from kvtop.workload.rpc.kv_pb2 import Change
from kvtop.workload.status import NodeReport

Action = Callable[[argparse.Namespace, dict[int, Address]], Awaitable[int]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command and its verbs."""
    parser.description = "Read and write single keys of a running cluster, or ask for its status."
    _add_common_options(parser, 10.0)
    # Before or after the verb; what is not given after it must not undo what stood before it.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    _add_common_options(common, argparse.SUPPRESS)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def add_verb(name: str, text: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, help=text, parents=[common], allow_abbrev=False)

    for name, text in (("get", "print the value of a key"), ("delete", "remove a key")):
        add_verb(name, text).add_argument("key")
    for name, text in (("put", "set a key"), ("append", "add to the end of a value")):
        verb = add_verb(name, text)
        verb.add_argument("key")
        verb.add_argument("value")
    scan = add_verb("scan", "print keys and values in order")
    scan.add_argument("start", nargs="?", default="", help="first key")
    scan.add_argument("end", nargs="?", help="first key that is not printed")
    scan.add_argument(
        "--limit", type=integer(0, 1 << 31), default=0, metavar="N", help="pairs at most (all)"
    )
    member = add_verb("member", "list, add, promote, remove or lead: who is in the cluster")
    member.add_argument("action", choices=("list", *_CHANGES))
    member.add_argument("node", nargs="?", type=integer(0, 9999), metavar="N", help="its number")
    status = add_verb("status", "what every node says of itself")
    status.add_argument("--json", action="store_true", default=False, help="one JSON object a line")


def _add_common_options(parser: argparse.ArgumentParser, deadline: float | str) -> None:
    add_target_arguments(parser)
    parser.add_argument(
        "--deadline",
        type=_seconds,
        default=deadline,
        metavar="SECONDS",
        help="give up after this (10)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.001 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} must be from 0.001 to 86,400 seconds")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Carry out one verb; the exit code (1 also for a key that does not exist)."""
    try:
        addresses = find_cluster(arguments)
    except TargetError as error:
        return fail(str(error), error.code)
    if addresses is None:
        return fail(f"which cluster? Use --target HOST:PORT, --config FILE or ${VARIABLE}.", 2)
    action = {"status": _status, "member": _member}.get(arguments.verb, _operate)
    if arguments.verb == "member" and (arguments.node is None) != (arguments.action == "list"):
        return fail("kv member takes list, or another action and the number of a node", 2)
    try:
        return asyncio.run(_awaited(action, arguments, addresses))
    except ClerkError as error:
        return fail(str(error), 1)


async def _awaited(
    action: Action, arguments: argparse.Namespace, addresses: dict[int, Address]
) -> int:
    return await action(arguments, addresses)


async def _operate(arguments: argparse.Namespace, addresses: dict[int, Address]) -> int:
    cluster = Cluster(addresses)
    clerk = Clerk(cluster, deadline=arguments.deadline)
    try:
        if arguments.verb == "scan":
            end = None if arguments.end is None else _bytes(arguments.end)
            for key, value in await clerk.scan(_bytes(arguments.start), end, arguments.limit):
                print(f"{printable(key)}\t{printable(value)}")
            return 0
        key = _bytes(arguments.key)
        if arguments.verb == "get":
            return _print_value(await clerk.get(key), arguments.key)
        if arguments.verb == "put":
            await clerk.put(key, _bytes(arguments.value))
        elif arguments.verb == "append":
            print(await clerk.append(key, _bytes(arguments.value)))
        elif not await clerk.delete(key):
            return fail(f"there is no key {arguments.key!r}", 1)
        return 0
    finally:
        await cluster.close()


_CHANGES = {
    "add": (Change.ADD_LEARNER, "receives the log and does not vote yet"),
    "promote": (Change.ADD_VOTER, "votes"),
    "remove": (Change.REMOVE, "is no member any more; end its process"),
    "lead": (Change.TRANSFER, "was asked to lead"),
}


async def _member(arguments: argparse.Namespace, addresses: dict[int, Address]) -> int:
    if arguments.action == "list":
        return await _list_members(addresses)
    kind, outcome = _CHANGES[arguments.action]
    cluster = Cluster(addresses)
    try:
        await Clerk(cluster, deadline=arguments.deadline).change(kind, arguments.node)
    finally:
        await cluster.close()
    print(f"node{arguments.node} {outcome}")
    return 0


async def _list_members(addresses: dict[int, Address]) -> int:
    """As the node with the most committed entries sees it."""
    answers = await _ask_all(addresses)
    reports = [answer for answer in answers if isinstance(answer, NodeReport)]
    if not reports:
        return fail("no node answers", 1)
    newest = max(reports, key=lambda report: report.commit)
    for node in sorted({*newest.voters, *newest.learners}):
        kind = "voter" if node in newest.voters else "learner"
        address = addresses.get(node, "address not known")
        print(f"node{node:<6} {kind:<8} {address}{'  leader' * (newest.leader == f'node{node}')}")
    return 0


def _print_value(value: bytes | None, key: str) -> int:
    if value is None:
        return fail(f"there is no key {key!r}", 1)
    if sys.stdout.isatty():
        print(printable(value))
    else:
        sys.stdout.buffer.write(value)
        sys.stdout.buffer.flush()
    return 0


async def _status(arguments: argparse.Namespace, addresses: dict[int, Address]) -> int:
    answers = await _ask_all(addresses)
    reached = 0
    if not arguments.json:
        print(_ROW.format("NODE", "ROLE", "TERM", "COMMIT", "APPLIED", "KEYS", "FSYNC P99"))
    for node, answer in zip(addresses, answers, strict=True):
        if isinstance(answer, NodeReport):
            reached += 1
            print(json.dumps(answer.to_json()) if arguments.json else _row(answer))
        elif arguments.json:
            print(json.dumps({"name": f"node{node}", "failure": str(answer)}))
        else:
            print(f"node{node:<6} {answer}")
    return 0 if reached else 1


_ROW = "{:<10} {:<14} {:>8} {:>12} {:>12} {:>10} {:>10}"


def _row(report: NodeReport) -> str:
    p99 = "-" if report.fdatasync_p99 is None else f"{report.fdatasync_p99 * 1e3:.2f} ms"
    role = (report.failure and "failed") or report.role
    figures = report.term, report.commit, report.applied, report.keys, p99
    return _ROW.format(report.name, role, *figures)


async def _ask_all(addresses: dict[int, Address]) -> list[NodeReport | BaseException]:
    return await asyncio.gather(
        *(_ask_status(address) for address in addresses.values()), return_exceptions=True
    )


async def _ask_status(address: Address) -> NodeReport:
    channel = Channel(address.host, address.port)
    try:
        if not await channel.wait_connected(1.0):
            raise ClerkError(f"{address} does not accept connections")
        return NodeReport.from_json(json.loads(await channel.call("status", b"", 1.0)))
    except (RpcError, ValueError) as error:
        raise ClerkError(f"{address}: {error}") from None
    finally:
        await channel.close()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def printable(data: bytes) -> str:
    """Text for a terminal: what is not printable becomes a backslash escape."""
    return "".join(map(_printable, data.decode("utf-8", "surrogateescape")))


def _printable(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that is not part of UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character.isprintable() and character != "\\":
        return character
    return character.encode("unicode_escape").decode()
