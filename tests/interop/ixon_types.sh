#!/bin/sh
# Type-checks what the simulated IXON client and cloud answer with the vendor's own TypeScript types.
#
#     tests/interop/ixon_types.sh https://localhost:CLIENT_PORT https://localhost:CLOUD_PORT/api TOKEN_FILE CA_FILE
#
# Needs curl, npm and a package registry; leaves nothing behind, except that the client is told to connect and
# disconnect.
set -eu

if [ $# -ne 4 ]; then
    echo "usage: $0 CLIENT_URL CLOUD_URL TOKEN_FILE CA_FILE" >&2
    exit 2
fi
client=$1 cloud=$2 token=$(cat "$3") ca=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
get() { curl --silent --show-error --cacert "$ca" "$@"; }

(
    cd "$folder"
    npm init --yes >/dev/null
    npm install --silent --no-audit --no-fund --ignore-scripts @ixon-cdk/types@1.2.0 typescript@5
)

# Both types are what a component imports; a document that does not fit is an error of the compiler.
document() {
    {
        echo "import type { IxApiErrorResponse, VpnClientStatus } from '@ixon-cdk/types';"
        printf 'export const document: %s = ' "$2"
        cat
        echo ';'
    } >"$folder/$1.ts"
}
compile() { (cd "$folder" && npx tsc --noEmit --strict --skipLibCheck --moduleResolution bundler --module esnext "$@"); }

fault() { get --fail --request "$1" "$client/__simulate/faults/$2"; }
api() {
    path=$1
    shift
    get "$cloud$path" --header 'Api-Version: 2' --header 'Api-Application: VpnctlDemo01' "$@"
}
connect() {
    get --fail --request POST "$client/connect" --header 'Api-Version: 2' --header "Api-Access-Token: $token" \
        --header 'VPN-Client-Controller-Identifier: 0b6cbb0e-6c0e-4e1c-8f0a-2b4f3e7a9d10' \
        --header 'Content-Type: application/json' \
        --data '{"agentId":"AAAAAAAAAAAA","companyId":"1111-2222-3333-4444-5555"}'
}
# Waits until the status holds TEXT.
until_has() { until get --fail "$client/status" | grep -q "$1"; do sleep 0.2; done; }

get --fail --request POST "$client/disconnect"
get --fail "$client/status" | document idle VpnClientStatus
connect
get --fail "$client/status" | document connecting VpnClientStatus
until_has '"connected"'
get --fail "$client/status" | document connected VpnClientStatus
# A step that fails, with the client still trying and with the client idle again; and codes as phones write them.
get --fail --request POST "$client/disconnect"
fault PUT step-fails=2:010
connect
until_has '"010"'
get --fail "$client/status" | document failed VpnClientStatus
fault PUT failed-keeps-request
until_has '"idle"'
get --fail "$client/status" | document failed_idle VpnClientStatus
fault DELETE failed-keeps-request
fault DELETE step-fails
connect
until_has '"connected"'
fault PUT unpadded-codes
fault PUT escaped-slashes
get --fail "$client/status" | document unpadded VpnClientStatus
fault DELETE escaped-slashes
fault DELETE unpadded-codes

# Errors of the cloud.
bearer="Authorization: Bearer $token"
company='Api-Company: 1111-2222-3333-4444-5555'
api /agents --header "$bearer" | document no_company IxApiErrorResponse
api /agents --header "$bearer" --header 'Api-Company: 1' | document wrong_company IxApiErrorResponse
api /agents --header "$company" --header 'Authorization: Bearer unknownTokenUnknownTokenUnknown1' |
    document unknown_token IxApiErrorResponse
api /agents/AAAAAAAAAAAF/connection/openvpn --header "$bearer" --header "$company" --data '{"action":"connect"}' |
    document not_online IxApiErrorResponse
fault PUT otp-needed
api /access-tokens --user 'demo@example.org::demo:pässword>>?~' --data '{"expiresIn":60}' |
    document second_factor IxApiErrorResponse
fault DELETE otp-needed
fault PUT cloud-status=429*1
api /companies --header "$bearer" | document flooded IxApiErrorResponse

compile idle.ts connecting.ts connected.ts failed.ts failed_idle.ts unpadded.ts \
    no_company.ts wrong_company.ts unknown_token.ts not_online.ts second_factor.ts flooded.ts
echo 'ok    status and error documents have the types of @ixon-cdk/types'

# The check itself is checked: a code is a string and a request an object, and no status is an error.
for deviation in numeric-codes stringified-request; do
    fault PUT "$deviation"
    get --fail "$client/status" | document "$deviation" VpnClientStatus
    fault DELETE "$deviation"
done
api /companies --header "$bearer" | document no-error IxApiErrorResponse
get --fail --request POST "$client/disconnect"
for deviation in numeric-codes stringified-request no-error; do
    if compile "$deviation.ts" >/dev/null; then
        echo "FAIL  $deviation passes" >&2
        exit 1
    fi
    echo "ok    $deviation is told apart"
done
