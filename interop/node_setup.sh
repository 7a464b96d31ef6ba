# Sourced by the `setup` of the Node clients: npm packages at the exact versions of package.json, and a Node of package.json's
# `engines.node` (a major version and a minor one, as 22.22) from the npm packages node-<system>-<cpu> if the Node on PATH is older.
# Does nothing when that was done before. Leaves the command that runs Node in .build/node.
set -eu
cd "$here"
{ command -v node && command -v npm; } > /dev/null || { echo "skipped: no node and npm"; exit 77; }
npm_install() { npm install --package-lock=false --no-audit --no-fund --ignore-scripts --loglevel=error "$@"; }
if ! cmp -s package.json .build/installed; then
  rm -rf node_modules .build
  mkdir .build
  npm_install
  ln -s "$(command -v node)" .build/node
  if ! node -e '
    const [major, minor] = process.versions.node.split(".").map(Number)
    const [needMajor, needMinor] = require("./package.json").engines.node.replace(">=", "").split(".").map(Number)
    process.exit(major > needMajor || (major === needMajor && minor >= needMinor) ? 0 : 1)'; then
    npm_install --no-save --prefix .build/runtime "node-$(node -p 'process.platform + "-" + process.arch')@22.22.0"
    ln -sf "$PWD"/.build/runtime/node_modules/node-*/bin/node .build/node
  fi
  cp package.json .build/installed
fi
