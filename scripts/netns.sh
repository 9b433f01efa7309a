# Sourced by make-testdata and make-http-load: two network namespaces that are joined by a veth pair, and a capture of
# what they say to each other. Needs root. Packets have wire size: MTU 1500, no offloading.
#
#   need COMMAND:PACKAGE...         installs what is missing
#   net_up; net_down                192.0.2.1 and 2001:db8::1 serve, 192.0.2.2 and 2001:db8::2 ask
#   server COMMAND...               starts one in the background in the server's namespace
#   client COMMAND...               runs one in the client's
#   capture FILE "OPTIONS FILTER" COMMAND...   records while COMMAND (a function or program) runs

need() {
    local missing=() item
    for item in "$@"; do
        command -v "${item%%:*}" >/dev/null || missing+=("${item##*:}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    apt_install "${missing[@]}"
}

# apt-get waits for nobody who holds dpkg's lock unless it is told to; a fresh machine may be updating itself.
apt_install() {
    local sudo= try
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    for try in 1 2 3; do
        if $sudo apt-get -o DPkg::Lock::Timeout=120 update -qq &&
            $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install \
                -y -qq --no-install-recommends "$@" >/dev/null; then
            return
        fi
        echo "apt-get install $*: attempt $try failed" >&2
        sleep 5
    done
    return 1
}

NS_SERVER=ia-s$$
NS_CLIENT=ia-c$$
STARTED=()

net_up() {
    [ "$(id -u)" -eq 0 ] || { echo "$0: network namespaces need root" >&2; exit 2; }
    trap net_down EXIT
    trap 'exit 130' INT TERM
    local ns
    ip netns add "$NS_SERVER"
    ip netns add "$NS_CLIENT"
    ip link add v0 netns "$NS_SERVER" type veth peer name v0 netns "$NS_CLIENT"
    ip -n "$NS_SERVER" link set v0 address 02:00:00:00:00:01
    ip -n "$NS_CLIENT" link set v0 address 02:00:00:00:00:02
    ip -n "$NS_SERVER" addr add 192.0.2.1/24 dev v0
    ip -n "$NS_CLIENT" addr add 192.0.2.2/24 dev v0
    ip -n "$NS_SERVER" addr add 2001:db8::1/64 dev v0 nodad
    ip -n "$NS_CLIENT" addr add 2001:db8::2/64 dev v0 nodad
    for ns in "$NS_SERVER" "$NS_CLIENT"; do
        ip netns exec "$ns" ethtool -K v0 tso off gso off gro off tx off rx off >/dev/null
        ip -n "$ns" link set lo up
        ip -n "$ns" link set v0 mtu 1500 up
    done
}

net_down() {
    local pid
    for pid in "${STARTED[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    STARTED=()
    ip netns del "$NS_SERVER" 2>/dev/null || true
    ip netns del "$NS_CLIENT" 2>/dev/null || true
}

server() {
    ip netns exec "$NS_SERVER" "$@" &
    STARTED+=($!)
}

client() {
    ip netns exec "$NS_CLIENT" "$@"
}

# listens tcp|udp PORT: waits until a server listens there.
listens() {
    local i
    for i in $(seq 100); do
        [ -n "$(ip netns exec "$NS_SERVER" ss -Hln"${1:0:1}" "sport = :$2")" ] && return
        sleep 0.1
    done
    echo "nothing listens on $1 port $2" >&2
    return 1
}

capture() {
    local file=$1 options=$2 log pid i
    shift 2
    log=$(mktemp)
    # shellcheck disable=SC2086 # options are words
    ip netns exec "$NS_SERVER" tcpdump -Z root -n -s 0 -B 65536 -w "$file" $options 2>"$log" &
    pid=$!
    STARTED+=("$pid")
    for i in $(seq 100); do
        grep -q 'listening on' "$log" && break
        sleep 0.1
    done
    sleep 0.3
    "$@"
    sleep 1 # the last FIN and its acknowledgment
    kill -INT "$pid"
    wait "$pid" || true
    unset 'STARTED[-1]' # its number may be given to another process
    if ! grep -q '^0 packets dropped by kernel' "$log"; then
        echo "$file: the capture dropped packets; run again" >&2
        cat "$log" >&2
        return 1
    fi
    rm -f "$log"
}
