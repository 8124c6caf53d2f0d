#!/bin/sh
# sh requirements/install.sh BIN WORDS: what `pip install WORDS` does in the environment with the programs in folder BIN.
# uv does it where it is there, because it is faster; it does not read pip's configuration, so pip tries what it cannot
# install. Nothing that is installed later may move torch.
bin=$1
shift
set -- -q -c "$(dirname "$0")/torch.txt" "$@"
if [ -x "$bin/uv" ]; then
    "$bin/uv" pip install --compile-bytecode --python "$bin/python" "$@" && exit
    echo "  uv could not install this; trying pip" >&2
fi
exec "$bin/python" -m pip --disable-pip-version-check install "$@"
