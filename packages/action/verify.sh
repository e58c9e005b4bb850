# Verifies: annotations at the lines. Fails where something would certainly not start. Started by action.yml in the checkout, of which nothing
# is run.
set -euo pipefail

if [[ $PATHS == *$'\n'* ]]; then
    mapfile -t paths < <(sed '/^[[:space:]]*$/d' <<< "$PATHS")
else
    read -ra paths <<< "$PATHS"
fi
if [[ ${#paths[@]} -eq 0 ]]; then
    echo "::error title=pullsafe::the input \`paths\` names nothing"
    exit 2
fi
options=()
if [[ $STRICT == true ]]; then options+=(--strict); fi
if [[ -n $WAIT ]]; then options+=(--wait "$WAIT"); fi
if [[ -n $MIRROR ]]; then options+=(--mirror "$MIRROR"); fi

exec "$PULLSAFE" verify --output github "${options[@]}" -- "${paths[@]}"
