#!/bin/sh
# Runs a program with what `make peers` extracted in .peers/debian before what the system has:
#   peers/from_debian.sh tshark --version
# Nothing of the person who runs it is read or written: Wireshark's settings are an empty folder of ours.
peers=$(cd "$(dirname "$0")/.." && pwd)/.peers
tree=$peers/debian

# joined FOLDER...: those that exist, with colons between them
joined() {
  found=
  for folder in "$@"; do
    if [ -d "$folder" ]; then found=$found${found:+:}$folder; fi
  done
  echo "$found"
}

LD_LIBRARY_PATH=$(joined "$tree"/usr/lib/*-linux-gnu* "$tree"/lib/*-linux-gnu*)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
PERL5LIB=$(joined "$tree"/usr/share/perl5 "$tree"/usr/lib/*/perl5/5.* "$tree"/usr/share/perl/5.* "$tree"/usr/lib/*/perl/5.*)
PATH=$tree/usr/bin:$PATH
WIRESHARK_CONFIG_DIR=$peers/wireshark
export LD_LIBRARY_PATH PERL5LIB PATH WIRESHARK_CONFIG_DIR
if [ -d "$tree/usr/share/wireshark" ]; then
  export WIRESHARK_DATA_DIR="$tree/usr/share/wireshark" WIRESHARK_PLUGIN_DIR="$peers/wireshark" \
    WIRESHARK_EXTCAP_DIR="$peers/wireshark"
fi
exec "$@"
