#!/bin/sh
# Installs what pip cannot bring: perf (and venv) to run; tmux, a C compiler and Chromium to test.
# Does nothing where nothing is missing; without root or sudo it says what to install and goes on.
set -u
mode=${1:-run}
missing=""
want() { # want COMMAND APT DNF PACMAN
    command -v "$1" >/dev/null 2>&1 && return
    case $manager in
    apt-get) missing="$missing $2" ;;
    dnf) missing="$missing $3" ;;
    pacman) missing="$missing $4" ;;
    *) missing="$missing $1" ;;
    esac
}

manager=""
for candidate in apt-get dnf pacman; do
    command -v $candidate >/dev/null 2>&1 && manager=$candidate && break
done
perf_apt=linux-perf
. /etc/os-release 2>/dev/null && [ "${ID:-}" = ubuntu ] && perf_apt="linux-tools-generic linux-tools-$(uname -r)"

want perf "$perf_apt" perf perf
if [ "$manager" = apt-get ] && ! python3 -c 'import ensurepip' 2>/dev/null; then
    missing="$missing python3-venv"
fi
if [ "$mode" = test ]; then
    want tmux tmux tmux tmux
    want gcc gcc gcc gcc
    want g++ g++ gcc-c++ gcc
    want chromium chromium chromium chromium
    want ssh openssh-client openssh-clients openssh
    want redis-cli redis-tools redis redis
    want etcd etcd-server etcd etcd
    want zsh zsh zsh zsh
    want fish fish fish fish
    want mandoc mandoc mandoc mandoc
    # Its packages start a server wherever systemd runs: there the tests of --ssh do without.
    PATH="$PATH:/usr/sbin"
    [ -d /run/systemd/system ] || want sshd openssh-server openssh-server openssh
fi
[ -z "$missing" ] && exit 0

case $manager in
apt-get) install="apt-get install -y --no-install-recommends" ;;
dnf) install="dnf install -y" ;;
pacman) install="pacman -S --noconfirm" ;;
*) install="" ;;
esac
if [ "$(id -u)" = 0 ]; then
    sudo=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    sudo="sudo"
else
    echo "To see all of kvtop, install:$missing (for example: sudo ${install:-install}$missing)." >&2
    exit 0
fi
[ -z "$install" ] && { echo "To see all of kvtop, install:$missing." >&2; exit 0; }
echo "Installing:$missing" >&2
[ "$manager" = apt-get ] && $sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of packages
DEBIAN_FRONTEND=noninteractive $sudo $install $missing >/dev/null ||
    echo "Could not install:$missing. kvtop still runs; what needs them says so." >&2
