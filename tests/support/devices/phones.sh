#!/bin/bash
# Two phones in a network of their own: Debian's adbd on x86-64 at 127.0.0.1:5555 and on an emulated Cortex-A76 at
# 10.0.0.2:5555, an adb server, and sshd at 127.0.0.1. adbd gives anybody a root shell: only here, where nobody else is.
# The second one is as a phone is: its shell is user 2000's, and once adbd runs it has no library of Linux's any more.
#
#   unshare --net --mount --pid --fork --kill-child bash phones.sh TOOLS QEMU, in a user namespace
#
# Takes "kill NAME", "start NAME", "fill NAME", "empty NAME", "core CPU" on standard input and answers each with "done";
# its end is the end of everything in here. From "core CPU" on the second phone has another processor, by qemu's name.
set -euo pipefail
tools=$1 qemu=$2
declare -A adbd
cpu=cortex-a76

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
  mount -t tmpfs -o size=128m,mode=777 none "$root/data/local/tmp"
  mount -t tmpfs none "$root/tmp"
  mkdir -p "$root/sdcard"
  mount -t tmpfs -o ro none "$root/sdcard" # adbd may not change the owner of an app's files there; here it writes none
done

stop() {
  kill -9 "${adbd[$1]}" && wait "${adbd[$1]}" || true
}

start() {
  local enter=() user=0
  if [ "$1" = arm64 ]; then
    enter=(nsenter -t $far -n) user=2000
    umount "$tools/arm64/usr/lib" 2>/dev/null || true
  fi
  "${enter[@]}" chroot --userspec=$user:$user "$tools/$1" /usr/bin/busybox env -i PATH=/usr/bin HOME=/root QEMU_CPU=$cpu \
    /usr/lib/android-sdk/platform-tools/adbd >/dev/null 2>&1 &
  adbd[$1]=$!
  if [ "$1" = arm64 ]; then
    until "${enter[@]}" sh -c 'grep -qE ":15B3 0+:0000 0A" /proc/net/tcp /proc/net/tcp6'; do sleep 0.1; done # it listens at port 5555
    mount -t tmpfs none "$tools/arm64/usr/lib"
  fi
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
    kill) stop "$name" ;;
    core) cpu=$name && stop arm64 && start arm64 ;;
    fill) head -c 124m /dev/zero >"$tools/$name/data/local/tmp/filled" ;;
    empty) rm "$tools/$name/data/local/tmp/filled" ;;
  esac
  echo "done"
done
