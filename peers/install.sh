#!/bin/sh
# Installs what the tests talk to that is not ours, in .peers of this checkout and nowhere else, as root or not.
#
# Rules of this file:
# - What is there already is not fetched again; a second call takes a second.
# - What cannot be had is a loud line on stderr, and no failure: its tests are skipped, and under CI=true they fail.
# - Packages come from where the machine's own npm and apt get theirs: no host is named here.
# - apt has lists, downloads and a log of its own in .peers/apt, and installs nothing: packages are only unpacked.
cd "$(dirname "$0")/.." || exit 1
mkdir -p .peers/wireshark
debian=peers/from_debian.sh

here() { echo "peers: $1 is here"; }
missing() { echo "PEERS: $1: $2 is NOT here, and its tests are skipped" >&2; }

# --- node-smpp, as its lock says ---

node_smpp() {
  if ! cmp -s peers/package-lock.json .peers/installed; then
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
      missing "node or npm is missing" node-smpp
      return
    fi
    rm -rf .peers/node_modules .peers/installed
    cp peers/package.json peers/package-lock.json .peers/
    if ! (cd .peers && npm ci --cache npm --no-update-notifier --ignore-scripts --no-audit --no-fund --loglevel=error \
      >npm.log 2>&1); then
      missing "npm ci failed, see .peers/npm.log" node-smpp
      return
    fi
    rm -rf .peers/npm
    cp peers/package-lock.json .peers/installed
  fi
  here "node-smpp $(sed -n 's/^  "version": "\(.*\)",/\1/p' .peers/node_modules/smpp/package.json)"
}

# --- Debian packages, unpacked ---

tshark_version() { "$debian" tshark --version 2>/dev/null | sed -n '1s/^[^0-9]*\([0-9.]*[0-9]\).*/\1/p'; }
net_smpp_version() { "$debian" perl -MNet::SMPP -e 'print Net::SMPP->VERSION' 2>/dev/null; }

apt() {
  LC_ALL=C DEBIAN_FRONTEND=noninteractive timeout 240 apt-get --config-file .peers/apt/apt.conf -q "$@" </dev/null \
    >>.peers/apt.log 2>&1
}

# The machine's apt, with everything that it writes in .peers/apt, and without what it would run after an update.
apt_of_our_own() {
  rm -rf .peers/apt .peers/apt.log
  mkdir -p .peers/apt/lists/partial .peers/apt/cache/archives/partial .peers/apt/log
  cat >.peers/apt/apt.conf <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State "$PWD/.peers/apt";
Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$PWD/.peers/apt/cache";
Dir::Log "$PWD/.peers/apt/log";
Debug::NoLocking "true";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
CONF
}

# unpack PACKAGE...: each with what it needs and this machine lacks
unpack() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then return; fi
  apt_of_our_own
  apt update
  for package in "$@"; do apt --yes --download-only install "$package"; done
  rm -rf .peers/unpacking
  mkdir .peers/unpacking
  for file in .peers/apt/cache/archives/*.deb; do
    if [ -f "$file" ]; then dpkg-deb --extract "$file" .peers/unpacking >>.peers/apt.log 2>&1; fi
  done
  rm -rf .peers/debian .peers/apt
  mv .peers/unpacking .peers/debian
}

from_debian() {
  if [ -z "$(tshark_version)" ] || [ -z "$(net_smpp_version)" ]; then unpack tshark libnet-smpp-perl; fi
  if [ -n "$(tshark_version)" ]; then here "tshark $(tshark_version)"; else
    missing "no package tshark, see .peers/apt.log" tshark
  fi
  if [ -n "$(net_smpp_version)" ]; then here "Net::SMPP $(net_smpp_version)"; else
    missing "no package libnet-smpp-perl, or no perl, see .peers/apt.log" Net::SMPP
  fi
}

here "smpplib $(.venv/bin/python -c "from importlib.metadata import version; print(version('smpplib'))")"
node_smpp
from_debian
