# Sourced by the `setup` of the Python clients: a virtual environment in .build/venv with the pinned packages of requirements.txt.
# Does nothing when that was done before with the same requirements.
set -eu
cd "$here"
command -v python3 > /dev/null || { echo "skipped: no python3"; exit 77; }
if ! cmp -s requirements.txt .build/installed; then
  rm -rf .build
  python3 -m venv .build/venv
  .build/venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
  cp requirements.txt .build/installed
fi
