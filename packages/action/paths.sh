# Reads the input `paths` into an array: one a line, or on a single line separated by spaces.
if [[ $PATHS == *$'\n'* ]]; then
    mapfile -t paths < <(sed '/^[[:space:]]*$/d' <<< "$PATHS")
else
    read -ra paths <<< "$PATHS"
fi
if [[ ${#paths[@]} -eq 0 ]]; then
    echo "::error title=pullsafe::the input \`paths\` names nothing"
    exit 2
fi
