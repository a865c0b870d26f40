#!/usr/bin/env bash
# From two new accounts to a photo in a follower's feed, with curl. docs/api-walk.md explains it.
#
#   docs/walk.sh [PICTURE]            API=https://… for another API than that of `make up` here
#
# PICTURE is a JPEG, PNG, WebP, HEIC or GIF of up to 15 MB; without it a small PNG is drawn. python3
# only reads JSON, draws the PNG and computes the checksum. All files are in a folder that is removed
# at the end; with OUT=FILE the rendition is stored in FILE.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
note=${STACK_FOLDER:-$root/.local}/run/stack.env # written by `make up`
if [ -z "${API:-}" ] && [ -r "$note" ]; then
  API=$(sed -n 's/^API_URL=//p' "$note")
fi
API=${API:-http://127.0.0.1:8000}

give_up() {
  printf '%s\n' "$*" >&2
  exit 1
}

command -v curl > /dev/null || give_up "The walk needs curl, which is not on PATH: install it"
python=$(command -v python3 || true)
python=${python:-$root/.venv/bin/python}
[ -x "$python" ] || give_up "The walk needs python3, which is neither on PATH nor in .venv: install it, or run make up"

# A proxy must not get requests to the loopback address.
curl() { command curl --noproxy 127.0.0.1,localhost "$@"; }

nothing="Nothing answers at $API: start it with make up"
curl -sS -o /dev/null --max-time 30 "$API/livez" 2> /dev/null || give_up "$nothing"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

say() { printf '\n== %s\n' "$*"; }

# api METHOD PATH [curl options]: the answer's body; a status of 400 or above ends the walk.
api() {
  local method=$1 path=$2 answer status
  shift 2
  # errexit has no effect in a $(…), where this function runs, so failures are handled here.
  answer=$(curl -sS -X "$method" "$API$path" -w '\n%{http_code}' "$@") || give_up "$nothing"
  status=${answer##*$'\n'}
  if [ "$status" -ge 400 ]; then
    printf '%s %s answered %s: %s\n' "$method" "$path" "$status" "${answer%$'\n'*}" >&2
    return 1
  fi
  printf '%s' "${answer%$'\n'*}"
}

# field PATH: a value out of the JSON on standard input, such as posts.0.id
field() {
  "$python" -c '
import json, sys
text = sys.stdin.read() or sys.exit(1)  # the failed command has printed the reason
value = json.loads(text)
for key in sys.argv[1].split("."):
    value = value[int(key)] if isinstance(value, list) else value.get(key, "")
print(value)' "$1"
}

json='Content-Type: application/json'
suffix=$("$python" -c 'import secrets; print(secrets.token_hex(4))')
password=$("$python" -c 'import secrets; print(secrets.token_urlsafe(12))')

say "1. Two people sign up"
ana=$(api POST /v1/accounts -H "$json" -d "{\"username\": \"ana_$suffix\", \"password\": \"$password\", \"name\": \"Ana\"}")
ben=$(api POST /v1/accounts -H "$json" -d "{\"username\": \"ben_$suffix\", \"password\": \"$password\", \"name\": \"Ben\"}")
ana_id=$(printf '%s' "$ana" | field user.id)
as_ana="Authorization: Bearer $(printf '%s' "$ana" | field auth_token)"
as_ben="Authorization: Bearer $(printf '%s' "$ben" | field auth_token)"
echo "ana_$suffix is $ana_id, ben_$suffix is $(printf '%s' "$ben" | field user.id)"

say "2. Ben follows Ana, who is notified"
api PUT "/v1/me/following/$ana_id" -H "$as_ben"
followed=$(api GET /v1/me/following -H "$as_ben" | field users.0.username)
echo "He follows $followed"
notification=$(api GET /v1/me/notifications -H "$as_ana" | field notifications.0.text)
[ "$notification" = "Ben followed you" ]
echo "Ana's notifications say: $notification"

say "3. Ana has a picture"
picture=${1:-}
if [ -z "$picture" ]; then
  picture=$folder/dusk.png
  "$python" - "$picture" <<'PY'
import struct, sys, zlib
width, height = 960, 720
rows = b"".join(
    b"\0" + b"".join(bytes((40 + x * 180 // width, 60 + y * 90 // height, 140)) for x in range(width))
    for y in range(height)
)
def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
open(sys.argv[1], "wb").write(png)
PY
fi
case $(printf '%s' "$picture" | tr '[:upper:]' '[:lower:]') in
  *.jpg | *.jpeg) type=image/jpeg ;;
  *.png) type=image/png ;;
  *.webp) type=image/webp ;;
  *.heic) type=image/heic ;;
  *.gif) type=image/gif ;;
  *) give_up "$picture: the name must end with .jpg, .jpeg, .png, .webp, .heic or .gif" ;;
esac
size=$(wc -c < "$picture" | tr -d ' ')
checksum=$("$python" -c 'import base64, hashlib, sys
print(base64.b64encode(hashlib.sha256(open(sys.argv[1], "rb").read()).digest()).decode())' "$picture")
echo "$picture, $type, $size bytes, SHA-256 $checksum"

say "4. She requests an upload"
photo=$(api POST /v1/me/photos -H "$as_ana" -H "$json" \
  -d "{\"content_type\": \"$type\", \"size_bytes\": $size, \"checksum_sha256\": \"$checksum\", \"alt_text\": \"Dusk\"}")
photo_id=$(printf '%s' "$photo" | field id)
echo "Photo $photo_id is $(printf '%s' "$photo" | field state)"

say "5. She uploads it to S3: type, length and checksum are part of the signature"
printf '%s' "$photo" | "$python" -c '
import json, sys
for name, value in json.load(sys.stdin)["upload"]["headers"].items():
    print(f"{name}: {value}")' > "$folder/headers"
sed 's/^/  /' "$folder/headers"
curl -sS --fail -X PUT -H "@$folder/headers" --data-binary "@$picture" \
  "$(printf '%s' "$photo" | field upload.url)"

say "6. She completes the upload, and waits until the photo is ready"
api POST "/v1/me/photos/$photo_id/complete" -H "$as_ana" > /dev/null
for _ in $(seq 120); do
  photo=$(api GET "/v1/me/photos/$photo_id" -H "$as_ana")
  state=$(printf '%s' "$photo" | field state)
  [ "$state" = processing ] || break
  sleep 0.5
done
if [ "$state" != ready ]; then
  echo "The photo is $state: $(printf '%s' "$photo" | field failure_code)" >&2
  exit 1
fi
echo "Ready: $(printf '%s' "$photo" | field width) x $(printf '%s' "$photo" | field height), upright"

say "7. She posts it; with the key the request can be sent twice"
key="walk-$suffix"
post='{"photo_ids": ["'$photo_id'"], "caption": "Dusk, at last.", "location": {"name": "Lisbon", "latitude": 38.72, "longitude": -9.14}}'
post_id=$(api POST /v1/me/feed -H "$as_ana" -H "$json" -H "Idempotency-Key: $key" -d "$post" | field id)
again=$(api POST /v1/me/feed -H "$as_ana" -H "$json" -H "Idempotency-Key: $key" -d "$post" | field id)
[ "$post_id" = "$again" ]
echo "Post $post_id, and the same again"

say "8. Ben reads his feed"
for _ in $(seq 180); do
  feed=$(api GET '/v1/me/feed?limit=3' -H "$as_ben")
  case $feed in *"\"$post_id\""*) break ;; esac
  sleep 0.5
done
[ "$(printf '%s' "$feed" | field posts.0.id)" = "$post_id" ]
printf '%s' "$feed" | "$python" -m json.tool

say "9. He looks at the picture"
rendition=$(printf '%s' "$feed" | field posts.0.photos.0.renditions.1080)
out=${OUT:-$folder/1080.jpg}
curl -sS --fail -o "$out" "$rendition"
"$python" - "$out" <<'PY'
import sys
data = open(sys.argv[1], "rb").read()
assert data[:3] == b"\xff\xd8\xff", "not a JPEG"
assert b"Exif" not in data[:4096], "it has metadata"
print(f"{len(data)} bytes of JPEG, no metadata")
PY
echo "$rendition"

say "10. He unfollows her, and his feed no longer has the post"
api DELETE "/v1/me/following/$ana_id" -H "$as_ben"
feed=$(api GET /v1/me/feed -H "$as_ben")
case $feed in
  *"\"$post_id\""*) give_up "The post is still in his feed." ;;
esac
echo "His feed no longer has it"
