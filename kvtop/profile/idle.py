"""What a CPU does while it has nothing to do: samples of it are no work of anybody's."""

from __future__ import annotations

from kvtop.profile.stacks import StackTable

# The names that perf top leaves out by default (tools/perf/util/symbol.c, symbol__is_idle),
# and what newer kernels call the same.
_IDLE = frozenset(
    (
        "acpi_idle_do_entry",
        "acpi_processor_ffh_cstate_enter",
        "acpi_safe_halt",
        "arch_cpu_idle",
        "cpu_idle",
        "cpu_idle_poll",
        "cpu_startup_entry",
        "cpuidle_enter",
        "cpuidle_enter_state",
        "default_enter_idle",
        "default_idle",
        "do_idle",
        "idle_cpu",
        "intel_idle",
        "intel_idle_ibrs",
        "mwait_idle",
        "mwait_idle_with_hints",
        "native_safe_halt",
        "poll_idle",
        "ppc64_runlatch_off",
        "pseries_dedicated_idle_sleep",
        "psw_idle",
        "psw_idle_exit",
        "pv_native_safe_halt",
        "tdx_safe_halt",
    )
)


def is_idle(table: StackTable, stack: int) -> bool:
    """Whether the function that ran is the idle loop's; interrupts in it are work."""
    frames = table.frames(stack)
    return bool(frames) and table.frame(frames[-1]).symbol in _IDLE
