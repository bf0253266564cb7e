# Runs in the new session of a child, before privileges are dropped. Records the group, then becomes the server.
# Arguments: group file, process id of the node, command…
IFS= read -r stat </proc/$$/stat && printf '%s\n' "$stat" >"$1" || exit 125
# If the node died while this was starting, the reaper may have looked too early: then nobody would end this child.
IFS=' ' read -r _ _ _ parent _ </proc/$$/stat
[ "$parent" = "$2" ] || { rm -f "$1"; exit 125; }
shift 2
exec "$@"
