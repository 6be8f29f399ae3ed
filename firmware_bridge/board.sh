# The board's side of edge-deploy, run as `sh -c "$THIS" edge-deploy ACTION FOLDER ARGUMENT...`: POSIX sh, and of every
# Debian system coreutils, tar, gzip, flock and ssh-keygen.
#
# Any line may be the last one: connections break, power goes. Therefore
# - what serves is reached through one symbolic link, `current`, which only ever a rename replaces;
# - a release has its name in releases/ only after all of it was on the disk and its golden vectors had passed;
# - what is unfinished or condemned has a name that begins with a dot, and the next push clears it away;
# - there is one lock, and the kernel gives it back when its holder dies;
# - no date is read: a board's clock may stand in 1970.
#
#   FOLDER/current -> releases/0002-edge-infer-0.1.0-2-pi5-0123456789ab    numbered in the order of their coming
#   FOLDER/releases/   FOLDER/incoming/DIGEST   FOLDER/trusted   FOLDER/lock
#
# It tells the host, a line each: `say TEXT`, `serves RELEASE`, `offset BYTES` (send the archive from there), `done`, or
# `fail SENTENCE`. What does not begin so is some login script's and not meant for us.
set -eu
umask 022
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
KEPT=2 # earlier releases that a push leaves

line() { printf '%s %s\n' "$1" "$(printf '%s' "$2" | tr '\n' ' ')"; }
say() { line say "$*"; }
fail() { line fail "$*"; exit 1; }
flush() { sync -f .; }                                 # the folder's file system, to the disk
serving() { if [ -L current ]; then basename "$(readlink current)"; fi; }
field() { sed -n "s/^$1: //p"; }                       # of a release file on standard input
ordered() { ls releases | sort -n; }                   # releases by number; unfinished ones have a dot and are left out
free_kb() { df -Pk . | awk 'NR == 2 {print $4}'; }

enter() {
  if [ -d "$folder" ] && [ ! -d "$folder/releases" ] && [ -n "$(ls -A "$folder")" ]; then
    fail "$folder on the board holds other things: expected edge-deploy's folder or none; choose another with --folder"
  fi
  reason=$(mkdir -p "$folder/releases" "$folder/incoming" 2>&1 && touch "$folder/lock" 2>&1) ||
    fail "$folder on the board can't be written ($reason): expected room and the right to write; mend that, or choose" \
      "another with --folder"
  cd "$folder"
  exec 9>>lock
  flock -n 9 || fail "another edge-deploy is at work on the board: expected one at a time; wait for it"
}

look() {
  [ -d "$folder/releases" ] || fail "nothing is installed in $folder on the board: edge-deploy push first"
  cd "$folder"
}

trust() { # KEY
  enter
  line="edge-deploy namespaces=\"edge-infer\" $1"
  if [ -f trusted ] && grep -qxF "$line" trusted; then say "trusted already"; return; fi
  { if [ -f trusted ]; then cat trusted; fi; printf '%s\n' "$line"; } >.trusted ||
    fail "the key can't be written: make room on the board"
  flush
  mv .trusted trusted
  flush
  say "trusted from now on"
}

# Whether this board can run the release whose `release` file is in $claimed.
fits() {
  # Of the system's programs and not of the kernel: a 32-bit system may run on a 64-bit one. Bytes 5 and 19 of an ELF.
  shell=$(readlink -f /bin/sh)
  case $(od -An -tu1 -j4 -N1 "$shell" | tr -d ' ')-$(od -An -tu1 -j18 -N1 "$shell" | tr -d ' ') in
    2-62) here=x86_64 ;; 2-183) here=aarch64 ;; 1-40) here=armv7l ;; *) here=$(uname -m) ;;
  esac
  wanted=$(printf '%s\n' "$claimed" | field architecture)
  [ "$here" = "$wanted" ] || fail "the archive is for $wanted and the board's system is $here: build one for its target"
  wanted=$(printf '%s\n' "$claimed" | field glibc)
  here=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p')
  [ "$wanted" = 0 ] || at_least "${here:-0}" "$wanted" ||
    fail "the archive needs glibc $wanted and the board has ${here:-another C library}: give the board a newer system"
  wanted=$(printf '%s\n' "$claimed" | field python)
  if [ "$wanted" != none ]; then
    here=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
      fail "the board has no Python: expected Python $wanted, which this release's program runs on;" \
        "apt-get install python3 there"
    [ "$here" = "$wanted" ] || fail "the board has Python $here: expected $wanted; build for its target"
  fi
  now=$(serving)
  if [ -n "$now" ] && [ "$downgrade" = no ]; then
    here=$(field version <"releases/$now/release")
    wanted=$(printf '%s\n' "$claimed" | field version)
    at_least "$wanted" "$here" ||
      fail "the archive has version $wanted, older than the $here that is installed: push with --allow-downgrade"
  fi
}

# Whether version $1 is $2 or a later one; numbers between dots and dashes.
at_least() {
  highest=$(printf '%s\n' "$1" "$2" | tr - . | sort -t. -k1,1n -k2,2n -k3,3n -k4,4n | tail -n 1)
  [ "$highest" = "$(printf '%s\n' "$1" | tr - .)" ]
}

# Whether every file of a release is what was signed, and its program computes on this board what the host computed.
prove() { # RELEASE'S FOLDER
  grep -v '  payload\.tar\.gz$' "$1/digests" >"$1/.listed" || fail "the digest list of $1 can't be read: push it again"
  reason=$(cd "$1" && sha256sum -c --quiet .listed 2>&1) ||
    fail "a file of $1 is not what was signed ($(printf '%s\n' "$reason" | head -n 1)): check the board's storage"
  rm "$1/.listed"
  for model in "$1"/models/*.tflite; do
    status=0
    said=$(timeout 600 "$1/bin/edge-infer" --model "$model" --check 2>&1 </dev/null) || status=$?
    if [ "$status" != 0 ]; then
      line=$(printf '%s\n' "$said" | grep -v bit-exact | head -n 1)
      fail "${model##*/} fails on the board (status $status: $line): its golden vectors must pass; build it again"
    fi
    say "${model##*/}: $(printf '%s\n' "$said" | tail -n 1)"
  done
}

# Number a release that was proven, and let it serve.
switch() { # ITS FOLDER, NAME WITHOUT NUMBER
  last=$(ordered | sed -n 's/^0*\([0-9][0-9]*\)-.*/\1/p' | tail -n 1)
  name=$(printf '%04d-%s' $((${last:-0} + 1)) "$2")
  flush
  if [ "$1" != "releases/$name" ]; then mv -T "$1" "releases/$name"; fi
  point "$name"
}

point() { # RELEASE
  rm -rf .next
  ln -s "releases/$1" .next
  flush
  mv -T .next current
  flush
  say "$1 serves"
}

clean() {
  for left in releases/.[!.]* incoming/*; do
    if [ -e "$left" ] && [ "$left" != "incoming/${1:-}" ]; then rm -rf "$left"; fi
  done
}

prune() { # leave what serves and the newest KEPT others; one that was rolled back from is no release to go back to
  kept=0
  for name in $(ordered | sort -rn); do
    if [ "$name" = "$(serving)" ]; then continue; fi
    if [ ! -e "releases/$name/rejected" ] && [ $kept -lt $KEPT ]; then kept=$((kept + 1)); continue; fi
    mv -T "releases/$name" "releases/.$name"
    rm -rf "releases/.$name"
    say "removed $name"
  done
}

push() { # DIGEST, BYTES, UNPACKED BYTES, RELEASE FILE, yes or no to a downgrade
  digest=$1 bytes=$2 unpacked=$3 claimed=$4 downgrade=$5
  enter
  printf 'serves %s\n' "$(serving)"
  [ -s trusted ] || fail "the board trusts no key yet: expected the signer's; edge-deploy trust HOST --key FILE.pub"
  fits
  name=edge-infer-$(printf '%s\n' "$claimed" | field version)-$(printf '%s\n' "$claimed" | field target)
  name=$name-$(printf '%.12s' "$digest")
  clean "$digest"
  part=incoming/$digest
  there=$(ordered | grep -F -- "-$name" | tail -n 1)
  if [ -n "$there" ]; then
    say "$name is on the board already"
    prove "releases/$there"
    rm -f "releases/$there/rejected"
    if [ "$there" != "$(serving)" ]; then switch "releases/$there" "$name"; fi
  else
    receive
    unpack
    prove "releases/.$name"
    switch "releases/.$name" "$name"
  fi
  rm -f "$part"
  prune
}

receive() {
  have=0
  if [ -f "$part" ]; then have=$(wc -c <"$part"); fi
  if [ "$have" -gt "$bytes" ]; then rm "$part"; have=0; fi
  needed=$(((bytes - have + unpacked) / 1024 + 1024))
  [ "$(free_kb)" -gt "$needed" ] ||
    fail "the board has $(free_kb) KB free: expected $needed KB, for this release beside the running one; make room"
  printf 'offset %s\n' "$have"
  reason=$(cat 2>&1 >>"$part") || fail "the upload can't be written ($reason): make room on the board"
  [ "$(wc -c <"$part")" -eq "$bytes" ] || fail "the upload broke off: the same command goes on where it stopped"
  flush
  sum=$(sha256sum <"$part")
  if [ "${sum%% *}" != "$digest" ]; then
    rm "$part"
    fail "the archive was changed on its way: expected SHA-256 $digest, found ${sum%% *}; push it again"
  fi
}

# Nothing of the archive gets a name of its own choosing before its signature is verified.
unpack() {
  new=releases/.$name
  mkdir "$new"
  for member in release digests digests.sig; do
    reason=$(tar -xOf "$part" "$member" 2>&1 >"$new/$member") ||
      fail "the archive can't be read ($reason): make room on the board, and push it again"
  done
  ssh-keygen -Y verify -f trusted -I edge-deploy -n edge-infer -s "$new/digests.sig" <"$new/digests" >/dev/null 2>&1 ||
    fail "the archive's signature is of no key that the board trusts, or of other content: sign with such a one, or" \
      "edge-deploy trust HOST --key FILE.pub"
  say "signature verified on the board"
  listed release <"$new/release"
  [ "$(cat "$new/release")" = "$claimed" ] ||
    fail "the archive holds another release file than was announced: push it again"
  tar -xOf "$part" payload.tar.gz | listed payload.tar.gz
  reason=$(tar -xOf "$part" payload.tar.gz | tar -xzmo -f - -C "$new" 2>&1) ||
    fail "the archive can't be unpacked ($reason): make room on the board"
}

listed() { # NAME, its content on standard input
  sum=$(sha256sum)
  grep -qxF "${sum%% *}  $1" "$new/digests" ||
    fail "the archive's $1 is not the one in its signed digest list: build and push it again"
}

rollback() {
  look
  enter
  now=$(serving)
  printf 'serves %s\n' "$now"
  back=
  for name in $(ordered); do
    if [ "$name" = "$now" ]; then break; fi
    if [ ! -e "releases/$name/rejected" ]; then back=$name; fi
  done
  [ -n "$back" ] || fail "there is no earlier release on the board to go back to: push one"
  prove "releases/$back"
  touch "releases/$now/rejected"
  point "$back"
}

status() {
  look
  now=$(serving)
  say "serves     ${now:-nothing}"
  if [ -n "$now" ]; then
    say "version    $(field version <"current/release"), target $(field target <"current/release")"
    for model in current/models/*.tflite; do say "model      $(basename "$model" .tflite)"; done
  fi
  for name in $(ordered); do
    if [ "$name" = "$now" ]; then continue; fi
    if [ -e "releases/$name/rejected" ]; then say "earlier    $name, rolled back from"; else say "earlier    $name"; fi
  done
  for part in incoming/*; do
    if [ -f "$part" ]; then say "unfinished $(wc -c <"$part") bytes of ${part##*/}"; fi
  done
  if [ -s trusted ]; then
    cut -d' ' -f3- trusted | ssh-keygen -lf - | while read -r _ print _; do say "trusts     $print"; done
  fi
  say "free       $(($(free_kb) / 1024)) MB"
}

# The picture comes on standard input and goes to no file of the board.
run() { # WORDS for edge-infer
  look
  [ -L current ] || fail "no release serves on the board: edge-deploy push first"
  exec current/bin/edge-infer --json "$@" -
}

remove() {
  look
  enter
  rm -f current
  flush
  rm -rf releases incoming trusted .trusted .next lock
  cd ..
  rmdir "$folder" 2>/dev/null || say "$folder holds other things and stays"
}

action=$1 folder=$2
shift 2
case $folder in /*) ;; *) folder=$HOME/$folder ;; esac
"$action" "$@"
printf 'done\n'
