# Scans: annotations at the lines, a table on the job's page, a SARIF report. Fails where an image comes from Docker Hub. Started by
# action.yml in the checkout, of which nothing is run.
set -euo pipefail

source "$ACTION/packages/action/paths.sh"
strict=()
if [[ $STRICT == true ]]; then strict=(--strict); fi

scan() { # 1 is an answer; whatever is above it is a fault
    local status=0
    "$PULLSAFE" scan "$@" "${strict[@]}" -- "${paths[@]}" || status=$?
    if ((status > 1)); then exit "$status"; fi
}

scan --output json > "$ROOT/images.json" 2> /dev/null
count() { sed -n "s/^    \"$1\": \([0-9]*\),\{0,1\}\$/\1/p" "$ROOT/images.json" | tail -n 1; }
{
    echo "images=$(count findings)"
    echo "docker-hub=$(count docker_hub)"
} >> "$GITHUB_OUTPUT"

if [[ -z $SARIF && $UPLOAD == true ]]; then SARIF=$ROOT/pullsafe.sarif; fi
if [[ -n $SARIF ]]; then
    # A link of the checkout could lead anywhere: none is followed, neither on the way nor at the end.
    straight='
import os, sys
way = os.path.dirname(sys.argv[1])
sys.exit(os.path.realpath(way) != os.path.normpath(os.path.join(os.path.realpath("."), way)))'
    if [[ $SARIF != /* ]] && ! python3 -I -c "$straight" "$SARIF"; then
        echo "::error title=pullsafe::the report cannot be written to $SARIF: the checkout has a link on the way"
        exit 2
    fi
    scan --output sarif > "$ROOT/report.sarif" 2> /dev/null
    rm -f -- "$SARIF"
    cp -- "$ROOT/report.sarif" "$SARIF"
    echo "sarif=$SARIF" >> "$GITHUB_OUTPUT"
fi
if [[ $SUMMARY == true ]]; then
    # -I: not a module of the checkout.
    python3 -I "$ACTION/packages/action/summary.py" "$ROOT/images.json" >> "$GITHUB_STEP_SUMMARY"
fi

exec "$PULLSAFE" scan --output github "${strict[@]}" -- "${paths[@]}"
