# The board's side of edge-bench, run as edge-deploy's board.sh is (firmware_bridge/board/ssh.py), as
# `sh -c "$THIS" edge-deploy MARK ACTION FOLDER ARGUMENT...`: POSIX sh, and of every Debian system coreutils, findutils,
# grep and sed.
#
# It sends the host, a line each with MARK in front: `fact KEY VALUE`, `state WHEN SECONDS KEY=VALUE|...`, `wall
# NANOSECONDS CENTISECONDS` (the system's clock, which may be set meanwhile, and the one since the start, which is
# coarse), `status N`, `out LINE`, `err LINE`, `data BASE64`, `power SECONDS LINE`, `done`, or `fail CODE SENTENCE`.
# What it keeps are models, by their digest, in STORE; nothing else there is touched.
set -u
umask 077
mark=$1 action=$2 folder=$3
shift 3
case $folder in /*) ;; *) folder=$HOME/$folder ;; esac
STORE=$HOME/.cache/edge-bench/models
MODEL='[0-9a-f]\{64\}\.tflite'

send() { printf '%s %s\n' "$mark" "$(printf '%s' "$*" | tr '\n' ' ')"; }
fact() { if [ -n "$2" ]; then send fact "$1" "$2"; fi; }
fail() { send fail "$@"; exit 1; }
first() { cat "$@" 2>/dev/null | tr -d '\0' | head -n 1; }
uptime() { read -r up _ </proc/uptime; printf '%s' "$up" | tr -d .; } # centiseconds

hwmon() { # the folder of a sensor by its name: their numbers change from start to start
  for each in /sys/class/hwmon/hwmon*; do
    if [ "$(first "$each/name")" = "$1" ]; then printf '%s' "$each"; break; fi
  done
}

sample() { # WHEN: what the kernel says; no program of the firmware's, which takes time
  clocks=$(cat /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq 2>/dev/null | tr '\n' ',')
  temperature=
  for zone in /sys/class/thermal/thermal_zone*; do
    case $(first "$zone/type") in *cpu* | *soc* | *pkg*) temperature=$(first "$zone/temp"); break ;; esac
  done
  now=$(uptime)
  send state "$1" "$((now - origin))" "governor=$(first /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor)|clocks=$clocks|temperature=$temperature|alarm=$(first "$volt/in0_lcrit_alarm")|throttled=${2:-$(first /sys/devices/platform/soc/soc:firmware/get_throttled)}"
}

firmware() { # what vcgencmd says where the kernel has no file of it; before and after a run only
  if [ ! -r /sys/devices/platform/soc/soc:firmware/get_throttled ] && command -v vcgencmd >/dev/null 2>&1; then
    vcgencmd get_throttled 2>/dev/null
  fi
}

about() {
  fact kernel "$(uname -r)"
  fact architecture "$(uname -m)"
  fact board "$(first /proc/device-tree/model || :)"
  fact product "$(first /sys/class/dmi/id/product_name)"
  fact cores "$(getconf _NPROCESSORS_ONLN 2>/dev/null)"
  fact machine "$(first /etc/machine-id)"
  fact serial "$(first /proc/device-tree/serial-number)"
  fact program "$(sed -n 's/^program: //p' "$folder/current/release" 2>/dev/null)"
  fact release "$(basename "$(readlink "$folder/current" 2>/dev/null)" 2>/dev/null)"
  if command -v vcgencmd >/dev/null 2>&1 && vcgencmd pmic_read_adc >/dev/null 2>&1; then fact power yes; fi
  for tool in base64 mktemp sha256sum timeout; do
    command -v $tool >/dev/null 2>&1 || fail board.tools "the board has no $tool: expected coreutils; apt-get install coreutils there"
  done
}

infer() { # SECONDS, yes or no to power, WORDS of edge-infer; the image on standard input
  seconds=$1 power=$2
  shift 2
  program=$folder/current/bin/edge-infer
  [ -x "$program" ] || fail board.release "the board has no release in $folder: edge-deploy push first"
  work=$(mktemp -d "${TMPDIR:-/tmp}/edge-bench.XXXXXX") || fail board.disk "nothing can be written in ${TMPDIR:-/tmp}: make room on the board"
  job=
  trap 'if [ -n "$job" ]; then kill "$job" 2>/dev/null; fi; rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM PIPE
  cat >"$work/image" || fail board.disk "the image can't be written in ${TMPDIR:-/tmp}: make room on the board"
  volt=$(hwmon rpi_volt)
  origin=$(uptime)
  sample before "$(firmware)"
  sampling &
  sampler=$!
  started=$(uptime) begun=$(date +%s%N) status=0
  # Beside this shell, so that it hears meanwhile that the host is gone.
  timeout -k 5 "$seconds" "$program" "$@" <"$work/image" >"$work/out" 2>"$work/err" &
  job=$!
  wait "$job" || status=$?
  ended=$(date +%s%N) stopped=$(uptime) job=
  kill "$sampler" 2>/dev/null
  wait "$sampler" 2>/dev/null
  sample after "$(firmware)"
  send wall $((ended - begun)) $((stopped - started))
  send status "$status"
  sed "s/^/$mark out /" "$work/out"
  echo
  sed "s/^/$mark err /" "$work/err"
  echo
}

sampling() { # until it is ended; the driver of a Raspberry Pi asks for the voltage every 2 s
  exec </dev/null             # a sleep that outlives it has none of the connection's ends
  trap 'kill "$$"; exit' PIPE # the host is gone: nothing is to run on for nobody ($$ is the shell of infer)
  if [ "$power" = yes ]; then
    while sleep 0.2 >/dev/null 2>&1; do
      at=$(($(uptime) - origin))
      vcgencmd pmic_read_adc 2>/dev/null | sed "s/^/$mark power $at /" || kill "$$"
    done
  else
    while sleep 1 >/dev/null 2>&1; do sample during; done
  fi
}

has() { # DIGEST of a model file
  found=no
  if [ -f "$STORE/$1.tflite" ] && [ ! -L "$STORE/$1.tflite" ]; then
    sum=$(sha256sum <"$STORE/$1.tflite")
    if [ "${sum%% *}" = "$1" ]; then found=yes; fi
  fi
  fact found $found
  fact path "$STORE/$1.tflite"
}

put() { # DIGEST; the file on standard input
  reason=$(mkdir -p "$STORE" 2>&1 && cat 2>&1 >"$STORE/.$1") || {
    rm -f "$STORE/.$1"
    fail board.disk "a model can't be written in $STORE ($reason): make room on the board"
  }
  sum=$(sha256sum <"$STORE/.$1")
  if [ "${sum%% *}" != "$1" ]; then
    rm -f "$STORE/.$1"
    fail board.lost "a model was changed or cut short on its way: expected SHA-256 $1; give the same command again"
  fi
  mv -f "$STORE/.$1" "$STORE/$1.tflite"
}

keep() { # of the models that edge-bench brought, those whose digests are the lines of standard input
  if [ -d "$STORE" ]; then
    sed 's/$/.tflite/' |
      (cd "$STORE" && ls -A | grep -x "$MODEL" | grep -vxF -f /dev/fd/3 | xargs -r rm -f) 3<&0 0</dev/null
  fi
}

fetch() { # PATH, BYTES at most
  if [ -f "$1" ]; then
    fact found yes
    head -c "$2" "$1" | base64 | sed "s/^/$mark data /"
  fi
}

case $action in about | infer | has | put | keep | fetch) "$action" "$@" ;; *) fail arguments.invalid "unknown action" ;; esac
send 'done'
