# packages.sh: sourced by examples/run.sh and tests/run.sh. Installs what the build needs on Debian 12 and is missing: as root or by
# sudo; else it names the packages and stops.
#
#     need_packages NAME...

need_packages() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        echo "These packages are missing, and only root can install them:" >&2
        echo "    apt-get install --no-install-recommends$missing" >&2
        exit 2
    fi
    echo "installing$missing"
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config flex bison libyaml-dev libjansson-dev libpng-dev zlib1g-dev libxxhash-dev libopenblas0-pthread"
TEST_PACKAGES="libcmocka-dev"
