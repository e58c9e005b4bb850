# Gets the program: the archive of the action's own version, checked against the sum that the action carries, or else built from the action's
# own source. A sum that does not fit ends the job; it is never built around. Started by action.yml in the action's folder.
set -euo pipefail

mkdir -p "$ROOT/bin"
program=$ROOT/bin/pullsafe
sums=$ACTION/packages/action/sums.txt
version=$(sed -n 's/^version //p' "$sums")

archive=
case "$RUNNER_OS-$RUNNER_ARCH" in
    Linux-X64) archive=pullsafe-x86_64-unknown-linux-gnu.tar.gz ;;
    Linux-ARM64) archive=pullsafe-aarch64-unknown-linux-gnu.tar.gz ;;
esac
sum=
if [[ -n $archive ]]; then sum=$(sed -n "s/^\([0-9a-f]\{64\}\)  $archive\$/\1/p" "$sums"); fi

fetch() { # the archive, with the sum that it has to have
    curl --silent --show-error --fail --location --retry 3 --retry-all-errors --connect-timeout 10 --max-time 120 \
        --output "$ROOT/$archive" "$RELEASES/v$version/$archive"
}

build() { # the scan alone, which needs no SDK, with the toolchain that the manifest names
    local toolchain
    toolchain=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$ACTION/Cargo.toml")
    echo "building pullsafe from source with Rust $toolchain: $1"
    rustup toolchain install "$toolchain" --profile minimal --no-self-update > /dev/null
    cd "$ACTION"
    CARGO_TARGET_DIR=$ROOT/target rustup run "$toolchain" cargo install --quiet --locked --path "$ACTION/cli" --root "$ROOT" \
        --no-default-features --features scan
}

if [[ $FROM_SOURCE == true ]]; then
    build "as asked"
elif [[ -z $version || -z $sum ]]; then
    build "the action carries no program for $RUNNER_OS on $RUNNER_ARCH"
elif ! fetch; then
    echo "::warning title=pullsafe::$RELEASES/v$version/$archive cannot be had"
    build "the release cannot be had"
else
    found=$(sha256sum "$ROOT/$archive" | cut -d ' ' -f 1)
    if [[ $found != "$sum" ]]; then
        rm -f "$ROOT/$archive"
        known="its sum is $found, and should be $sum. Nothing of it was run."
        echo "::error title=pullsafe::$archive of version $version is not what this version of the action knows: $known"
        exit 1
    fi
    tar --extract --gzip --file "$ROOT/$archive" --directory "$ROOT/bin" --no-same-owner pullsafe
    echo "pullsafe $version, $sum"
fi
echo "program=$program" >> "$GITHUB_OUTPUT"
