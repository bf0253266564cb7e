# Runs as the child's own user, after privileges are dropped: no variable that a catalog names is ever seen by a program that
# still has them. The values come in variables and not as arguments, which every user of the host could read.
# Arguments: count of variables, command…
__weir_i=0
while [ "$__weir_i" -lt "$1" ]; do
    eval "__weir_pair=\$WEIR_ENV_$__weir_i"
    unset "WEIR_ENV_$__weir_i"
    export "$__weir_pair"
    __weir_i=$((__weir_i + 1))
done
shift
exec "$@"
