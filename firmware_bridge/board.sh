# The board's side of edge-deploy, run as `sh -c "$THIS" edge-deploy MARK ACTION FOLDER ARGUMENT...`: POSIX sh, and of
# every Debian system coreutils, tar, gzip, flock and ssh-keygen.
#
# Any line may be the last one: connections break, power goes. Therefore
# - what serves is reached through one symbolic link, `current`, which only ever a rename replaces;
# - a release has its name in releases/ only after all of it was on the disk and its golden vectors had passed;
# - what is unfinished or condemned has a name that begins with a dot or lies in incoming/, and the next push clears it
#   away, but for an upload of its own archive, which it goes on with;
# - there is one lock, and the kernel gives it back when its holder dies;
# - no date is read: a board's clock may stand in 1970.
#
#   FOLDER/current -> releases/0002-edge-infer-0.1.0-2-pi5-0123456789ab    numbered in the order of their coming
#   FOLDER/releases/   FOLDER/incoming/DIGEST   FOLDER/trusted   FOLDER/lock
#
# It tells the host, a line each: `say TEXT`, `serves RELEASE`, `offset BYTES` (send the archive from there), `heard`
# (answer with a line), `answer JSON`, `done`, or `fail SENTENCE`. In front of each stands MARK, a word that the host
# makes up for this one call: a login script can print whatever it likes.
set -eu
umask 022
LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
KEPT=2 # earlier releases that a push leaves

tell() { printf '%s %s %s\n' "$mark" "$1" "$(printf '%s' "${2-}" | tr '\n' ' ')"; }
say() { tell say "$*"; }
fail() { tell fail "$*"; exit 1; }
flush() { sync -f .; }                                 # the folder's file system, to the disk
serving() { if [ -L "$folder/current" ]; then basename "$(readlink "$folder/current")"; fi; }
field() { sed -n "s/^$1: //p"; }                       # of a release file on standard input
ordered() { ls releases | sort -n; }                   # releases by number; unfinished ones have a dot, are left out
free_kb() { df -Pk . | awk 'NR == 2 {print $4}'; }

need() { # PROGRAM...
  for tool; do
    if command -v "$tool" >/dev/null 2>&1; then continue; fi
    case $tool in
      flock) package=util-linux ;;
      ssh-keygen) package=openssh-client ;;
      tar | gzip) package=$tool ;;
      *) package=coreutils ;;
    esac
    fail "the board has no $tool: expected Debian's; apt-get install $package there"
  done
}

enter() {
  need flock sync
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

trust() { # KEY as "type base64", COMMENT
  enter
  if [ -f trusted ] && grep -qF "\"edge-infer\" $1" trusted; then say "trusted already"; return; fi
  list=$(if [ -f trusted ]; then cat trusted; fi; printf '%s\n' "edge-deploy namespaces=\"edge-infer\" $1${2:+ $2}")
  entrust
  say "trusted from now on"
}

distrust() { # FINGERPRINT
  look
  enter
  need ssh-keygen
  gone=
  if [ -s trusted ]; then
    while IFS= read -r line; do case $(print) in "$1 "*) gone=$line ;; esac; done <trusted
  fi
  [ -n "$gone" ] || fail "the board does not trust $1: expected a key that edge-deploy status shows; name that one"
  list=$(grep -vxF -- "$gone" trusted || :)
  entrust
  say "$1 is not trusted any more"
  if [ -z "$list" ]; then say "no key is trusted now: edge-deploy trust before the next push"; fi
}

entrust() { # the keys in $list, and no others
  reason=$(if [ -n "$list" ]; then printf '%s\n' "$list"; fi 2>&1 >.trusted) ||
    { rm -f .trusted; fail "the keys can't be written ($reason): make room on the board"; }
  flush
  mv .trusted trusted
  flush
}

print() { # of the key in $line: its fingerprint and comment
  printf '%s\n' "$line" | cut -d' ' -f3- | ssh-keygen -lf - | sed 's/^[0-9]* //; s/ ([^ ]*)$//'
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
  # A release that has lost even its version is damaged, and none is too old to mend it.
  if [ -n "$now" ] && [ -f "releases/$now/release" ] && [ "$downgrade" = no ]; then
    here=$(field version <"releases/$now/release")
    wanted=$(printf '%s\n' "$claimed" | field version)
    at_least "$wanted" "$here" ||
      fail "the archive has version $wanted, older than the $here that is installed: give the build a higher number" \
        "with --release N, or push with --allow-downgrade"
  fi
}

# Whether version $1 is $2 or a later one; numbers between dots and dashes.
at_least() {
  highest=$(printf '%s\n' "$1" "$2" | tr - . | sort -t. -k1,1n -k2,2n -k3,3n -k4,4n | tail -n 1)
  [ "$highest" = "$(printf '%s\n' "$1" | tr - .)" ]
}

# Whether every file of a release is what was signed, by its digest list; else $why says which is not. It writes
# nothing, as it must work on a full disk.
intact() { # RELEASE'S FOLDER
  why=$({ cd "$1" && grep -v '  payload\.tar\.gz$' digests | sha256sum -c --quiet; } 2>&1) && return
  why="a file of ${1##*/} is not what was signed ($(printf '%s\n' "$why" | head -n 1)): check the board's storage"
  return 1
}

# Whether it is intact and its program computes on this board what the host computed; else $why says what is wrong.
prove() { # RELEASE'S FOLDER
  intact "$1" || return 1
  for model in "$1"/models/*.tflite; do
    status=0
    said=$(timeout 600 "$1/bin/edge-infer" --model "$model" --check 2>&1 </dev/null) || status=$?
    if [ "$status" != 0 ]; then
      ending "$status"
      line=$(printf '%s\n' "$said" | grep -v bit-exact | head -n 1)
      why="${model##*/} fails on the board ($how${line:+: $line}): its golden vectors must pass; $cure"
      return 1
    fi
    say "${model##*/}: $(printf '%s\n' "$said" | tail -n 1)"
  done
}

# What a program's exit status means ($how), and what helps ($cure).
ending() { # STATUS
  cure="build and push it again"
  case $1 in
    124) how="no end after 10 minutes" cure="see what else runs on the board" ;;
    126 | 127) how="status $1, its program is missing or does not start" ;;
    137) how="ended by signal 9, as where memory runs out" cure="stop other programs there" ;;
    *) if [ "$1" -gt 128 ]; then how="ended by signal $(($1 - 128))"; else how="status $1"; fi ;;
  esac
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
  reason=$(ln -s "releases/$1" .next 2>&1) || fail "$1 can't be switched to ($reason): make room on the board"
  flush
  mv -T .next current
  flush
  say "$1 serves"
}

clean() {
  rm -rf .next .trusted
  for left in releases/.[!.]* incoming/*; do
    if [ -e "$left" ] && [ "$left" != "incoming/${1:-}" ]; then rm -rf "$left"; fi
  done
}

# Leave what serves and the newest KEPT others. One that was rolled back from is no release to go back to, nor is one
# that the board's storage has damaged since it was proven: it must not take the place of a good one.
prune() {
  kept=0
  for name in $(ordered | sort -rn); do
    if [ "$name" = "$(serving)" ]; then continue; fi
    why=
    if [ ! -e "releases/$name/rejected" ] && [ $kept -lt $KEPT ] && intact "releases/$name"; then
      kept=$((kept + 1))
      continue
    fi
    mv -T "releases/$name" "releases/.$name"
    rm -rf "releases/.$name"
    say "removed $name${why:+, which is damaged}"
  done
}

# Whether a release that is yet to be built could be pushed: what can be refused before that is.
ready() { # RELEASE FILE as far as it is known, yes or no to a downgrade, SIGNER'S KEY in base64
  claimed=$1 downgrade=$2
  expect
  grep -qF " $3" "$folder/trusted" ||
    fail "the board does not trust the key that signs: expected a trusted one; edge-deploy trust HOST --key FILE.pub"
  cd "$folder"
  fits
}

expect() { # of a board that is to take a release
  need flock sync sha256sum tar gzip ssh-keygen timeout od
  [ -s "$folder/trusted" ] ||
    fail "the board trusts no key yet: expected the signer's; edge-deploy trust HOST --key FILE.pub"
}

push() { # DIGEST, BYTES, UNPACKED BYTES, RELEASE FILE, yes or no to a downgrade
  digest=$1 bytes=$2 unpacked=$3 claimed=$4 downgrade=$5
  tell serves "$(serving)"
  enter
  expect
  fits
  name=edge-infer-$(printf '%s\n' "$claimed" | field version)-$(printf '%s\n' "$claimed" | field target)
  name=$name-$(printf '%.12s' "$digest")
  clean "$digest"
  part=incoming/$digest
  there=$(ordered | grep -F -- "-$name" | tail -n 1)
  why=
  if [ -n "$there" ]; then say "$name is on the board already"; fi
  if [ -n "$there" ] && prove "releases/$there"; then
    rm -f "releases/$there/rejected"
    if [ "$there" = "$(serving)" ]; then say "$there serves"; else switch "releases/$there" "$name"; fi
  else
    if [ -n "$there" ]; then say "$why; it is taken anew"; fi
    new=releases/.$name
    receive
    unpack
    prove "$new" || refuse "$why"
    switch "$new" "$name"
  fi
  rm -f "$part" .unheard
  prune
}

refuse() { rm -rf "$new" "$part"; fail "$@"; } # an archive that was received and is no good

receive() {
  have=0
  if [ -f "$part" ]; then have=$(wc -c <"$part"); fi
  if [ "$have" -gt "$bytes" ]; then rm "$part"; have=0; fi
  needed=$(((bytes - have + unpacked) / 1024 + 1024))
  [ "$(free_kb)" -gt "$needed" ] ||
    fail "the board has $(free_kb) KB free: expected $needed KB, for this release beside the running one; make room"
  tell offset "$have"
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
  mkdir "$new"
  for member in release digests digests.sig; do
    reason=$(tar -xOf "$part" "$member" 2>&1 >"$new/$member") ||
      { rm -rf "$new"; fail "the archive can't be read ($reason): make room on the board, and push it again"; }
  done
  ssh-keygen -Y verify -f trusted -I edge-deploy -n edge-infer -s "$new/digests.sig" <"$new/digests" >/dev/null 2>&1 ||
    refuse "the archive's signature is of no key that the board trusts, or of other content: sign with such a one, or" \
      "edge-deploy trust HOST --key FILE.pub"
  say "signature verified on the board"
  listed release <"$new/release"
  [ "$(cat "$new/release")" = "$claimed" ] ||
    refuse "the archive holds another release file than was announced: push it again"
  tar -xOf "$part" payload.tar.gz | listed payload.tar.gz
  reason=$(tar -xOf "$part" payload.tar.gz | tar -xzmo -f - -C "$new" 2>&1) ||
    { rm -rf "$new"; fail "the archive can't be unpacked ($reason): make room on the board"; }
}

listed() { # NAME, its content on standard input
  sum=$(sha256sum)
  grep -qxF "${sum%% *}  $1" "$new/digests" ||
    refuse "the archive's $1 is not the one in its signed digest list: build and push it again"
}

# Going back twice is not the same as once. `.unheard` names the release that a rollback switches to until the host has
# heard of it: one that was interrupted and asks again finds it done.
rollback() {
  look
  now=$(serving)
  tell serves "$now"
  enter
  need sha256sum timeout
  if [ -n "$now" ] && [ "$(readlink .unheard || :)" = "$now" ]; then
    say "$now serves already: the rollback before this one came through and was not heard of"
  else
    earlier=
    for name in $(ordered); do
      if [ "$name" = "$now" ]; then break; fi
      if [ ! -e "releases/$name/rejected" ]; then earlier="$name $earlier"; fi
    done
    [ -n "$earlier" ] || fail "there is no earlier release on the board to go back to: push one"
    back=
    for name in $earlier; do
      if prove "releases/$name"; then back=$name; break; fi
      say "passed over $name: $why"
    done
    [ -n "$back" ] || fail "no earlier release on the board is good ($why): push one"
    if [ -n "$now" ]; then
      touch "releases/$now/rejected" 2>/dev/null || say "$now can't be marked as rolled back from: make room"
    fi
    rm -f .unheard
    ln -s "$back" .unheard 2>/dev/null || : # a disk without room even for a link fails at the next one
    point "$back"
    tell serves "$back"
  fi
  tell heard
  if read -r _; then rm -f .unheard; fi
}

status() {
  look
  now=$(serving)
  say "serves     ${now:-nothing}"
  if [ -n "$now" ] && [ ! -f current/release ]; then
    say "damaged    it has lost its files: push it again, and check the board's storage"
  elif [ -n "$now" ]; then
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
    need ssh-keygen
    while read -r line; do say "trusts     $(print)"; done <trusted
  fi
  say "free       $(($(free_kb) / 1024)) MB"
}

# The picture comes on standard input and goes to no file of the board.
run() { # MODEL, or nothing for the only one or pneumonia; RUNTIME
  look
  [ -d current/models ] || fail "no release serves on the board: edge-deploy push first"
  models=$(cd current/models && ls ./*.tflite | sed 's/^..\(.*\).tflite$/\1/')
  model=${1:-pneumonia}
  if [ -z "$1" ] && [ "$(printf '%s\n' "$models" | wc -l)" = 1 ]; then model=$models; fi
  printf '%s\n' "$models" | grep -qxF -- "$model" ||
    fail "there is no model $model on the board: expected one of $(printf '%s\n' "$models" | paste -sd' ');" \
      "name it with --model, or push it"
  status=0
  answer=$(current/bin/edge-infer --json --model "$model" --runtime "$2" -) || status=$?
  if [ "$status" != 0 ]; then
    ending "$status"
    fail "edge-infer gave no answer on the board ($how): expected one; $cure"
  fi
  tell answer "$answer"
}

remove() {
  look
  tell serves "$(serving)"
  enter
  removed=$(ordered)
  rm -f current
  flush
  tell serves
  trusted=
  if [ -s trusted ]; then trusted=" and the keys that it trusted"; fi
  # The releases last: as long as they are there, the folder is known as ours, and the same command goes on.
  rm -rf incoming trusted .trusted .next .unheard lock
  rm -rf releases
  for name in $removed; do say "removed $name"; done
  cd ..
  if rmdir "$folder" 2>/dev/null; then
    say "removed $folder$trusted: nothing of edge-deploy is left"
  else
    say "removed what edge-deploy brought$trusted; $folder holds other things and stays"
  fi
}

mark=$1 action=$2 folder=$3
shift 3
case $folder in /*) ;; *) folder=$HOME/$folder ;; esac
"$action" "$@"
tell done
