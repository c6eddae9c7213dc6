#!/bin/bash
# Process 1 of a guest of ./test.sh --kernels: mounts, the checks, the end. /dev is there, and proc is not.
export HOME=/root LC_ALL=C.UTF-8 TERM=dumb PATH=/srv/agentsight-rx/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
[[ -e /dev/fd ]] || ln -s /proc/self/fd /dev/fd
ip link set lo up
cd /srv/agentsight-rx || exit
[[ $(</proc/cmdline) =~ kernels_results=([^ ]+) ]]
python -m tests.kernels.guest "/dev/${BASH_REMATCH[1]}" </dev/null >/dev/console 2>&1
sync
echo o >/proc/sysrq-trigger
sleep 60
