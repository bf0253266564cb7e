# The lifeline's other end. Standard input is a pipe that only the node holds: when the node ends, however it ends,
# the pipe closes, and every process that the node started is killed here.
# Arguments: directory of the group files, first and last uid of the node's range (empty without isolation), and files to hold.
trap '' TERM INT HUP QUIT
# Held until this ends: a node that begins meanwhile, in the same directory or with the same users, waits, or its children would be killed here.
exec 8>"$4" && flock 8
[ -z "$5" ] || { exec 9>"$5" && flock 9; }
last=
while read -r line; do last=$line; done

start_time() { # of the process whose stat line is $1; the command's name may hold spaces and parentheses
    set -- ${1##*) }
    started=${20}
}

round=0
# After an orderly end there is nothing left to be forked.
[ "$last" != clean ] || round=29
while [ "$round" -lt 30 ]; do
    for file in "$1"/*; do
        [ -f "$file" ] || continue
        IFS= read -r recorded <"$file" || continue
        group=${recorded%% *}
        # All lines of it: a process may put a line break into its own name.
        if now=$(cat "/proc/$group/stat") && [ -n "$now" ]; then
            start_time "$recorded"; then=$started
            start_time "$now"
            # Another process has the number by now: the group is long gone.
            [ "$then" = "$started" ] || continue
        fi 2>/dev/null
        kill -s KILL -- "-$group" 2>/dev/null
    done
    if [ -n "$2" ]; then
        for process in /proc/[0-9]*; do
            while read -r key uid _; do
                [ "$key" = Uid: ] || continue
                [ "$uid" -ge "$2" ] && [ "$uid" -le "$3" ] && kill -s KILL "${process#/proc/}"
                break
            done <"$process/status"
        done 2>/dev/null
    fi
    # Again for three seconds: a launcher that was just forked may write its group file after the first look.
    round=$((round + 1))
    [ "$round" -ge 30 ] || sleep 0.1
done
