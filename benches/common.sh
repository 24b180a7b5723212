# What benches/run and benches/instructions share: the server, and a folder for everything that is written.
# Read by bash; the reader has changed to the root of the repository.

vpnctl=$(readlink -f "${VPNCTL:-target/release/vpnctl}") || true
if [ ! -x "$vpnctl" ]; then
    echo "there is no ${VPNCTL:-target/release/vpnctl}: run cargo build --release, or name a binary by \$VPNCTL" >&2
    exit 1
fi
cargo build --quiet --locked --release --manifest-path benches/Cargo.toml
bench=$PWD/benches/target/release

folder=$(mktemp -d)
server=
clean_up() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Neither a configuration nor a state of somebody's own is seen or touched.
for name in $(compgen -e VPNCTL_ || true); do unset "$name"; done
export HOME=$folder/home XDG_CONFIG_HOME=$folder/home/config XDG_STATE_HOME=$folder/home/state
export NO_PROXY='*' no_proxy='*'
unset CURL_HOME
mkdir -p "$HOME"

# Starts the server with an account of $1 devices, and sets $http2, $http1 and $plain to its URLs.
start_server() {
    rm -rf "$folder/server"
    mkdir "$folder/server"
    : >"$folder/server.log"
    "$bench/server" "$folder/server" "$1" >"$folder/server.log" 2>"$folder/server.err" &
    server=$!
    until read -r http2 http1 plain <"$folder/server.log" 2>/dev/null; do
        kill -0 "$server" || { cat "$folder/server.err" >&2; exit 1; }
        sleep 0.05
    done
}
