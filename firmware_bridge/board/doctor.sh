# What a board says of itself, run as board.sh is, as `sh -c "$THIS" edge-deploy MARK FOLDER`: one `fact KEY VALUE` a line, then `done`,
# with MARK in front, as in board.sh. It changes nothing. What can't be found out is left out.
set -u
mark=$1 folder=$2
case $folder in /*) ;; *) folder=$HOME/$folder ;; esac

fact() { if [ -n "$2" ]; then printf '%s fact %s %s\n' "$mark" "$1" "$(printf '%s' "$2" | tr '\n\0' '  ')"; fi; }
first() { cat "$@" 2>/dev/null | head -n 1; }
library() { # its path, from the loader's list, or from where systems without such a list have it
  for path in "$(ldconfig -p 2>/dev/null | sed -n "s/^[[:space:]]*$1 .*=> //p" | head -n 1)" \
    /usr/lib/*-linux-gnu*/"$1" /usr/lib64/"$1" /usr/lib/"$1"; do
    if [ -e "$path" ]; then printf '%s\n' "$path"; break; fi
  done
}

shell=$(readlink -f /bin/sh)
fact elf "$(od -An -tu1 -j4 -N1 "$shell" | tr -d ' ')-$(od -An -tu1 -j18 -N1 "$shell" | tr -d ' ')"
fact kernel "$(uname -srm)"
fact board "$(tr -d '\0' 2>/dev/null </proc/device-tree/model || first /sys/class/dmi/id/product_name)"
fact cores "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
fact glibc "$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p')"
found=$(library 'libstdc++.so.6')
if [ -n "$found" ]; then
  fact glibcxx "$(grep -ao 'GLIBCXX_3\.4\.[0-9]*' "$found" | sed 's/GLIBCXX_//' | sort -t. -k3,3n | tail -n 1)"
fi
fact python "$(python3 -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
for key in MemTotal MemAvailable; do fact $key "$(sed -n "s/^$key: *\([0-9]*\) kB/\1/p" /proc/meminfo)"; done

missing=
for tool in base64 find flock gzip od sha256sum ssh-keygen sync tar timeout; do
  command -v $tool >/dev/null 2>&1 || missing="$missing $tool"
done
fact missing "$missing"

# The nearest folder that is there already: where the release would go.
near=$folder
while [ ! -d "$near" ]; do near=$(dirname "$near"); done
fact free_kb "$(df -Pk "$near" | awk 'NR == 2 {print $4}')"
if [ -w "$near" ]; then fact writable yes; else fact writable no; fi
# As board.sh takes it: by its marker, and through no symbolic link.
marked=no
if [ -L "$folder" ]; then
  fact folder "a symbolic link to $(readlink "$folder")"
elif [ -e "$folder" ] && [ ! -d "$folder" ]; then
  fact folder "a file"
elif [ -f "$folder/.edge-deploy" ] && [ ! -L "$folder/.edge-deploy" ] &&
  [ "$(head -n 1 "$folder/.edge-deploy")" = "folder of edge-deploy 1" ]; then
  fact folder ours
  marked=yes
elif [ -d "$folder" ] && [ -n "$(ls -A "$folder")" ]; then
  fact folder "full of other files"
else
  fact folder none
fi
now=$(if [ $marked = yes ]; then readlink "$folder/current"; fi)
case $now in
  releases/*/*) ;;
  releases/[0-9]*-edge-infer-*)
    fact active "${now#releases/}"
    said=$({ cd "$folder/current" && grep -v '  payload\.tar\.gz$' digests | sha256sum -c --quiet; } 2>&1) ||
      fact damaged "$(printf '%s\n' "$said" | head -n 1)"
    ;;
esac
if [ $marked = yes ] && [ -e "$folder/current" ] && [ ! -L "$folder/current" ]; then fact folder "one whose current is no link"; fi
if [ $marked = yes ] && [ -s "$folder/trusted" ]; then fact trusted "$(wc -l <"$folder/trusted")"; fi
fact clock "$(date +%s)"

frequency=/sys/devices/system/cpu/cpu0/cpufreq
fact governor "$(first $frequency/scaling_governor)"
fact driver "$(first $frequency/scaling_driver)"
for zone in /sys/class/thermal/thermal_zone*; do
  case $(first "$zone/type") in *cpu* | *soc* | *pkg*) fact temperature "$(first "$zone/temp")"; break ;; esac
done
throttled=$(first /sys/devices/platform/soc/soc:firmware/get_throttled)
fact throttled "${throttled:-$(vcgencmd get_throttled 2>/dev/null | sed -n 's/^throttled=0x//p')}"

# A Coral on USB shows one number before its firmware is loaded and another after; one on PCIe has a device of its own.
for device in /sys/bus/usb/devices/*; do
  case $(first "$device/idVendor"):$(first "$device/idProduct") in
    1a6e:089a | 18d1:9302) fact coral usb; fact coral_speed "$(first "$device/speed")" ;;
  esac
done
if [ -e /dev/apex_0 ]; then fact coral pcie; fi
found=$(library 'libedgetpu.so.1')
fact delegate "$found"
if [ -n "$found" ]; then
  # In a process of its own, which may crash: the loader loads it with all that it needs, and complains where it can't.
  said=$(LD_PRELOAD=$found /bin/true 2>&1) && status=0 || status=$?
  if [ "$status" = 0 ] && [ -z "$said" ]; then fact delegate_loads yes; else fact delegate_loads "$status $said"; fi
fi
printf '%s done\n' "$mark"
