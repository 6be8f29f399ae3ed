# The board's side of edge-deploy, run as `env -i HOME=... LC_ALL=C PATH=... sh -c "$THIS" edge-deploy MARK ACTION FOLDER
# ARGUMENT...` (ssh.py): POSIX sh, and of every Debian system coreutils, findutils, tar, gzip, flock and ssh-keygen.
#
# Any line may be the last one: connections break, power goes. Therefore
# - the active release is reached through one symbolic link, `current`, which only ever a rename replaces;
# - a release has its name in releases/ only after all of it was on the disk and its golden vectors had passed;
# - what is unfinished or rejected has a name that begins with a dot or lies in incoming/, and the next push clears it
#   away, but for an upload of its own archive, which it goes on with;
# - there is one lock, and the kernel gives it back when its holder dies;
# - no date is read: a board's clock may stand in 1970.
#
#   FOLDER/current -> releases/0002-edge-infer-0.1.0-2-pi5-0123456789ab    numbered in the order of activation
#   FOLDER/releases/   FOLDER/incoming/DIGEST   FOLDER/trusted   FOLDER/lock   FOLDER/.edge-deploy
#
# A folder is edge-deploy's by its marker, .edge-deploy, which is written into a new or empty folder only. In there it
# owns what has its names and is of the kind that it makes; all else stays. No symbolic link is
# followed: one in the place of a folder or a file is somebody else's.
#
# It sends the host, a line each: `say TEXT`, `fact KEY VALUE`, `active RELEASE`, `offset BYTES` (send the archive from
# there), `heard` (answer with a line), `answer JSON`, `file NAME BASE64`, `done`, or `fail SENTENCE`. In front of each
# stands MARK, a word that the host makes up for this one call: a login script can print whatever it likes.
set -eu
umask 022
KEPT=2 # earlier releases that a push leaves
MARKER=.edge-deploy OURS='folder of edge-deploy 1'
UNFINISHED='edge-infer-[0-9.]*-[0-9]*-[a-z0-9-]*-[0-9a-f]\{12\}' # a release's name before it has a number
RELEASE="[0-9]\\{4,\\}-$UNFINISHED"
LARGEST_TEXT=4194304 # bytes of a member that is read before the signature is verified

send() { printf '%s %s %s\n' "$mark" "$1" "$(printf '%s' "${2-}" | tr '\n' ' ')"; }
say() { send say "$*"; }
fact() { send fact "$1 $2"; }
fail() { send fail "$*"; exit 1; }
flush() { sync -f .; }                                 # the folder's file system, to the disk
present() { [ -e "$1" ] || [ -L "$1" ]; }
a_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }
a_file() { [ -f "$1" ] && [ ! -L "$1" ]; }
named() { printf '%s\n' "$1" | grep -qx -- "$2"; }      # NAME, PATTERN
erase() { reason=$(rm -rf -- "$@" 2>&1) || fail "$1 can't be removed ($reason): give the login user the right to"; }
active() { # the release that `current` points to, whether or not that is still there
  if [ -L "$folder/current" ]; then
    to=$(readlink "$folder/current")
    if named "${to#releases/}" "$RELEASE" && [ "$to" = "releases/${to#releases/}" ]; then printf '%s\n' "${to#releases/}"; fi
  fi
}
field() { sed -n "s/^$1: //p"; }                       # of a release file on standard input
ordered() { # releases by number, and nothing else that lies there
  if a_folder releases; then
    ls -A releases | grep -x "$RELEASE" | sort -n | while read -r name; do
      if a_folder "releases/$name"; then printf '%s\n' "$name"; fi
    done
  fi
}
free_kb() { df -Pk . | awk 'NR == 2 {print $4}'; }

need() { # PROGRAM...
  for tool; do
    if command -v "$tool" >/dev/null 2>&1; then continue; fi
    case $tool in
      flock) package=util-linux ;;
      ssh-keygen) package=openssh-client ;;
      tar | gzip) package=$tool ;;
      find) package=findutils ;;
      *) package=coreutils ;;
    esac
    fail "the board has no $tool: expected Debian's; apt-get install $package there"
  done
}

# Whether the folder bears the marker that edge-deploy writes.
marked() { a_file "$folder/$MARKER" && [ -O "$folder/$MARKER" ] && [ "$(head -n 1 "$folder/$MARKER")" = "$OURS" ]; }

# That the folder is none of somebody else's; it may not be there yet.
plain() {
  if [ -L "$folder" ]; then
    fail "$folder on the board is a symbolic link (to $(readlink "$folder")): expected edge-deploy's own folder; name" \
      "the place that is meant with --folder"
  fi
  present "$folder" || return 0
  [ -d "$folder" ] || fail "$folder on the board is a file: expected edge-deploy's folder or none; choose another with --folder"
  [ -O "$folder" ] ||
    fail "$folder on the board is the folder of another user ($(stat -c %U "$folder")): expected the login user's own;" \
      "log in as that user, or choose another with --folder"
  [ -r "$folder" ] && [ -x "$folder" ] || fail "$folder on the board can't be read: expected the right to; chmod u+rx $folder there"
}

not_ours() { # what is in the folder
  fail "$folder on the board contains other files ($1) and no $MARKER, the marker of edge-deploy's folder: expected" \
    "that one, an empty folder or none; nothing was changed there; choose another with --folder"
}

some() { # the lines of standard input: the first three, and how many more
  awk 'NR <= 3 {line = line (NR > 1 ? ", " : "") $0} END {if (NR > 3) line = line " and " NR - 3 " more"; print line}'
}

# That the folder is ours, or new or empty.
free() {
  plain
  if marked || ! present "$folder"; then return; fi
  if present "$folder/$MARKER" && { ! a_file "$folder/$MARKER" || [ -s "$folder/$MARKER" ]; }; then not_ours "another $MARKER"; fi
  others=$(ls -A "$folder" | grep -vxF "$MARKER" | some)
  [ -z "$others" ] || not_ours "$others"
}

# Make it ours; the marker says whether it was there before, as it then stays in the end.
claim() {
  free
  if marked; then return; fi
  how=$(if [ -d "$folder" ]; then echo found; else echo made; fi)
  reason=$({ mkdir -p "$folder" && printf '%s\n' "$OURS" "$how" >"$folder/$MARKER"; } 2>&1) || unwritable
  (cd "$folder" && flush)
}

unwritable() {
  fail "$folder on the board can't be written ($reason): expected room and the right to write; correct that, or choose" \
    "another with --folder"
}

# That what has our names in there is of the kind that we make.
checked() {
  for item in releases incoming; do
    if present "$folder/$item" && ! a_folder "$folder/$item"; then strange "$item" "a folder"; fi
  done
  for item in lock trusted .trusted; do
    if present "$folder/$item" && ! a_file "$folder/$item"; then strange "$item" "a file"; fi
  done
  for item in .next .unheard; do
    if present "$folder/$item" && [ ! -L "$folder/$item" ]; then strange "$item" "a symbolic link"; fi
  done
  if present "$folder/current" && [ -z "$(active)" ]; then strange current "a symbolic link to a release"; fi
}

strange() { # NAME, WHAT IS EXPECTED
  kind="a file"
  if [ -d "$folder/$1" ]; then kind="a folder"; fi
  if [ -L "$folder/$1" ]; then kind="a symbolic link to $(readlink "$folder/$1")"; fi
  fail "$folder/$1 on the board is $kind, which edge-deploy did not make: expected $2; nothing of it was changed; move" \
    "it elsewhere, and give the same command again"
}

locked() {
  need flock sync
  cd "$folder"
  exec 9>>lock
  flock -n 9 || fail "another edge-deploy is at work on the board: expected one at a time; wait for it"
}

enter() {
  claim
  checked
  reason=$({ mkdir -p "$folder/releases" "$folder/incoming" && touch "$folder/lock"; } 2>&1) || unwritable
  locked
}

look() {
  free
  marked || fail "nothing is installed in $folder on the board: edge-deploy push first"
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
    here=$(python3 -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) ||
      fail "the board has no Python: expected Python $wanted, which this release's program runs on;" \
        "apt-get install python3 there"
    [ "$here" = "$wanted" ] || fail "the board has Python $here: expected $wanted; build for its target"
  fi
  now=$(active)
  # A release that has lost even its version is damaged, and none is too old to correct it.
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
verify() { # RELEASE'S FOLDER
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

# Number a release that was verified, and activate it.
activate() { # ITS FOLDER, NAME WITHOUT NUMBER
  last=$(ordered | sed -n 's/^0*\([0-9][0-9]*\)-.*/\1/p' | tail -n 1)
  name=$(printf '%04d-%s' $((${last:-0} + 1)) "$2")
  flush
  if [ "$1" != "releases/$name" ]; then mv -T "$1" "releases/$name"; fi
  point "$name"
}

point() { # RELEASE
  rm -f .next
  reason=$(ln -s "releases/$1" .next 2>&1) || fail "$1 can't be activated ($reason): make room on the board"
  flush
  mv -T .next current
  flush
  say "$1 is active"
  send active "$1"
}

clean() { # but the upload NAME
  forget_temporary
  for left in releases/.[0-9e]* incoming/*; do
    item=${left#*/}
    case $left in
      releases/*) if ! named "${item#.}" "$UNFINISHED" && ! named "${item#.}" "$RELEASE" || ! a_folder "$left"; then continue; fi ;;
      *) if ! upload "$left" || [ "$item" = "${1:-}" ]; then continue; fi ;;
    esac
    erase "$left"
  done
}

forget_temporary() {
  if [ -L .next ]; then rm -f .next; fi
  if a_file .trusted; then rm -f .trusted; fi
}

upload() { named "${1#incoming/}" '[0-9a-f]\{64\}' && a_file "$1"; } # whether it is one that did not end

# The files of a release that its digest list does not name: people's own, which go with no release.
strays() { # ITS FOLDER
  if [ -f "$1/digests" ]; then
    {
      sed 's/^[0-9a-f]*  //' "$1/digests"
      printf '%s\n' digests digests.sig rejected
    } | (cd "$1" && find . -type f | sed 's,^\./,,' | grep -vxF -f /dev/fd/3) 3<&0 0</dev/null || :
  fi
}

discard() { # RELEASE; whether it could go
  others=$(strays "releases/$1" | some)
  if [ -n "$others" ]; then
    say "$1 stays, as files in it are not edge-deploy's ($others): move them elsewhere"
    return 1
  fi
  mv -T "releases/$1" "releases/.$1"
  erase "releases/.$1"
}

# Keep the active release and the newest KEPT others. One that was rolled back from is no release to go back to, nor is one
# that the board's storage has damaged since it was verified: it must not take the place of a good one.
prune() {
  kept=0
  for name in $(ordered | sort -rn); do
    if [ "$name" = "$(active)" ]; then continue; fi
    why=
    if [ ! -e "releases/$name/rejected" ] && [ $kept -lt $KEPT ] && intact "releases/$name"; then
      kept=$((kept + 1))
      continue
    fi
    if discard "$name"; then say "removed $name${why:+, which is damaged}"; fi
  done
}

# Whether a release that is yet to be built could be pushed: what can be refused before that is.
ready() { # RELEASE FILE as far as it is known, yes or no to a downgrade, SIGNER'S KEY in base64, MODELS
  claimed=$1 downgrade=$2
  free
  checked
  expect
  grep -qF " $3" "$folder/trusted" ||
    fail "the board does not trust the key that signs: expected a trusted one; edge-deploy trust HOST --key FILE.pub"
  cd "$folder"
  fits
  lacking "$4"
}

# Say which models of the active release the new one lacks: a release is all that a board has.
lacking() { # MODELS of the new one, a line each; none where the host knows that this was said
  gone=$(installed | grep -vxF -- "$1" | paste -sd' ')
  if [ -n "$1" ] && [ -n "$gone" ]; then
    say "models of the active release that this one lacks: $gone; edge-deploy rollback restores them"
  fi
}

installed() { # the active release's models
  if [ -n "$(active)" ] && [ -d current/models ]; then (cd current/models && ls | sed -n 's/\.tflite$//p'); fi
}

usual() { # the model that is meant where none is named, as edge-infer chooses it; nothing where it must be named
  if [ -f current/models/default ]; then
    head -n 1 current/models/default
  elif installed | grep -qx pneumonia; then
    echo pneumonia
  elif [ "$(installed | wc -l)" = 1 ]; then installed; fi
}

expect() { # of a board that is to take a release
  need flock sync sha256sum tar gzip ssh-keygen timeout od find
  [ -s "$folder/trusted" ] ||
    fail "the board trusts no key yet: expected the signer's; edge-deploy trust HOST --key FILE.pub"
}

push() { # DIGEST, BYTES, UNPACKED BYTES of the payload's tar, RELEASE FILE, yes or no to a downgrade, MODELS
  digest=$1 bytes=$2 unpacked=$3 claimed=$4 downgrade=$5
  free
  send active "$(active)"
  enter
  expect
  fits
  lacking "$6"
  name=edge-infer-$(printf '%s\n' "$claimed" | field version)-$(printf '%s\n' "$claimed" | field target)
  name=$name-$(printf '%.12s' "$digest")
  clean "$digest"
  part=incoming/$digest
  there=$(ordered | grep -F -- "-$name" | tail -n 1)
  why=
  if [ -n "$there" ]; then say "$name is on the board already"; fi
  if [ -n "$there" ] && verify "releases/$there"; then
    rm -f "releases/$there/rejected"
    if [ "$there" = "$(active)" ]; then say "$there is active"; else activate "releases/$there" "$name"; fi
  else
    if [ -n "$there" ]; then say "$why; it is uploaded again"; fi
    new=releases/.$name
    receive
    unpack
    verify "$new" || refuse "$why"
    activate "$new" "$name"
  fi
  rm -f "$part" .unheard
  prune
}

refuse() { rm -rf "$new" "$part"; fail "$@"; } # an archive that was received and is no good

receive() {
  have=0
  if present "$part" && ! a_file "$part"; then strange "$part" "a file"; fi
  if [ -f "$part" ]; then have=$(wc -c <"$part"); fi
  if [ "$have" -gt "$bytes" ]; then rm "$part"; have=0; fi
  needed=$(((bytes - have + unpacked) / 1024 + 1024))
  [ "$(free_kb)" -gt "$needed" ] ||
    fail "the board has $(free_kb) KB free: expected $needed KB, for this release beside the running one; make room"
  send offset "$have"
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
  reason=$(mkdir "$new" 2>&1) || fail "the release can't be unpacked ($reason): move what is there elsewhere"
  for member in release digests digests.sig; do
    # A few kilobytes can say that they are a terabyte of zeros.
    reason=$({ tar -xOf "$part" "$member" | head -c "$LARGEST_TEXT" >"$new/$member"; } 2>&1) || :
    [ -z "$reason" ] && [ -s "$new/$member" ] ||
      { rm -rf "$new"; fail "the archive can't be read ($reason): make room on the board, and push it again"; }
  done
  ssh-keygen -Y verify -f trusted -I edge-deploy -n edge-infer -s "$new/digests.sig" <"$new/digests" >/dev/null 2>&1 ||
    refuse "the archive's signature is of no key that the board trusts, or of other content: sign with such a one, or" \
      "edge-deploy trust HOST --key FILE.pub"
  say "signature verified on the board"
  listed release <"$new/release"
  [ "$(cat "$new/release")" = "$claimed" ] ||
    refuse "the archive contains another release file than was announced: push it again"
  tar -xOf "$part" payload.tar.gz | listed payload.tar.gz
  # No more than there was said to be, and room made for.
  reason=$(tar -xOf "$part" payload.tar.gz | gzip -dc | head -c "$unpacked" | tar -xmo -f - -C "$new" 2>&1) ||
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
  now=$(active)
  send active "$now"
  enter
  need sha256sum timeout
  if [ -n "$now" ] && [ "$(readlink .unheard || :)" = "$now" ]; then
    say "$now is active already: the previous rollback succeeded, and its confirmation was lost"
  else
    earlier=
    for name in $(ordered); do
      if [ "$name" = "$now" ]; then break; fi
      if [ ! -e "releases/$name/rejected" ]; then earlier="$name $earlier"; fi
    done
    [ -n "$earlier" ] || fail "there is no earlier release on the board to go back to: push one"
    back=
    for name in $earlier; do
      if verify "releases/$name"; then back=$name; break; fi
      say "skipped $name: $why"
    done
    [ -n "$back" ] || fail "no earlier release on the board passes verification ($why): push one"
    if [ -n "$now" ]; then
      touch "releases/$now/rejected" 2>/dev/null || say "$now can't be marked as rolled back from: make room"
    fi
    rm -f .unheard
    ln -s "$back" .unheard 2>/dev/null || : # a disk without room even for a link fails at the next one
    point "$back"
  fi
  send heard
  if read -r _; then rm -f .unheard; fi
}

status() {
  look
  checked
  now=$(active)
  fact active "$now"
  if [ -n "$now" ] && [ ! -f current/release ]; then
    fact damaged yes
  elif [ -n "$now" ]; then
    fact version "$(field version <"current/release")"
    fact target "$(field target <"current/release")"
    installed | while read -r model; do fact model "$model"; done
    fact default "$(usual)"
  fi
  for name in $(ordered); do
    if [ "$name" = "$now" ]; then continue; fi
    if [ -e "releases/$name/rejected" ]; then fact rejected "$name"; else fact earlier "$name"; fi
  done
  for part in incoming/*; do
    if upload "$part"; then fact unfinished "$(wc -c <"$part") ${part##*/}"; fi
  done
  if [ -s trusted ]; then
    need ssh-keygen
    while read -r line; do fact trusts "$(print)"; done <trusted
  fi
  fact free_kb "$(free_kb)"
}

# The image comes on standard input and goes to no file of the board; what is drawn of it lies in the board's memory for
# as long as it takes to be sent.
run() { # MODEL, or nothing for the usual one; RUNTIME; whether to draw: yes or no
  look
  checked
  [ -d current/models ] || fail "no release is active on the board: edge-deploy push first"
  model=${1:-$(usual)}
  installed | grep -qxF -- "$model" ||
    fail "there is no model ${1:-pneumonia} on the board: expected one of $(installed | paste -sd' ');" \
      "name it with --model, or push it"
  program=current/bin/edge-infer
  results=
  if [ "$3" = yes ]; then
    need base64 mktemp
    # What a run left that was killed.
    find /dev/shm -maxdepth 1 -type d -name 'edge-infer.????????' -user "$(id -u)" -mmin +60 -exec \
      sh -c 'for old; do rm -f "$old"/stdin.*; rmdir "$old"; done' sh {} + 2>/dev/null || :
    results=$(mktemp -d /dev/shm/edge-infer.XXXXXXXX 2>&1) ||
      fail "the board has no memory to draw in ($results): expected /dev/shm; leave out --output"
    trap 'rm -rf "$results"' EXIT
    trap 'exit 1' HUP INT TERM PIPE
  fi
  status=0
  answer=$("$program" --json --model "$model" --runtime "$2" ${results:+--output "$results"} -) || status=$?
  if [ -z "$answer" ]; then
    ending "$status"
    fail "edge-infer gave no answer on the board ($how): expected one; $cure"
  fi
  if [ -n "$results" ]; then
    for file in "$results"/*; do
      if [ -f "$file" ]; then send file "${file##*/} $(base64 -w 0 <"$file")"; fi
    done
  fi
  send answer "$answer"
}

# Only what edge-deploy made, each by its kind. The releases go last but for the marker: as long as it is there, the
# folder is known as ours, and the same command goes on.
remove() {
  look
  send active "$(active)"
  if present lock && ! a_file lock; then strange lock "a file"; fi
  reason=$(touch lock 2>&1) || unwritable
  locked
  removed=$(ordered)
  if [ -n "$(active)" ]; then rm -f current; fi
  flush
  send active
  trusted=$(if [ -s trusted ] && a_file trusted; then echo " and the keys that it trusted"; fi)
  if a_folder releases && a_folder incoming; then clean; fi
  forget_temporary
  for name in trusted lock; do if a_file "$name"; then rm -f "$name"; fi; done
  if [ -L .unheard ]; then rm -f .unheard; fi
  for name in $removed; do if discard "$name"; then say "removed $name"; fi; done
  for name in releases incoming; do if a_folder "$name"; then rmdir "$name" 2>/dev/null || :; fi; done
  how=$(sed -n 2p "$MARKER")
  rm -f "$MARKER"
  left=$(find . -mindepth 1 \( ! -type d -o -empty \) | sed 's,^\./,,' | sort)
  cd ..
  if [ "$how" = made ] && rmdir "$folder" 2>/dev/null; then
    say "removed $folder$trusted: nothing of edge-deploy is left"
  elif [ -n "$left" ]; then
    say "removed what edge-deploy installed$trusted; $folder stays: $(printf '%s\n' "$left" | wc -l) of the things in it" \
      "were not made by edge-deploy ($(printf '%s\n' "$left" | some))"
  else
    say "removed what edge-deploy installed$trusted; $folder was there before and stays"
  fi
}

mark=$1 action=$2 folder=$3
shift 3
case ${HOME-} in /*) ;; *) fail "the board does not say where the login user's home is: expected HOME there" ;; esac
case $folder in /*) ;; *) folder=$HOME/$folder ;; esac
while [ "$folder" != "${folder%/}" ]; do folder=${folder%/}; done
case $folder/ in
  / | "${HOME%/}/") fail "${folder:-/} on the board can't be edge-deploy's folder: expected one of its own; name it with --folder" ;;
  */./* | */../*) fail "$folder is no plain path: expected one without . and .. in it; name the folder itself" ;;
esac
"$action" "$@"
send done
