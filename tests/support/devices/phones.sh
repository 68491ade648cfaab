#!/bin/bash
# Two phones in a network of their own: Debian's adbd on x86-64 at 127.0.0.1:5555 and on an emulated Cortex-A76 at
# 10.0.0.2:5555, an adb server, and sshd at 127.0.0.1. adbd gives anybody a root shell: only here, where nobody else is.
#
#   unshare --net --mount --pid --fork --kill-child bash phones.sh TOOLS QEMU CPUINFO, in a user namespace
#
# Takes "kill NAME", "start NAME", "fill NAME", "empty NAME" on standard input and answers each with "done"; its end is
# the end of everything in here.
set -euo pipefail
tools=$1 qemu=$2 cpuinfo=$3
declare -A adbd

mount -t proc proc /proc
mount -t tmpfs none /mnt
mkdir /mnt/binfmt
mount -t binfmt_misc none /mnt/binfmt # of this user namespace alone
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":aarch64:M::$magic:$mask:$qemu:PF" >/mnt/binfmt/register

ip link set lo up
unshare --net sleep infinity &
far=$!
until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add near type veth peer name far netns $far
ip address add 10.0.0.1/24 dev near
ip link set near up
nsenter -t $far -n sh -c 'ip link set lo up; ip address add 10.0.0.2/24 dev far; ip link set far up'

for name in amd64 arm64; do
  root=$tools/$name
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  mount --rbind /sys "$root/sys"
  mount -t tmpfs -o size=128m none "$root/data/local/tmp"
  mount -t tmpfs none "$root/tmp"
done
mount --bind "$cpuinfo" "$tools/arm64/proc/cpuinfo" # XNNPACK looks for an Arm there

start() {
  local enter=()
  [ "$1" = arm64 ] && enter=(nsenter -t $far -n)
  "${enter[@]}" chroot "$tools/$1" /usr/bin/busybox env -i PATH=/usr/bin HOME=/root QEMU_CPU=cortex-a76 \
    /usr/lib/android-sdk/platform-tools/adbd >/dev/null 2>&1 &
  adbd[$1]=$!
}
start amd64
start arm64
HOME=/mnt ADB_EMU=0 ADB_USB=0 ADB_MDNS=0 "$tools/adb" nodaemon server >/dev/null 2>&1 &
chroot "$tools/amd64" /usr/sbin/sshd -D -f /dev/null -o PidFile=none -o StrictModes=no \
  -o AuthorizedKeysFile=/root/client-key.pub >/dev/null 2>&1 &

echo "done"
while read -r verb name; do
  case $verb in
    start) start "$name" ;;
    kill) kill -9 "${adbd[$name]}" && wait "${adbd[$name]}" || true ;;
    fill) head -c 124m /dev/zero >"$tools/$name/data/local/tmp/filled" ;;
    empty) rm "$tools/$name/data/local/tmp/filled" ;;
  esac
  echo "done"
done
