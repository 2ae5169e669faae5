#!/usr/bin/env bash
# Installs what MARPLE needs on Debian and Ubuntu, builds it, and puts `marple` on the PATH. See ./setup.sh --help.
set -euo pipefail

usage() {
  cat <<'END'
Usage: ./setup.sh [--collect-only]

Installs MARPLE and the tools that it runs (Debian, Ubuntu), and puts `marple` on the PATH. What is in place is left as
it is, so running it again is quick. Root is asked of sudo where it is needed.

  --collect-only   only what `marple collect` needs: nothing for drawing, nothing for the tests
  --help           print this help

PREFIX (default /usr/local): `marple` goes to PREFIX/bin, its manual and its completion for bash to PREFIX/share. What apt and npm print goes to setup.log.
END
}

# The tools that MARPLE runs. `a|b`: the first that the distribution has. One that it does not have is named and left
# out: MARPLE takes the next tool for the job.
COLLECT_PACKAGES=(
  "linux-perf|linux-tools-$(uname -r)|linux-tools-generic"
  perf-tools-unstable bpfcc-tools libbpf-tools bpftrace smem binutils
  clustershell openssh-client
)
DISPLAY_PACKAGES=(perl libdevel-nytprof-perl)
TEST_PACKAGES=(gcc g++ libc6-dev fio stress-ng chromium less man-db mandoc libcap2-bin openssh-server iproute2)
# What canvas is built from where its prebuilt binary cannot be fetched.
CANVAS_PACKAGES=(
  libcairo2-dev libpango1.0-dev libjpeg-dev libgif-dev librsvg2-dev pkg-config g++ make python3
)

NODE_MINIMUM=20.19
# The official release, where neither the machine nor its distribution has a Node.js that is new enough. The checksums
# are those of https://nodejs.org/dist/v22.22.2/SHASUMS256.txt.
NODE_RELEASE=v22.22.2
declare -A NODE_SHA256=(
  [x64]=88fd1ce767091fd8d4a99fdb2356e98c819f93f3b1f8663853a2dee9b438068a
  [arm64]=e9e1930fd321a470e29bb68f30318bf58e3ecb4acb4f1533fb19c58328a091fe
)

# The PATH that sudo gives (secure_path).
SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

PREFIX=${PREFIX:-/usr/local}
COLLECT_ONLY=false
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
LOG=$HERE/setup.log
APT=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300)

step() { printf '%s\n' "$*"; }

# fail WHAT HINT
fail() {
  printf 'setup.sh: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

# need_root WHAT-FOR: says so before anything is begun.
need_root() {
  ((EUID == 0)) || have sudo || fail "$1 needs root, and there is no sudo here" "su -c ./setup.sh"
}

# What lies in the clone belongs to who called sudo, unless the clone is root's own.
as_user() {
  if ((EUID == 0)) && [[ ${SUDO_USER:-root} != root && $(stat -c %u "$HERE") != 0 ]]; then
    sudo -H -u "$SUDO_USER" env PATH="$PATH" "$@"
  else
    "$@"
  fi
}

# Its output goes to the log.
quietly() {
  printf '\n$ %s\n' "$*" >>"$LOG"
  "$@" >>"$LOG" 2>&1 </dev/null
}

# must WHAT-IF-NOT COMMAND...: the end of its output is shown where it fails.
must() {
  local what=$1 from
  shift
  from=$(stat -c %s "$LOG")
  quietly "$@" && return
  tail -c "+$((from + 1))" "$LOG" | sed '/^$/d' | tail -n 15 | sed 's/^/  | /' >&2
  fail "$what" "its whole output is in $LOG; ./setup.sh goes on from here"
}

# ---- Packages ----

APT_UPDATED=false
APT_REACHED=true

# Fetches the package lists, once.
apt_update() {
  $APT_UPDATED && return
  APT_UPDATED=true
  have apt-get || fail 'there is no apt-get here: setup.sh knows Debian and Ubuntu' \
    "install perf and Node.js $NODE_MINIMUM or newer, then: npm ci && npm run build && node dist/marple.cjs --help"
  need_root 'installing packages'
  step 'packages: fetching the lists'
  local from
  from=$(stat -c %s "$LOG")
  # A list that is out of reach is only a warning to apt-get.
  quietly as_root "${APT[@]}" update || APT_REACHED=false
  if tail -c "+$((from + 1))" "$LOG" | grep -q '^\(Err:\|W: Failed to fetch\)'; then APT_REACHED=false; fi
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# The version that apt would install, or nothing.
candidate() {
  LC_ALL=C apt-cache policy "$1" 2>>"$LOG" | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}

# Prints which of the alternatives `a|b` is there, or could be.
choose() {
  local name names
  IFS='|' read -ra names <<<"$1"
  for name in "${names[@]}"; do
    if "$2" "$name"; then
      printf '%s\n' "$name"
      return
    fi
  done
  return 1
}

has_candidate() { [[ -n $(candidate "$1") ]]; }

# install_packages LABEL PACKAGE...
install_packages() {
  local label=$1 wanted chosen missing=() install=() unknown=()
  shift
  for wanted in "$@"; do
    choose "$wanted" is_installed >/dev/null || missing+=("$wanted")
  done
  if ((${#missing[@]} == 0)); then
    step "$label: in place"
    return
  fi
  apt_update
  for wanted in "${missing[@]}"; do
    if chosen=$(choose "$wanted" has_candidate); then install+=("$chosen"); else unknown+=("${wanted%%|*}"); fi
  done
  if ((${#unknown[@]} > 0)) && ! $APT_REACHED; then
    fail "the package lists could not be fetched, and without them ${unknown[*]} cannot be installed" \
      "connect this machine to its package mirror (sudo apt-get update says what is wrong), then ./setup.sh"
  fi
  if ((${#unknown[@]} > 0)); then step "$label: left out, this distribution does not have them: ${unknown[*]}"; fi
  ((${#install[@]} > 0)) || return 0
  step "$label: installing ${install[*]}"
  must "apt-get could not install ${install[*]}" as_root "${APT[@]}" install --no-install-recommends "${install[@]}"
}

# ---- Node.js ----

# Whether this node runs and is new enough.
is_new_enough() {
  local version
  version=$("$1" --version 2>/dev/null) || return 1
  printf '%s\n' "$NODE_MINIMUM" "${version#v}" | sort -V -C
}

node_version() { node --version 2>/dev/null || echo none; }

find_node() {
  if ! { have node && is_new_enough node; }; then
    local before packaged
    before=$(node_version)
    apt_update
    packaged=$(candidate nodejs)
    if [[ -n $packaged ]] && dpkg --compare-versions "$packaged" ge "$NODE_MINIMUM"; then
      install_packages 'Node.js' nodejs
    else
      install_node_release "$before" "${packaged:-none}"
    fi
    hash -r
    is_new_enough node || fail "Node.js $(node_version) at $(command -v node || echo '(nowhere)') comes first on the PATH" \
      "put Node.js $NODE_MINIMUM or newer before it on the PATH, then ./setup.sh"
  fi
  have npm || install_packages npm npm
  hash -r
  have npm || fail 'there is no npm here' "install npm, then ./setup.sh"
  step "Node.js: $(node_version)"
}

# install_node_release VERSION-HERE VERSION-PACKAGED
install_node_release() {
  local sentence="MARPLE needs Node.js $NODE_MINIMUM or newer: here is $1, this distribution has $2"
  local hint="install Node.js $NODE_MINIMUM or newer (https://nodejs.org/en/download), then ./setup.sh"
  local arch name folder
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) fail "$sentence" "$hint" ;;
  esac
  install_packages 'download' curl ca-certificates xz-utils
  name=node-$NODE_RELEASE-linux-$arch
  folder=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder is known now
  trap "rm -rf '$folder'" EXIT
  step "Node.js: fetching $NODE_RELEASE from nodejs.org"
  quietly curl -fsSL --connect-timeout 20 -o "$folder/$name.tar.xz" "https://nodejs.org/dist/$NODE_RELEASE/$name.tar.xz" ||
    fail "$sentence, and nodejs.org cannot be reached" "$hint"
  echo "${NODE_SHA256[$arch]}  $folder/$name.tar.xz" >"$folder/SHA256"
  quietly sha256sum -c "$folder/SHA256" ||
    fail "$sentence, and what nodejs.org sent has another checksum than $NODE_RELEASE should" "$hint"
  must "$name.tar.xz could not be unpacked" as_root tar -xJf "$folder/$name.tar.xz" -C /usr/local/lib --no-same-owner
  local program
  for program in node npm npx; do
    as_root ln -sfn "/usr/local/lib/$name/bin/$program" "/usr/local/bin/$program"
  done
}

# ---- Kernel headers ----

# BCC's Python tools compile against kernel headers. Where the running kernel's own are not to be had, the
# distribution's stand in: MARPLE tells BCC their version.
link_kernel_headers() {
  local modules running meta build
  modules=/lib/modules/$(uname -r)
  if [[ -e $modules/build || -e /sys/kernel/kheaders.tar.xz ]] || ! is_installed bpfcc-tools; then return; fi
  running=linux-headers-$(uname -r)
  meta=linux-headers-$(dpkg --print-architecture)
  # Images of machines often come without package lists.
  has_candidate "$running" || has_candidate "$meta" || compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || apt_update
  if has_candidate "$running"; then
    install_packages 'kernel headers' "$running"
    return
  fi
  if ! has_candidate "$meta"; then
    step "kernel headers: none for $(uname -r) in this distribution; BCC's Python tools will not run"
    return
  fi
  install_packages 'kernel headers' "$meta"
  # The package is an empty one that depends on the present linux-headers-VERSION-ARCHITECTURE.
  build=$(dpkg-query -W -f='${Depends}' "$meta" | cut -d ' ' -f 1)
  need_root "linking $modules/build"
  if quietly as_root mkdir -p "$modules" && quietly as_root ln -sfn "/usr/src/$build" "$modules/build" &&
    quietly as_root ln -sfn "/usr/src/${build%-*}-common" "$modules/source"; then
    step "kernel headers: none for $(uname -r), so $build stands in for BCC (links build and source in $modules)"
  else
    step "kernel headers: $modules cannot be written; BCC's Python tools will not run"
  fi
}

# ---- This folder ----

# link_tool NAME PACKAGED: vendor/NAME leads to the packaged script.
link_tool() {
  local link=$HERE/vendor/$1
  if [[ ! -e $2 ]]; then
    rm -f "$link"
  elif [[ $(readlink "$link") != "$2" ]]; then
    as_user ln -sfn "$2" "$link"
  fi
}

link_tools() {
  link_tool FlameGraph/flamegraph.pl /usr/share/perl5/Devel/NYTProf/flamegraph.pl
  link_tool perf-tools/iosnoop /usr/sbin/iosnoop-perf
  local name
  for name in memleak tcptracer biosnoop; do
    link_tool "bcc-tools/$name" "/usr/sbin/$name-bpfcc"
  done
  link_tool bcc-tools/mallocstacks /usr/share/doc/bpfcc-tools/examples/tracing/mallocstacks.py
  step "vendor/: $(find "$HERE/vendor" -type l -printf '%f\n' | sort | paste -sd ' ')"
}

# Of the Go tools the tests need pprof alone, 10 MB of 450: it is taken out of its package, which is not installed.
extract_pprof() {
  local link=$HERE/vendor/pprof/pprof package folder
  if [[ -x $link ]]; then
    step 'pprof: in place'
    return
  fi
  # golang-go is an empty package that depends on the present golang-VERSION-go.
  package=$(LC_ALL=C apt-cache show golang-go 2>>"$LOG" | sed -n 's/^Depends:.*\(golang-[0-9.]*-go\).*/\1/p' | sed 1q)
  if [[ -z $package ]]; then
    step 'pprof: left out, this distribution does not have golang-go'
    return
  fi
  step "pprof: taking it out of $package"
  folder=$(mktemp -d)
  # Fetching needs no root, but a folder that apt's own user may read.
  chmod 755 "$folder"
  if quietly env -C "$folder" apt-get download "$package" &&
    dpkg-deb --fsys-tarfile "$folder"/*.deb | tar -x -C "$folder" --wildcards './usr/lib/*/pkg/tool/*/pprof' 2>>"$LOG"; then
    as_user install -D -m 755 "$folder"/usr/lib/*/pkg/tool/*/pprof "$link"
  else
    step "pprof: left out, $package could not be fetched (its tests will not run)"
  fi
  rm -rf "$folder"
}

canvas_loads() { quietly as_user node -e 'require("canvas")'; }

install_node_modules() {
  # npm ci begins by removing the folder, and with it this copy.
  local stamp=node_modules/.installed-package-lock.json
  if cmp -s package-lock.json "$stamp"; then
    step 'npm packages: in place'
  else
    step 'npm packages: installing'
    # No package needs its script but canvas, which is next.
    must 'npm ci failed' as_user npm ci --ignore-scripts --no-audit --no-fund
    as_user cp package-lock.json "$stamp"
  fi
  if $COLLECT_ONLY || canvas_loads; then return; fi
  step 'canvas: installing'
  if quietly rebuild_canvas && canvas_loads; then return; fi
  local needs=("${CANVAS_PACKAGES[@]}")
  # Debian's and Ubuntu's Node.js has its headers in a package of their own.
  if [[ -z $(node_headers) && $(command -v node) == /usr/bin/node ]]; then needs+=(libnode-dev); fi
  install_packages "canvas's build needs" "${needs[@]}"
  step 'canvas: building'
  must 'canvas could not be built' rebuild_canvas
  must 'canvas was built and does not load' canvas_loads
}

# The folder that has Node's own headers in include/node, or nothing.
node_headers() {
  local root
  root=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  if [[ -e $root/include/node/node_api.h ]]; then printf '%s\n' "$root"; fi
}

# Fetches canvas's prebuilt binary, or builds it; Node's headers, where they are installed, need not be fetched then.
rebuild_canvas() {
  local headers
  headers=$(node_headers)
  as_user env ${headers:+"npm_config_nodedir=$headers"} npm rebuild canvas --foreground-scripts
}

# at_prefix COMMAND...: as root only where PREFIX is not ours to write.
at_prefix() {
  if [[ -w $PREFIX/bin && (-w $PREFIX/share || ! -e $PREFIX/share && -w $PREFIX) ]]; then
    "$@"
  else
    need_root "writing to $PREFIX"
    as_root mkdir -p "$PREFIX/bin"
    as_root "$@"
  fi
}

put_on_path() {
  local link=$PREFIX/bin/marple target=$HERE/dist/marple.cjs found script
  found=$(PATH=$SYSTEM_PATH type -P node || true)
  if [[ -n $found ]] && is_new_enough "$found"; then
    [[ $(readlink "$link") == "$target" ]] || at_prefix ln -sfn "$target" "$link"
  else
    # sudo would not find this node, so the command names it.
    script=$(printf '#!/bin/sh\nexec "%s" "%s" "$@"' "$(command -v node)" "$target")
    if [[ -L $link || $(cat "$link" 2>/dev/null) != "$script" ]]; then
      at_prefix install -m 755 /dev/stdin "$link" <<<"$script"
    fi
  fi
  step "marple: $link"
}

# What the commands say of themselves: the manual, and completion for bash.
install_manual() {
  local folder
  folder=$(mktemp -d)
  must 'the manual could not be written' node dist/marple.cjs man -o "$folder"
  node dist/marple.cjs completion bash >"$folder/marple"
  at_prefix install -D -m 644 -t "$PREFIX/share/man/man1" "$folder"/*.1
  at_prefix install -D -m 644 "$folder/marple" "$PREFIX/share/bash-completion/completions/marple"
  rm -rf "$folder"
  step "manual: man marple; completion: $PREFIX/share/bash-completion/completions/marple"
}

main() {
  while (($# > 0)); do
    case $1 in
      --collect-only) COLLECT_ONLY=true ;;
      --help | -h)
        usage
        return
        ;;
      *) fail "unknown option '$1'" './setup.sh --help' ;;
    esac
    shift
  done
  cd "$HERE"
  as_user cp /dev/null "$LOG" || fail "cannot write to $HERE" "sudo chown -R $(id -un) $HERE"

  local packages=("${COLLECT_PACKAGES[@]}")
  $COLLECT_ONLY || packages+=("${DISPLAY_PACKAGES[@]}" "${TEST_PACKAGES[@]}")
  have apt-get || apt_update
  install_packages packages "${packages[@]}"
  link_kernel_headers
  find_node
  link_tools
  $COLLECT_ONLY || extract_pprof
  install_node_modules
  must 'the build failed' as_user npm run build
  put_on_path
  install_manual
}

main "$@"
