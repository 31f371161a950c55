#!/bin/sh
# Installs PyTorch into the environment of the Python given: sh deploy/install-torch.sh PYTHON
#
# Before everything else, alone and exactly the pinned release: left to a resolver, or to a range,
# it would be the build for GPUs with several GB of further packages. What the pinned build itself
# needs is in requirements*.lock. TORCH_INDEX, when set, is the only index asked.
set -eu
python=$1
install() {
    "$python" -m pip install -qq --disable-pip-version-check --no-compile \
        ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$@"
}
if ! said=$(install --no-deps --require-hashes -r requirements-torch.lock 2>&1); then
    echo "     the pinned CPU build cannot be had for this machine:"
    echo "$said" | grep -m 1 -E 'ERROR|error' | cut -c 1-160 | sed 's/^/     /' || true
    echo "     taking the same release as ${TORCH_INDEX:-the usual index} has it"
    [ -n "${TORCH_INDEX:-}" ] || echo "     (on Linux that brings several GB for GPUs; TORCH_INDEX=… names PyTorch's CPU index)"
    # With its dependencies: another build may need more than the lock holds.
    install "$(grep -oE '^torch==[0-9.]+' requirements-torch.lock)"
fi
