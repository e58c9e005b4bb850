# Verifies: annotations at the lines. Fails where something would certainly not start. Started by action.yml in the checkout, of which nothing
# is run.
set -euo pipefail

source "$ACTION/packages/action/paths.sh"
options=()
if [[ $STRICT == true ]]; then options+=(--strict); fi
if [[ -n $WAIT ]]; then options+=(--wait "$WAIT"); fi
if [[ -n $MIRROR ]]; then options+=(--mirror "$MIRROR"); fi

exec "$PULLSAFE" verify --output github "${options[@]}" -- "${paths[@]}"
