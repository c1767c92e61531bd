#!/usr/bin/env bash
# Two Ray nodes that reach nothing but each other: unshare -rn -p -f --mount-proc --kill-child bash two_nodes.sh PYTHON SCRIPT
set -e
ip link set lo up
mkdir -p /tmp/ray && mount -t tmpfs ray /tmp/ray  # else the address of this cluster stays behind, and is asked in vain
export RAY_USAGE_STATS_ENABLED=0 RAY_DISABLE_DASHBOARD=1
ray="$(dirname "$1")/ray"
common="--node-ip-address=127.0.0.1 --num-cpus=3 --num-gpus=0 --disable-usage-stats --object-store-memory=100000000"
$ray start --head --port=6399 --include-dashboard=false $common >&2
$ray start --address=127.0.0.1:6399 $common >&2
exec timeout 480 "$1" -P "$2"
