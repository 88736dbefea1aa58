#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# install.sh [PACKAGE...]: installs what tests/packages.txt and the caller name and the machine lacks. Quick when nothing is
# missing.
set -eu
cd "$(dirname "$0")"

present=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null | sed -n 's/^ii //p')
missing=
for package in $(sed 's/#.*//' packages.txt) "$@"; do
	echo "$present" | grep -qx "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages (run as root once, or install them):$missing" >&2
	exit 1
fi
echo "installing:$missing"

# Nobody asks, and no daemon of these packages is started on this machine.
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	trap 'exit 130' INT TERM
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
log=$(mktemp)
quiet() {
	"$@" >"$log" 2>&1 </dev/null || {
		tail -n 30 "$log" >&2
		rm -f "$log"
		echo "failed: $*" >&2
		exit 1
	}
}
quiet timeout 300 apt-get -q update
# shellcheck disable=SC2086 # one word a package
quiet timeout 1500 apt-get -q -y --no-install-recommends install $missing
rm -f "$log"
