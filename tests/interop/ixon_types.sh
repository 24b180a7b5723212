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

get --fail --request POST "$client/disconnect"
get --fail "$client/status" | document idle VpnClientStatus
get --fail --request POST "$client/connect" --header 'Api-Version: 2' --header "Api-Access-Token: $token" \
    --header 'VPN-Client-Controller-Identifier: 0b6cbb0e-6c0e-4e1c-8f0a-2b4f3e7a9d10' \
    --header 'Content-Type: application/json' \
    --data '{"agentId":"AAAAAAAAAAAA","companyId":"1111-2222-3333-4444-5555"}'
get --fail "$client/status" | document connecting VpnClientStatus
until get --fail "$client/status" | grep -q '"connected"'; do sleep 0.2; done
get --fail "$client/status" | document connected VpnClientStatus
get "$cloud/agents" --header 'Api-Version: 2' --header 'Api-Application: VpnctlDemo01' \
    --header "Authorization: Bearer $token" | document refused IxApiErrorResponse
compile idle.ts connecting.ts connected.ts refused.ts
echo 'ok    status and error documents have the types of @ixon-cdk/types'

# The check itself is checked: the type of a code is string, so a number must not pass.
get --fail --request PUT "$client/__simulate/faults/numeric-codes"
get --fail "$client/status" | document numeric VpnClientStatus
get --fail --request DELETE "$client/__simulate/faults/numeric-codes"
get --fail --request POST "$client/disconnect"
if compile numeric.ts >/dev/null; then
    echo 'FAIL  a numeric code passes' >&2
    exit 1
fi
echo 'ok    a numeric code is told apart'
